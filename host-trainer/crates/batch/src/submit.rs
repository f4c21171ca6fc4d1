//! Workers for a batch, by the engine that it was generated for.

use crate::folder::{BATCH_FILE, Batch, Keeper};
use engines::{Engine, Family, Job, Submission, published};
use shared::failure::Failure;

/// What engines are told of batches.
pub(crate) const FAMILY: Family = Family {
    noun: "batch",
    units: "tasks",
    folder: "batches",
    work: ["batch", "work"],
    submit: ["batch", "submit"],
    submit_arguments: ": all of it, or the models that are named (CLASS.ARCHITECTURE)",
    header: BATCH_FILE,
    stops: "keeps where it is and hands its task back",
    takes_grace: true,
    help_pods: "keep tasks and artefacts elsewhere: --queue and --artefacts",
    help_hosts: "generate it with --queue postgres://… or --queue s3://… and --artefacts",
};

/// What is to be started.
#[derive(Debug, Clone, Default)]
pub struct Submit {
    /// Labels of the tasks that workers take; all where it is empty.
    pub only: Vec<String>,
    /// Workers; the batch's own number where it is none.
    pub workers: Option<u64>,
    /// Workers that run at once; all where it is none.
    pub throttle: Option<u64>,
    /// Tasks that each worker works on at once.
    pub jobs: u64,
}

impl Batch {
    /// What a worker without the folder is given: the store's URL and the batch's name in it.
    #[must_use]
    pub fn published(&self) -> String {
        published::place(&self.header.artefacts, &self.header.id)
    }

    /// The batch as an engine knows it.
    ///
    /// # Errors
    /// An engine that this version does not know.
    pub fn job(&self) -> Result<Job, Failure> {
        let header = &self.header;
        let elsewhere = matches!(header.queue, Keeper::Postgres(_) | Keeper::Store(_));
        Ok(Job {
            family: &FAMILY,
            root: self.root.clone(),
            name: header.name.clone(),
            id: header.id.clone(),
            label: self.name_for_engines(),
            engine: header.engine.parse().map_err(Failure::data)?,
            workers: header.workers,
            on_one_disk: !elsewhere,
            published: (elsewhere && header.artefacts.contains("://")).then(|| self.published()),
            environment: Vec::new(),
        })
    }
}

/// Ends the workers that were started, as far as they can be reached from here; what could not be is told. They hand their tasks
/// back, for workers that are started later.
///
/// # Errors
/// An engine that refuses.
pub fn stop(batch: &Batch) -> Result<Vec<String>, Failure> {
    engines::cancel(&batch.job()?)
}

impl Submit {
    /// Starts workers by the engine that the batch was generated for, and keeps a record of it in the folder.
    ///
    /// # Errors
    /// Labels that no model has, an engine that is not here or refuses.
    pub fn run(&self, batch: &Batch) -> Result<Submission, Failure> {
        batch.check_labels(&self.only)?;
        let job = batch.job()?;
        let workers = self.workers.unwrap_or(job.workers).max(1);
        let mut arguments: Vec<String> =
            self.only.iter().flat_map(|only| ["--only".to_owned(), only.clone()]).collect();
        if self.jobs > 1 {
            arguments.extend(["--jobs".to_owned(), self.jobs.to_string()]);
        }
        if job.engine == Engine::Kubernetes && !self.only.is_empty() {
            return Err(Failure::usage("a manifest is for the whole batch")
                .help("add `--only CLASS.ARCHITECTURE` to the arguments in kubernetes/job-indexed.yaml"));
        }
        let started = engines::start(&job, workers, self.throttle, &arguments)?;
        engines::record(&batch.root, workers, &self.only, started)
    }
}
