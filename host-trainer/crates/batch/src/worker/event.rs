//! What a worker tells.

/// What a worker tells while it works.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It has claimed a task.
    Claimed {
        /// `class.architecture`.
        label: String,
        /// The task, by name.
        task: String,
        /// Epochs that an earlier worker had finished.
        from_epoch: Option<usize>,
    },
    /// A task is done.
    Done {
        /// `class.architecture`.
        label: String,
        /// The task, by name.
        task: String,
        /// Its score.
        score: f64,
        /// Seconds that it took.
        seconds: f64,
    },
    /// A task failed.
    Failed {
        /// `class.architecture`.
        label: String,
        /// The task, by name.
        task: String,
        /// Why.
        reason: String,
    },
    /// A task was handed back, or taken by another.
    GivenUp {
        /// The task, by name.
        task: String,
    },
    /// Something that a person should know.
    Note(String),
}
