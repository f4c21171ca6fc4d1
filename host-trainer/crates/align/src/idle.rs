//! Idle power before and after a run, from the log itself.
//!
//! Idle power rises with temperature, so that one figure is not true of a whole run. Where the log begins or ends with a
//! quiet stretch, that is idle power at that moment; in between it is taken as a straight line. Behind a filter that is slower
//! than the log's end is long, readings have not come down to idle power yet: their fall shows where it ends.

use super::step::relaxation;
use shared::units::{Micros, Watts};

/// Shortest stretch that counts, in seconds, and in points of the trace.
const SHORTEST: (f64, usize) = (0.2, 4);
/// Largest scatter within a quiet stretch, against the power above idle.
const QUIET: f64 = 0.1;

/// Part of the way from the load down to the last reading that readings have fallen once the load is surely over.
const FALLEN: f64 = 0.1;
/// Length of a fall in time constants that it takes to tell where it ends, and how far its time constant may be from the
/// sensor's, as a ratio.
const FALL: (f64, f64) = (1.5, 1.4);

/// Idle power, before the run and after it.
#[derive(Debug, Clone, Copy, PartialEq, Default, serde::Serialize, serde::Deserialize)]
pub struct IdleEnds {
    /// Before the first inference.
    #[serde(rename = "before_w")]
    pub before: Option<Watts>,
    /// After the last one.
    #[serde(rename = "after_w")]
    pub after: Option<Watts>,
}

impl IdleEnds {
    /// What the ends of a log show: points are ns and watts, in order. `lag` is the sensor's time constant, `settle_ns` how
    /// long it needs to follow.
    #[must_use]
    pub fn of_log(points: &[(i64, f64)], lag: Micros, settle_ns: i64) -> Self {
        let after = quiet(points.iter().rev().copied(), settle_ns).or_else(|| end_of_fall(points, lag));
        Self { before: quiet(points.iter().copied(), settle_ns), after }
    }

    /// The mean over the run.
    #[must_use]
    pub fn mean(self) -> Option<Watts> {
        match (self.before, self.after) {
            (Some(before), Some(after)) => Some((before + after) / 2.0),
            (one, other) => one.or(other),
        }
    }
}

/// The level of a quiet stretch with which the points begin.
fn quiet(points: impl Iterator<Item = (i64, f64)> + Clone, settle_ns: i64) -> Option<Watts> {
    let (count, sum) = points.clone().fold((0, 0.0), |(count, sum), p| (count + 1, sum + p.1));
    let mean = sum / f64::from(count);
    let (start, first) = points.clone().next()?;
    // Up to where the load has clearly gone up, and some time less: the sensor may answer gradually.
    let limit = first + 0.2 * (mean - first);
    let up = points.clone().find(|p| p.1 > limit)?.0;
    let length = (up - start).saturating_abs().saturating_sub(settle_ns);
    let within: Vec<f64> = points.take_while(|p| (p.0 - start).saturating_abs() < length).map(|p| p.1).collect();
    if mean <= first || (length as f64) < SHORTEST.0 * 1e9 || within.len() < SHORTEST.1 {
        return None;
    }
    let level = within.iter().sum::<f64>() / within.len() as f64;
    let scatter = within.iter().map(|w| (w - level).powi(2)).sum::<f64>() / within.len() as f64;
    (scatter.sqrt() < QUIET * (mean - level)).then_some(Watts(level))
}

/// The level that a log's last points fall to along the exponential of a sensor's lag. `None` where they do not fall so, or
/// not for long enough to tell.
fn end_of_fall(points: &[(i64, f64)], lag: Micros) -> Option<Watts> {
    let last = points.last()?;
    let mut sorted: Vec<f64> = points.iter().map(|p| p.1).collect();
    sorted.sort_by(f64::total_cmp);
    let load = sorted[sorted.len() / 2];
    let limit = load - FALLEN * (load - last.1);
    let from = points.iter().rposition(|p| p.1 >= limit)? + 1;
    let fall = points.get(from..).filter(|fall| fall.len() >= 4 * SHORTEST.1)?;
    let times: Vec<f64> = fall.iter().map(|p| (p.0 - fall[0].0) as f64 * 1e-3).collect();
    let watts: Vec<f64> = fall.iter().map(|p| p.1).collect();
    let found = relaxation(&times, &watts)?;
    let long = times.last()? / found.lag.0 > FALL.0;
    let of_the_sensor = (found.lag.0 / lag.0).ln().abs() < FALL.1.ln();
    let clear = found.error.0 < QUIET * found.lag.0 && found.rmse < QUIET * (load - found.to);
    (lag.0 > 0.0 && long && of_the_sensor && clear).then_some(Watts(found.to))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(level: impl Fn(usize) -> f64) -> Vec<(i64, f64)> {
        (0..1000).map(|i| (i as i64 * 10_000_000, level(i))).collect()
    }

    #[test]
    fn quiet_ends_are_found_and_their_drift_is_seen() {
        let points = log(|i| match i {
            0..150 => 4.6,
            150..800 => 9.0 + (i % 2) as f64,
            _ => 5.6 + 3.0 * (-((i - 800) as f64) / 3.0).exp(),
        });
        let ends = IdleEnds::of_log(&points, Micros(0.0), 200_000_000);
        assert!((ends.before.expect("quiet").0 - 4.6).abs() < 1e-9, "{ends:?}");
        assert!((ends.after.expect("quiet").0 - 5.6).abs() < 0.02, "{ends:?}");
        assert!((ends.mean().expect("both").0 - 5.1).abs() < 0.01);
    }

    #[test]
    fn behind_a_slow_filter_the_fall_after_the_run_shows_idle_power() {
        let fall = |i: usize| ((5.6 + 4.0 * (-((i - 800) as f64) / 43.0).exp()) / 0.04).round() * 0.04;
        let points = log(|i| if i < 800 { 9.6 } else { fall(i) });
        let of = |points: &[(i64, f64)], lag| IdleEnds::of_log(points, lag, 2_200_000_000).after;
        // A log that ends 1.5 s after the run, 3.5 time constants.
        let found = of(&points[..950], Micros(0.41e6)).expect("a fall");
        assert!((found.0 - 5.6).abs() < 0.03, "{found:?}");
        // Too short, and not the sensor's fall.
        assert_eq!((of(&points[..850], Micros(0.41e6)), of(&points[..950], Micros(0.1e6))), (None, None));
    }

    #[test]
    fn a_log_of_load_alone_shows_no_idle_power() {
        assert_eq!(IdleEnds::of_log(&log(|i| 9.0 + (i % 3) as f64), Micros(0.0), 0), IdleEnds::default());
        assert_eq!(IdleEnds::of_log(&[], Micros(0.0), 0), IdleEnds::default());
    }
}
