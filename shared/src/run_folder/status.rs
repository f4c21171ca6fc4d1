//! How a run ended.

use serde::{Deserialize, Serialize};

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It has not ended, or the program was killed: `recover` seals it.
    Running,
    /// Every cycle asked for was measured.
    Complete,
    /// The user stopped it; what was measured is whole.
    Interrupted,
    /// Something failed on the way; what was measured until then is whole.
    Failed,
    /// It was cut off and its log was read back by `recover`.
    Recovered,
}
