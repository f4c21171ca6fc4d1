//! How a batch stands: the queue's account of its tasks, joined with what the engine says of its workers.

use crate::folder::{Batch, Use};
use crate::queue::{Queue, Row, State, WorkerRow};
use crate::results::{self, TaskResult};
use engines::{Jobs, Started, Submission, slurm_states, submissions};
use serde::Serialize;
use shared::failure::Failure;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Where a task stands for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Shown {
    /// For a worker.
    Pending,
    /// A worker works on it.
    Running,
    /// With a result.
    Done,
    /// Given up for good.
    Failed,
    /// A worker has it that is silent, or that the engine says has ended: nobody works on it.
    Lost,
    /// Taken out by somebody.
    Cancelled,
}

/// Tasks by where they stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
#[schema(as = TaskCounts)]
pub struct Counts {
    /// For a worker.
    pub pending: u64,
    /// A worker works on them.
    pub running: u64,
    /// With a result.
    pub done: u64,
    /// Given up for good.
    pub failed: u64,
    /// Nobody works on them, though somebody claimed them.
    pub lost: u64,
    /// Taken out by somebody.
    pub cancelled: u64,
}

impl Counts {
    fn add(&mut self, shown: Shown) {
        *match shown {
            Shown::Pending => &mut self.pending,
            Shown::Running => &mut self.running,
            Shown::Done => &mut self.done,
            Shown::Failed => &mut self.failed,
            Shown::Lost => &mut self.lost,
            Shown::Cancelled => &mut self.cancelled,
        } += 1;
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> u64 {
        self.pending + self.running + self.done + self.failed + self.lost + self.cancelled
    }

    /// Those that more will come of.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.pending + self.running + self.lost
    }
}

/// A task and where it stands.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct TaskStatus {
    /// `class.architecture`.
    pub label: String,
    /// Where it stands.
    pub shown: Shown,
    /// What the queue says.
    #[serde(flatten)]
    pub row: Row,
}

/// How a batch stands.
#[derive(Debug, Clone, Serialize, utoipa::ToSchema)]
#[schema(as = BatchStatus)]
pub struct Status {
    /// The folder's name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// When it was generated, in milliseconds since 1970.
    pub created_ms: i64,
    /// The engine.
    pub engine: String,
    /// All tasks.
    pub counts: Counts,
    /// Tasks by `class.architecture`.
    pub models: BTreeMap<String, Counts>,
    /// Best score by `class.architecture`.
    pub best: BTreeMap<String, f64>,
    /// The best result.
    pub best_task: Option<String>,
    /// Seconds that are left at the rate of the workers that are there; none where nobody works, or nothing is known.
    pub seconds_left: Option<f64>,
    /// Workers that gave a sign of life.
    pub workers: Vec<WorkerRow>,
    /// What was submitted.
    pub submissions: Vec<Submission>,
    /// Elements of Slurm's arrays by Slurm's word for their state.
    pub slurm: BTreeMap<String, usize>,
    /// What could not be looked up.
    pub notes: Vec<String>,
    /// The tasks.
    #[serde(skip)]
    pub tasks: Vec<TaskStatus>,
    /// The results.
    #[serde(skip)]
    pub results: Vec<TaskResult>,
}

/// Seconds of silence after which a worker counts as gone.
const GONE_S: i64 = 120;

/// How a batch stands. `ask_engine` asks Slurm for its jobs too.
///
/// # Errors
/// A queue that cannot be read.
pub async fn status(batch: &Batch, ask_engine: bool) -> Result<Status, Failure> {
    let queue = batch.queue(Use::Look).await?;
    let status = status_in(batch, &*queue, ask_engine).await;
    queue.close().await;
    status
}

