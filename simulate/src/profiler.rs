//! The faults of a profiler.

use serde::{Deserialize, Serialize};
use shared::random::Random;
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
}
