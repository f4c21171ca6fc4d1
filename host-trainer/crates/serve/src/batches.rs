//! Batches as they stand in their folder. Here they are only read; what works on them are other processes.

use super::blocking::BlockingPool;
use super::error::ApiError;
use batch::Unfinished;
use batch::folder::{self, Batch};
use batch::status::{Counts, Shown, Status, TaskStatus, status};
use shared::failure::Failure;
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Batches that are listed: the last ones.
const LISTED: usize = 100;
/// Batches whose data are offered to others.
const OFFERED: usize = 20;
/// Tasks of one batch that are listed one by one, of those in trouble and of those that run.
pub(crate) const LISTED_TASKS: usize = 50;
/// How long what was read of a batch is believed. A batch may have thousands of results, and every open page asks every few seconds.
pub(crate) const BELIEVED: Duration = Duration::from_secs(3);
/// How long the list believes what was read of a batch of which nothing more will come.
const BELIEVED_OVER: Duration = Duration::from_secs(60);

/// How a batch stands, without its tasks and results; or why that cannot be said.
pub(crate) type Standing = Arc<Result<Status, Failure>>;

/// What lies in the folder.
#[derive(Debug)]
pub(crate) struct List {
    /// The last batches by name, the newest first.
    pub(crate) batches: Vec<(String, Standing)>,
    /// Older ones.
    pub(crate) older: usize,
    /// What lies there and cannot be read.
    pub(crate) wrong: Vec<Failure>,
}

/// One batch: all that is told of it.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) batch: Batch,
    pub(crate) status: Status,
    /// How tasks that run stood when their workers kept them last.
    pub(crate) unfinished: Vec<Unfinished>,
}

impl Told {
    /// Tasks that nothing will come of without somebody's help: failed and lost ones.
    pub(crate) fn trouble(&self) -> impl Iterator<Item = &TaskStatus> {
        self.status.tasks.iter().filter(|task| matches!(task.shown, Shown::Failed | Shown::Lost))
    }

    /// Tasks that run, with what their workers kept last of them.
    pub(crate) fn running(&self) -> impl Iterator<Item = (&TaskStatus, &Unfinished)> {
        let kept: HashMap<&str, &Unfinished> = self.unfinished.iter().map(|one| (one.task.as_str(), one)).collect();
        let running = self.status.tasks.iter().filter(|task| task.shown == Shown::Running);
        running.filter_map(move |task| Some((task, *kept.get(task.row.id.as_str())?)))
    }
}

/// The state of a whole batch: `done` where nothing more will come of it, `running` where a worker has a task, else `waiting`.
pub(crate) fn state(counts: &Counts) -> &'static str {
    match (counts.open(), counts.running) {
        (0, _) => "done",
        (_, 0) => "waiting",
        _ => "running",
    }
}

/// How a batch stands, without its tasks and results.
async fn brief(batch: &Batch) -> Standing {
    let found = status(batch, false).await;
    Arc::new(found.map(|status| Status { tasks: Vec::new(), results: Vec::new(), ..status }))
}

/// The batches of a folder.
#[derive(Debug)]
pub(crate) struct Batches {
    pub(crate) folder: PathBuf,
    pub(crate) blocking: BlockingPool,
    /// What was read, and when. One request reads at a time, and the others take what it found.
    read: Mutex<BTreeMap<String, (Instant, Standing)>>,
}

impl Batches {
    /// The batches of a folder, which need not be there.
    pub(crate) fn new(folder: PathBuf, blocking: BlockingPool) -> Self {
        Self { folder, blocking, read: Mutex::default() }
    }

    async fn folders(&self) -> Result<(Vec<Batch>, Vec<Failure>), ApiError> {
        let folder = self.folder.clone();
        self.blocking.run(move || folder::batches(&folder).map_err(|failure| told(&failure))).await
    }

    /// The batches, and how they stand.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(crate) async fn list(&self) -> Result<List, ApiError> {
        let mut read = self.read.lock().await;
        let (batches, wrong) = self.folders().await?;
        let older = batches.len().saturating_sub(LISTED);
        let mut listed = Vec::new();
        let mut kept = BTreeMap::new();
        for batch in batches.iter().rev().take(LISTED) {
            let name = batch.name();
            let known = read.remove(&name).filter(|(at, standing)| {
                let over = standing.as_ref().as_ref().is_ok_and(|status| status.counts.open() == 0);
                at.elapsed() < if over { BELIEVED_OVER } else { BELIEVED }
            });
            let (at, standing) = match known {
                Some(known) => known,
                None => (Instant::now(), brief(batch).await),
            };
            listed.push((name.clone(), Arc::clone(&standing)));
            kept.insert(name, (at, standing));
        }
        *read = kept;
        Ok(List { batches: listed, older, wrong })
    }

    /// The folder of a batch by its name.
    ///
    /// # Errors
    /// 404 for one that is not there.
    pub(crate) async fn find(&self, name: &str) -> Result<Batch, ApiError> {
        // By comparing names, none of which a client chose: no path is made of what it sent.
        let found = self.folders().await?.0.into_iter().find(|batch| batch.name() == name);
        found.ok_or_else(|| {
            ApiError::not_found(format!("there is no batch `{name}`")).help("GET /v1/batches lists them")
        })
    }

    /// The name of the folder that a failure is about.
    pub(crate) fn name_in(&self, failure: &Failure) -> String {
        let inside = failure.path.as_ref().and_then(|path| path.strip_prefix(&self.folder).ok()?.components().next());
        inside.map_or_else(String::new, |name| name.as_os_str().to_string_lossy().into_owned())
    }

    /// How a batch stands, as it was read at most so long ago.
    ///
    /// # Errors
    /// 404 for one that is not there; a queue that cannot be read.
    pub(crate) async fn standing(&self, name: &str, believed: Duration) -> Result<Status, ApiError> {
        let batch = self.find(name).await?;
        let mut read = self.read.lock().await;
        let known = read.get(name).filter(|(at, _)| at.elapsed() < believed).map(|(_, standing)| Arc::clone(standing));
        let standing = match known {
            Some(known) => known,
            None => {
                let found = brief(&batch).await;
                read.insert(name.to_owned(), (Instant::now(), Arc::clone(&found)));
                found
            }
        };
        standing.as_ref().as_ref().cloned().map_err(told)
    }

    /// Data sets of the last batches, as `BATCH/NAME`, the newest first.
    ///
    /// # Errors
    /// A folder that cannot be listed.
    pub(crate) async fn datasets(&self) -> Result<Vec<String>, ApiError> {
        let (batches, _) = self.folders().await?;
        let of = |batch: &Batch| {
            let name = batch.name();
            let names = batch.content.datasets.values().map(|dataset| format!("{name}/{}", dataset.name));
            names.collect::<Vec<_>>()
        };
        Ok(batches.iter().rev().take(OFFERED).flat_map(of).collect())
    }

    /// A batch by its name, with all that is told of it.
    ///
    /// # Errors
    /// 404 for one that is not there; a queue that cannot be read.
    pub(crate) async fn one(&self, name: &str) -> Result<Told, ApiError> {
        let batch = self.find(name).await?;
        let _one_at_a_time = self.read.lock().await;
        let status = status(&batch, false).await.map_err(|failure| told(&failure))?;
        let unfinished = batch::unfinished(&batch).await.map_err(|failure| told(&failure))?;
        Ok(Told { batch, status, unfinished })
    }
}

/// A failure without the paths of this machine.
pub(crate) fn told(failure: &Failure) -> ApiError {
    ApiError::unprocessable("unreadable_batch", failure.message.clone())
}
