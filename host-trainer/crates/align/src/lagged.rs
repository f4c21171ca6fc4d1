//! The mean power behind a filter in the sensor.
//!
//! Of a first-order lag τ, `y + τ·dy/dt` is the power. Over a stretch of time its mean is the mean reading plus τ times the
//! reading's rise over it, however readings are spaced: a logger that hardly sees the register move gives few new readings.

use super::pieces::Sample;
use super::response::FittedResponse;

/// Relative error of a lag that the log shows.
pub(crate) const LAG_ERROR: f64 = 0.2;

/// What a register keeps of its value from one renewal to the next where it forgets soon.
const FORGETS: f64 = 0.95;

/// Sums over pairs of neighbouring readings.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct LaggedMean {
    pairs: f64,
    time_us: f64,
    /// Readings times the time until the next one.
    level: f64,
    rise: f64,
    squares: f64,
}

impl LaggedMean {
    /// No readings yet. `None` for a sensor that forgets soon: each of its readings tells the power of its own time.
    pub(crate) fn of(response: FittedResponse) -> Option<Self> {
        let kernel = response.kernel();
        (kernel.lag_us > 0.0 || kernel.keep > FORGETS).then(Self::default)
    }

    /// Adds the time between two readings, over which the timeline is known.
    pub(crate) fn add(&mut self, before: Sample, after: Sample) {
        let length_us = after.at_us - before.at_us;
        self.pairs += 1.0;
        self.time_us += length_us;
        self.level += length_us * before.watts;
        self.rise += after.watts - before.watts;
        self.squares += (after.watts - before.watts).powi(2);
    }

    /// The mean power in watts behind a lag, with its standard error. `None` without a lag or without readings.
    pub(crate) fn mean(&self, lag_us: f64) -> Option<(f64, f64)> {
        if lag_us <= 0.0 || self.time_us <= 0.0 {
            return None;
        }
        let lags = lag_us / self.time_us;
        // Rounding and noise of a reading count at both ends alone. The lag itself is known to some percent.
        let step = 2.0 * self.squares / self.pairs;
        let error = (step * lags * lags + (LAG_ERROR * lags * self.rise).powi(2)).sqrt();
        Some((self.level / self.time_us + lags * self.rise, error))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_power_behind_a_lag_is_found_however_readings_are_spaced() {
        // A register that falls from 10 to 6 W with τ = 400 ms, of which readings show steps of 40 mW, when they change.
        let shown = |t_us: f64| ((6.0 + 4.0 * (-t_us / 4e5).exp()) / 0.04).round() * 0.04;
        let mut mean = LaggedMean::default();
        let mut last = Sample { at_us: 0.0, watts: shown(0.0) };
        for k in 1..2000 {
            let at_us = 1.1e3 * f64::from(k);
            let new = Sample { at_us, watts: shown(at_us) };
            if new.watts != last.watts {
                mean.add(last, new);
                last = new;
            }
        }
        let (watts, error) = mean.mean(4e5).expect("readings");
        assert!((watts - 6.0).abs() < 0.05 && error > 0.005, "{watts} ± {error}");
        assert_eq!((mean.mean(0.0), LaggedMean::default().mean(4e5)), (None, None));
    }
}
