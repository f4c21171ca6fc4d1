//! What the ledger of a task in an object store says.

use crate::queue::record::State;
use serde::{Deserialize, Serialize};
use tune::leases::MOST_FAILURES;

/// What happened to a task. Each entry has all that the next one needs, so that only the last is read.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Event {
    pub(super) what: What,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) owner: Option<String>,
    /// How long the claim stands without a sign of life.
    #[serde(default)]
    pub(super) lease_ms: u64,
    #[serde(default)]
    pub(super) failures: i64,
    #[serde(default)]
    pub(super) lost: i64,
    /// When it was claimed last, by the store's clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) started_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) checkpoint: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) reason: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) result: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum What {
    #[default]
    Claimed,
    Released,
    Failed,
    Reset,
    Done,
    Buried,
    Cancelled,
}

impl What {
    /// Where a task stands after it, with so many failures.
    pub(super) fn state(self, failures: i64) -> State {
        match self {
            Self::Claimed => State::Running,
            Self::Failed if failures >= MOST_FAILURES => State::Failed,
            Self::Released | Self::Failed | Self::Reset => State::Pending,
            Self::Done => State::Done,
            Self::Buried => State::Failed,
            Self::Cancelled => State::Cancelled,
        }
    }
}
