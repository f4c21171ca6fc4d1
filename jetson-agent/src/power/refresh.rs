//! How often a sensor really has something new, from how long its readings repeat.

use shared::run_folder::Sample;

/// Watches one rail. A register that is read faster than it refreshes repeats itself; the times at which the value
/// changes lie on multiples of the refresh period, so the period is close to the shortest spacing that comes often.
/// A constant load changes nothing, and then nothing can be said.
#[derive(Debug, Clone, Default)]
pub struct RefreshDetector {
    last: Option<(u64, f32, f32)>,
    last_change_ns: Option<u64>,
    /// Spacings between changes in ns, thinned to a fixed number.
    spacings: Vec<u64>,
    seen: u64,
}

const KEPT: usize = 4096;

impl RefreshDetector {
    /// Takes one sample of the rail.
    pub fn add(&mut self, sample: &Sample) {
        if let Some((_, mv, ma)) = self.last
            && (mv != sample.mv || ma != sample.ma)
        {
            if let Some(change) = self.last_change_ns {
                self.seen += 1;
                let spacing = sample.t_ns.saturating_sub(change);
                if self.spacings.len() < KEPT {
                    self.spacings.push(spacing);
                } else {
                    self.spacings[(self.seen % KEPT as u64) as usize] = spacing;
                }
            }
            self.last_change_ns = Some(sample.t_ns);
        }
        self.last = Some((sample.t_ns, sample.mv, sample.ma));
    }

    /// The refresh period in ns: the lower quartile of the spacings, which a sensor with noise reaches at nearly every
    /// refresh. `None` before 16 changes. Never below the time between readings, so it is an upper bound when the sensor
    /// is faster than the sampler.
    #[must_use]
    pub fn period_ns(&self) -> Option<u64> {
        if self.spacings.len() < 16 {
            return None;
        }
        let mut sorted = self.spacings.clone();
        sorted.sort_unstable();
        Some(sorted[sorted.len() / 4])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn feed(poll_ns: u64, refresh_ns: u64, n: u64) -> Option<u64> {
        let mut detector = RefreshDetector::default();
        for i in 0..n {
            let t_ns = i * poll_ns;
            // A new value at each refresh.
            let ma = (t_ns / refresh_ns * 7 % 13) as f32;
            detector.add(&Sample { t_ns, rail: 0, mv: 5_000.0, ma });
        }
        detector.period_ns()
    }

    #[test]
    fn a_slow_sensor_is_found_out_and_a_fast_one_bounded() {
        let slow = feed(500_000, 6_600_000, 5_000).expect("changes") as f64;
        assert!((slow - 6.6e6).abs() <= 0.5e6, "{slow}");
        let fast = feed(2_000_000, 300_000, 5_000).expect("changes");
        assert_eq!(fast, 2_000_000);
    }

    #[test]
    fn a_constant_reading_says_nothing() {
        let mut detector = RefreshDetector::default();
        for i in 0..1_000 {
            detector.add(&Sample { t_ns: i, rail: 0, mv: 5_000.0, ma: 1.0 });
        }
        assert_eq!(detector.period_ns(), None);
    }
}
