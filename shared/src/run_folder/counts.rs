//! The passes of a run, and how much of each a log holds.

use serde::{Deserialize, Serialize};

/// Which part of a run a cycle belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pass {
    /// Before anything is measured.
    Warmup,
    /// Inferences back to back without the profiler; power and whole-inference latency come from here.
    Power,
    /// Inferences with the profiler on; layer durations come from here.
    Profiled,
}

/// How much a log holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Counts {
    /// Power samples.
    pub samples: u64,
    /// Inferences of the power pass.
    pub power_inferences: u64,
    /// Inferences of the profiled pass.
    pub profiled_inferences: u64,
    /// Cycles with layer durations.
    pub layer_cycles: u64,
}
