//! What a worker may do.

use engines::owner;
use std::time::Duration;

/// What a worker may do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who it is, for others to see.
    pub owner: String,
    /// How long a task stays with it without a sign of life.
    pub lease: Duration,
    /// Tasks that it works on at once.
    pub jobs: usize,
    /// Labels of the tasks that it takes; all where it is empty.
    pub only: Vec<String>,
    /// Tasks after which it ends; no limit where it is none.
    pub most: Option<u64>,
    /// Least time between two checkpoints of a task.
    pub checkpoint_after: Duration,
    /// How long it may take to stop.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            owner: owner(),
            lease: tune::leases::LEASE,
            jobs: 1,
            only: Vec::new(),
            most: None,
            checkpoint_after: Duration::from_secs(5),
            grace: Duration::from_secs(20),
        }
    }
}
