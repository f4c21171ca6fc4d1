//! How a profiler reports layers.

use super::cycle::Cycle;
use serde::{Deserialize, Serialize};
use shared::random::Random;
use shared::run_folder::{LayerRun, LayerStamp};
use shared::units::Millis;

/// A profiler's faults.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProfilerModel {
    /// From the inference's end to the first callback.
    pub callback_delay: Millis,
    /// Scale of what comes on top of the delay: half-normal, drawn once per inference, cut off at five.
    pub callback_jitter: Millis,
    /// Relative deviation of a reported duration from the true one.
    pub duration_error: f64,
    /// Share of cycles that are not reported at all.
    pub lost_cycles: f64,
}

impl ProfilerModel {
    pub(super) fn check(&self) -> Result<(), String> {
        let numbers = [
            ("callback_delay", self.callback_delay.0),
            ("callback_jitter", self.callback_jitter.0),
            ("duration_error", self.duration_error),
        ];
        if let Some((name, value)) = numbers.into_iter().find(|(_, value)| !value.is_finite() || *value < 0.0) {
            return Err(format!("`profiler.{name}` is {value}, it needs to be zero or more"));
        }
        if (0.0..1.0).contains(&self.lost_cycles) {
            Ok(())
        } else {
            Err(format!("`profiler.lost_cycles` is {}, it needs to be 0 to less than 1", self.lost_cycles))
        }
    }

    /// Whether a cycle is lost.
    #[must_use]
    pub fn loses(&self, random: &mut Random) -> bool {
        self.lost_cycles > 0.0 && random.uniform() < self.lost_cycles
    }

    /// The layers of a cycle as the profiler reports them.
    #[must_use]
    pub fn report(&self, cycle: &Cycle, stamp: LayerStamp, random: &mut Random) -> Vec<LayerRun> {
        let mut late = self.callback_delay.0;
        if self.callback_jitter.0 > 0.0 {
            late += self.callback_jitter.0 * random.normal().abs().min(5.0);
        }
        // The callbacks come one after the other once the inference is done, 1 to 3 µs each.
        let mut callback_ns = cycle.end_ns + (late * 1e6).round() as u64;
        (0..cycle.layers.len())
            .map(|index| {
                callback_ns += 1_000 + (random.uniform() * 2_000.0) as u64;
                let stamp_ns = match stamp {
                    LayerStamp::Callback => callback_ns,
                    LayerStamp::LayerEnd => cycle.layers[index].1,
                    LayerStamp::PassAverage => cycle.end_ns,
                };
                let error = if self.duration_error > 0.0 { self.duration_error * random.normal() } else { 0.0 };
                LayerRun { ms: (cycle.layer_ms(index) * (1.0 + error).max(0.0)) as f32, stamp_ns }
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn callbacks_come_late_together_and_cycles_are_lost() {
        let cycle = Cycle { end_ns: 1_000_000, layers: vec![(0, 400_000), (400_000, 900_000)], ..Cycle::default() };
        let profiler = ProfilerModel {
            callback_delay: Millis(0.05),
            callback_jitter: Millis(0.02),
            duration_error: 0.01,
            lost_cycles: 0.25,
        };
        assert_eq!(profiler.check(), Ok(()));
        let mut random = Random::new(3);
        let mut lost = 0;
        for _ in 0..4_000 {
            let runs = profiler.report(&cycle, LayerStamp::Callback, &mut random);
            assert!(runs[0].stamp_ns > 1_050_000 && runs[1].stamp_ns < 1_160_000, "{runs:?}");
            assert!(runs[1].stamp_ns - runs[0].stamp_ns <= 3_000);
            assert!((runs[0].ms / 0.4 - 1.0).abs() < 0.06);
            lost += u32::from(profiler.loses(&mut random));
        }
        assert!((900..1_100).contains(&lost), "{lost}");
        assert!(ProfilerModel { lost_cycles: 1.0, ..profiler }.check().is_err());
    }
}
