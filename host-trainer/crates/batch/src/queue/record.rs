//! What queues keep, as values, and what each of them does.

use super::error::QueueError;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt::Debug;
use std::time::Duration;

/// A task as a queue knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its place in the batch.
    pub number: u64,
    /// Its name.
    pub id: String,
    /// `class.architecture`.
    pub label: String,
}

/// Who asks for a task, and for which.
#[derive(Debug, Clone, Copy)]
pub struct Asking<'a> {
    /// Who asks, for others to see.
    pub owner: &'a str,
    /// How long the task stays with a worker that falls silent.
    pub lease: Duration,
    /// Labels of the tasks that are taken; all where it is empty.
    pub only: &'a [String],
}

/// A task in one worker's hands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The task's place in the batch.
    pub number: u64,
    /// The task's name.
    pub id: String,
    /// What an earlier worker kept last.
    pub checkpoint: Option<String>,
    /// By which the queue knows this claim from earlier and later ones.
    pub(super) token: i64,
}

/// What a worker is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This task.
    Task(Claim),
    /// Wait: all tasks that are left are in others' hands.
    Wait,
    /// Nothing: no task is left.
    Done,
}

/// What came of a task.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// Its result, a document.
    Done(String),
    /// Why there is none.
    Failed(String),
}

/// Where a task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = TaskState)]
pub enum State {
    /// For a worker.
    Pending,
    /// Claimed.
    Running,
    /// With a result.
    Done,
    /// Given up for good; its reason says why.
    Failed,
    /// Taken out by somebody.
    Cancelled,
}

/// A task and where it stands. What is not known is none.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(as = TaskRow)]
pub struct Row {
    /// The task's place in the batch.
    pub number: u64,
    /// The task's name.
    pub id: String,
    /// Where it stands.
    pub state: State,
    /// Who works on it, or worked on it last.
    pub owner: Option<String>,
    /// Whether the lease of a claim has run out: its worker is silent.
    pub silent: bool,
    /// Times it was claimed, as far as the queue counts them.
    pub claims: u64,
    /// Times it failed.
    pub failures: u64,
    /// Times its worker vanished.
    pub lost: u64,
    /// When it was claimed last, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When it was finished, in milliseconds since 1970.
    pub finished_ms: Option<i64>,
    /// Why it failed, or failed last.
    pub reason: Option<String>,
}

/// A worker that registered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct WorkerRow {
    /// Its name.
    pub owner: String,
    /// When it registered, in milliseconds since 1970; none where the queue was made before that was kept.
    pub since_ms: Option<i64>,
    /// When it last gave a sign of life, in milliseconds since 1970.
    pub seen_ms: i64,
    /// Seconds since then, by the queue's clock.
    pub silent_s: i64,
    /// The task that it works on.
    pub task: Option<String>,
}

/// Who works on which task of a batch. Whatever says `bool` is false where the claim no longer stands; nothing was kept then.
#[async_trait]
pub trait Queue: Send + Sync + Debug {
    /// What messages call it; no password is in it.
    fn place(&self) -> String;

    /// Enters tasks. Those that are there stay as they are.
    ///
    /// # Errors
    /// The backend's, as of all of these.
    async fn enter(&self, entries: &[Entry]) -> Result<(), QueueError>;

    /// Claims a task that nobody works on.
    async fn next(&self, asking: &Asking<'_>) -> Result<Next, QueueError>;

    /// Renews a claim's lease.
    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool, QueueError>;

    /// Keeps a checkpoint, which whoever claims the task next will get.
    async fn keep(&self, claim: &Claim, checkpoint: &str) -> Result<bool, QueueError>;

    /// Hands a task back for others.
    async fn release(&self, claim: &Claim) -> Result<bool, QueueError>;

    /// Keeps what came of a task.
    async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<bool, QueueError>;

    /// All tasks, by number.
    async fn rows(&self) -> Result<Vec<Row>, QueueError>;

    /// Results of tasks that are done: name and document.
    async fn results(&self) -> Result<Vec<(String, String)>, QueueError>;

    /// What workers kept last of the tasks that run: name and checkpoint.
    async fn checkpoints(&self) -> Result<Vec<(String, String)>, QueueError>;

    /// Makes failed and cancelled tasks wait for a worker again; the names of those it did so for.
    async fn reset(&self, ids: &[String]) -> Result<Vec<String>, QueueError>;

    /// Takes tasks out that are not finished; the names of those it took.
    async fn cancel(&self, ids: &[String]) -> Result<Vec<String>, QueueError>;

    /// Frees tasks whose workers are known to be gone, without waiting for their leases; the names of those it freed.
    async fn free(&self, ids: &[String]) -> Result<Vec<String>, QueueError>;

    /// Keeps that a worker is there, and what it does.
    async fn seen(&self, owner: &str, task: Option<&str>) -> Result<(), QueueError>;

    /// Keeps that a worker has gone.
    async fn gone(&self, owner: &str) -> Result<(), QueueError>;

    /// The workers that are there.
    async fn workers(&self) -> Result<Vec<WorkerRow>, QueueError>;

    /// Closes connections, so that nothing is left next to a database's file.
    async fn close(&self) {}
}
