//! The passes of a simulated run.

use serde::{Deserialize, Serialize};
use shared::run_folder::{Counts, LayerStamp};

/// How the passes of a simulated run go.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassPlan {
    /// Cycles before anything is recorded as measured.
    pub warmup: u32,
    /// Cycles of the power pass.
    pub runs: u32,
    /// Cycles of the profiled pass; none when `with_power`.
    pub profiled: u32,
    /// Whether the power pass reports layers too, as the reference's does.
    pub with_power: bool,
    /// What layer stamps mark.
    pub stamp: LayerStamp,
    /// Idle time before the first and after the last cycle, ns.
    pub idle_ns: u64,
}

impl PassPlan {
    /// Counts without the samples, which depend on how long it takes.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let profiled = if self.with_power { 0 } else { u64::from(self.profiled) };
        Counts {
            samples: 0,
            power_inferences: u64::from(self.runs),
            profiled_inferences: profiled,
            layer_cycles: if self.with_power { u64::from(self.runs) } else { profiled },
        }
    }
}