async fn status_in(batch: &Batch, queue: &dyn Queue, ask_engine: bool) -> Result<Status, Failure> {
    let (rows, workers) = (queue.rows().await?, queue.workers().await?);
    let results = results::read(batch, queue).await?;
    let submissions = submissions(&batch.root)?;
    let mut notes = Vec::new();
    let mut jobs = None;
    if ask_engine {
        let numbers: BTreeSet<String> = submissions
            .iter()
            .filter_map(|submission| match &submission.started {
                Started::Slurm(job) => Some(job.clone()),
                _ => None,
            })
            .collect();
        if !numbers.is_empty() {
            match slurm_states(&numbers) {
                Ok(found) => {
                    notes.extend(found.notes.clone());
                    jobs = Some(found);
                }
                Err(failure) => notes.push(failure.message),
            }
        }
    }
    let labels: HashMap<&str, &str> = batch.tasks.iter().map(|task| (task.id.as_str(), task.label.as_str())).collect();
    let tasks: Vec<TaskStatus> = rows
        .into_iter()
        .map(|row| TaskStatus {
            label: labels.get(row.id.as_str()).copied().unwrap_or_default().to_owned(),
            shown: shown(&row, jobs.as_ref()),
            row,
        })
        .collect();
    let (mut counts, mut models) = (Counts::default(), BTreeMap::<String, Counts>::new());
    for label in batch.labels() {
        models.entry(label).or_default();
    }
    for task in &tasks {
        counts.add(task.shown);
        models.entry(task.label.clone()).or_default().add(task.shown);
    }
    let mut best: BTreeMap<String, f64> = BTreeMap::new();
    for result in &results {
        let score = best.entry(result.label.clone()).or_insert(f64::INFINITY);
        *score = score.min(result.score);
    }
    let seconds_left = seconds_left(batch, &counts, &tasks, &results, &workers);
    Ok(Status {
        name: batch.name(),
        description: batch.header.description.clone(),
        created_ms: batch.header.created_ms,
        engine: batch.header.engine.clone(),
        counts,
        models,
        best,
        best_task: results::ranked(&results).first().map(|result| result.task.clone()),
        seconds_left,
        workers,
        submissions,
        slurm: jobs
            .map(|jobs| jobs.counts().into_iter().map(|(s, count)| (s.to_owned(), count)).collect())
            .unwrap_or_default(),
        notes,
        tasks,
        results,
    })
}

/// Where a task stands, with what the engine says of its worker.
fn shown(row: &Row, jobs: Option<&Jobs>) -> Shown {
    let element = row.owner.as_deref().and_then(|owner| owner.strip_prefix("slurm/")?.split('/').next());
    let ended = element.zip(jobs).is_some_and(|(element, jobs)| !jobs.is_active(element));
    match row.state {
        State::Pending => Shown::Pending,
        State::Running if row.silent || ended => Shown::Lost,
        State::Running => Shown::Running,
        State::Done => Shown::Done,
        State::Failed => Shown::Failed,
        State::Cancelled => Shown::Cancelled,
    }
}

/// Mean seconds of a task, times those that are open, over the workers that are there.
fn seconds_left(
    batch: &Batch,
    counts: &Counts,
    tasks: &[TaskStatus],
    results: &[TaskResult],
    workers: &[WorkerRow],
) -> Option<f64> {
    if counts.open() == 0 {
        return Some(0.0);
    }
    let there = workers.iter().filter(|worker| worker.silent_s < GONE_S).count();
    let running = tasks.iter().filter(|task| task.shown == Shown::Running).count();
    let at_once = there.max(running);
    let seconds = match results.len() {
        0 => batch.header.estimate?.task_seconds,
        count => results.iter().map(|result| result.seconds).sum::<f64>() / count as f64,
    };
    (at_once > 0).then(|| seconds * counts.open() as f64 / at_once as f64)
}

/// Makes failed, lost and cancelled tasks wait for a worker again; their names. `only` are labels; all where it is empty.
///
/// # Errors
/// A queue that cannot be changed.
pub async fn retry(batch: &Batch, only: &[String]) -> Result<Vec<String>, Failure> {
    batch.check_labels(only)?;
    // By one who may write: which workers are silent is then judged by the queue's own clock.
    let queue = batch.queue(Use::Change).await?;
    let status = status_in(batch, &*queue, true).await?;
    let names = |wanted: &[Shown]| -> Vec<String> {
        let such = |task: &&TaskStatus| wanted.contains(&task.shown) && (only.is_empty() || only.contains(&task.label));
        status.tasks.iter().filter(such).map(|task| task.row.id.clone()).collect()
    };
    let mut again = queue.reset(&names(&[Shown::Failed, Shown::Cancelled])).await?;
    again.extend(queue.free(&names(&[Shown::Lost])).await?);
    queue.close().await;
    Ok(again)
}

/// Takes tasks out that are not finished; their names. `only` are labels; all where it is empty.
///
/// # Errors
/// A queue that cannot be changed.
pub async fn cancel_tasks(batch: &Batch, only: &[String]) -> Result<Vec<String>, Failure> {
    batch.check_labels(only)?;
    let of = |label: &String| only.is_empty() || only.contains(label);
    let ids: Vec<String> = batch.tasks.iter().filter(|task| of(&task.label)).map(|task| task.id.clone()).collect();
    let queue = batch.queue(Use::Change).await?;
    let taken = queue.cancel(&ids).await?;
    queue.close().await;
    Ok(taken)
}
