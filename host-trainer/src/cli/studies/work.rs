//! `host-trainer studies work`: a worker.

use crate::cli::tune::engine::TunesArg;
use crate::cli::tune::place::{self, Place};
use crate::cli::tune::work::{Job, work};
use clap::Args;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tune::folder::StudyFolder;

/// Work on a study from its folder until it is done. Any number of workers may do so at once; engines start them.
#[derive(Debug, Args)]
pub(super) struct Work {
    /// The study's folder, its name, or what a manifest names.
    #[arg(value_name = "STUDY")]
    study: String,
    #[command(flatten)]
    tunes: TunesArg,
    #[command(flatten)]
    place: Place,
    /// Folder for what is fetched of a study in a store [default: a temporary one].
    #[arg(long, value_name = "DIR", env = "HOST_TRAINER_BATCH_CACHE")]
    cache: Option<PathBuf>,
}

impl Work {
    pub(super) fn run(self, runtime: Runtime, printer: &Printer) -> Result<(), Failure> {
        let temporary = tempfile::tempdir().map_err(|e| Failure::new(Kind::Io, format!("a temporary folder: {e}")))?;
        let cache = self.cache.clone().unwrap_or_else(|| temporary.path().to_owned());
        let (folder, subject) = runtime.block_on(async {
            let folder = StudyFolder::fetch(&self.tunes.tunes, &self.study, &cache).await?;
            let subject = folder.subject().await?;
            Ok::<_, Failure>((folder, subject))
        })?;
        let header = &folder.header;
        let lease = Duration::try_from_secs_f64(header.lease_s)
            .map_err(|e| Failure::data(format!("the lease of {} s: {e}", header.lease_s)).at(&folder.root))?
            .max(Duration::from_millis(100));
        let location = self.place.or(Some(&folder)).location(printer)?;
        let studies = place::make(&location, &runtime)?;
        let done = runtime.block_on(async {
            let study = studies.create(&header.name, &folder.specification, header.trials).await?;
            let job = Job { objective: Arc::clone(&subject.objective), jobs: header.jobs, lease };
            work(&studies, &study, job, printer).await
        });
        // Whatever still computes has been released; waiting for it would only delay the end.
        runtime.shutdown_background();
        done.map(drop).map_err(|e| e.into_failure(&location))
    }
}
