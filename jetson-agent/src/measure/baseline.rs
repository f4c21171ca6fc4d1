//! Idle power before a command, with its uncertainty.

use serde::Serialize;

/// Readings are collected in blocks of this length and joined to longer ones afterwards.
const FINE_NS: u64 = 10_000_000;
/// Blocks are at least this long.
const BLOCK_NS: u64 = 250_000_000;

/// Half the width of the central 90 % of Student's distribution, by degrees of freedom from 1.
const STUDENT_90: [f64; 10] = [6.314, 2.920, 2.353, 2.132, 2.015, 1.943, 1.895, 1.860, 1.833, 1.812];
/// The same of the normal distribution.
pub(super) const NORMAL_90: f64 = 1.645;

/// Collects readings of power while nothing runs.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    start_ns: Option<u64>,
    last_ns: u64,
    blocks: Vec<(f64, u64)>,
}

/// Idle power.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Idle {
    /// The mean, W.
    pub watts: f64,
    /// Its standard uncertainty, W, widened for the few blocks that it comes from; `None` where there are fewer than three.
    pub uncertainty_watts: Option<f64>,
    /// How long it was read, s.
    pub seconds: f64,
}

impl Baseline {
    /// Adds a reading, in order of time.
    pub fn add(&mut self, t_ns: u64, watts: f64) {
        let start = *self.start_ns.get_or_insert(t_ns);
        if !watts.is_finite() || t_ns < self.last_ns {
            return;
        }
        self.last_ns = t_ns;
        let block = ((t_ns - start) / FINE_NS) as usize;
        if self.blocks.len() <= block {
            self.blocks.resize(block + 1, (0.0, 0));
        }
        self.blocks[block].0 += watts;
        self.blocks[block].1 += 1;
    }

    /// Idle power behind a sensor that forgets with a time constant. Readings closer than that depend on each other, so the
    /// uncertainty comes from the means of blocks of twice the constant, and is not smaller than half of what the second
    /// half differs from the first: a board that is still cooling down has no idle power yet.
    #[must_use]
    pub fn idle(&self, time_constant_ns: u64) -> Option<Idle> {
        let mean = |blocks: &[(f64, u64)]| {
            let (sum, count) = blocks.iter().fold((0.0, 0), |(sum, count), block| (sum + block.0, count + block.1));
            (count > 0).then(|| sum / count as f64)
        };
        let watts = mean(&self.blocks)?;
        let seconds = self.last_ns.saturating_sub(self.start_ns?) as f64 * 1e-9;
        let length = (BLOCK_NS.max(2 * time_constant_ns) / FINE_NS) as usize;
        let means: Vec<f64> = self.blocks.chunks_exact(length).filter_map(mean).collect();
        let halves = self.blocks.split_at(self.blocks.len() / 2);
        let drift = mean(halves.0).zip(mean(halves.1)).map_or(0.0, |(first, second)| (second - first).abs() / 2.0);
        let uncertainty_watts = (means.len() >= 3).then(|| {
            let n = means.len() as f64;
            let centre = means.iter().sum::<f64>() / n;
            let error = (means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt();
            let widened = error * STUDENT_90.get(means.len() - 2).copied().unwrap_or(NORMAL_90) / NORMAL_90;
            widened.max(drift)
        });
        Some(Idle { watts, uncertainty_watts, seconds })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::random::Random;

    fn read(seconds: f64, power: impl Fn(f64, &mut Random) -> f64) -> Baseline {
        let (mut baseline, mut random) = (Baseline::default(), Random::new(1));
        for reading in 0..(seconds * 1e3) as u64 {
            baseline.add(5_000_000_000 + reading * 1_000_000, power(reading as f64 * 1e-3, &mut random));
        }
        baseline
    }

    #[test]
    fn the_mean_lies_within_its_uncertainty() {
        let idle = read(4.0, |_, random| 4.2 + 0.05 * random.normal()).idle(0).expect("readings");
        let uncertainty = idle.uncertainty_watts.expect("blocks");
        assert!((idle.watts - 4.2).abs() < 3.0 * uncertainty, "{idle:?}");
        assert!((1e-4..5e-3).contains(&uncertainty), "{idle:?}");
        assert!((idle.seconds - 3.999).abs() < 1e-6);
    }

    #[test]
    fn a_board_that_cools_down_is_uncertain_and_a_short_look_is_not_known() {
        let cooling = read(4.0, |seconds, _| 4.2 + (-seconds / 2.0).exp()).idle(0).expect("readings");
        assert!(cooling.uncertainty_watts.expect("blocks") > 0.15, "{cooling:?}");
        let short = read(0.5, |_, _| 4.2).idle(0).expect("readings");
        assert_eq!(short.uncertainty_watts, None);
        assert_eq!(Baseline::default().idle(0), None);
        // Behind a lag of 0.43 s the same four seconds are four blocks, not sixteen.
        let lagging = read(4.0, |_, random| 4.2 + 0.05 * random.normal()).idle(430_000_000).expect("readings");
        assert!(lagging.uncertainty_watts.is_some());
    }
}
