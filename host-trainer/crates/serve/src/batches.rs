//! Batches as they stand in their folder. Here they are only read; what works on them are other processes.

use super::blocking::BlockingPool;
use super::error::ApiError;
use batch::Unfinished;
use batch::folder::{self, Batch};
use batch::status::{Status, status};
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// Batches that are listed: the last ones.
const LISTED: usize = 100;
/// Batches whose data are offered to others.
const OFFERED: usize = 20;
/// How long what was read for the list is believed, of a batch that is worked on and of one of which nothing more will come. A batch
/// may have thousands of results, and every open page asks every few seconds.
const BELIEVED: (Duration, Duration) = (Duration::from_secs(3), Duration::from_secs(60));

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

/// The batches of a folder.
#[derive(Debug)]
pub(crate) struct Batches {
    pub(crate) folder: PathBuf,
    pub(crate) blocking: BlockingPool,
    /// What was read for the list, and when. One request reads at a time, and the others take what it found.
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
                at.elapsed() < if over { BELIEVED.1 } else { BELIEVED.0 }
            });
            let (at, standing) = match known {
                Some(known) => known,
                None => {
                    let found = status(batch, false).await;
                    let brief = found.map(|status| Status { tasks: Vec::new(), results: Vec::new(), ..status });
                    (Instant::now(), Arc::new(brief))
                }
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
        found.ok_or_else(|| ApiError::not_found(format!("there is no batch `{name}`")).help("GET /batches lists them"))
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
