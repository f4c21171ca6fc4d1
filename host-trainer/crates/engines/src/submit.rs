//! Starting workers, and the record of what was started.

use crate::choice::Engine;
use crate::documents::{document, keep_numbered};
use crate::job::Job;
use crate::owner::host;
use crate::{kubernetes, local, slurm, ssh};
use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use shared::fs::read_capped;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

const FOLDER: &str = "submissions";

/// What was started, as an engine names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Started {
    /// Processes of this machine, by number.
    Processes(Vec<u32>),
    /// A job of Slurm, by number.
    Slurm(String),
    /// A job of Kubernetes, by name.
    Kubernetes(String),
    /// Processes of other machines, `host/number`.
    Ssh(Vec<String>),
}

/// A submission.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Submission {
    /// When, in milliseconds since 1970.
    pub at_ms: i64,
    /// Workers.
    pub workers: u64,
    /// Labels of the tasks that they take; all where it is empty.
    pub only: Vec<String>,
    /// The machine that submitted.
    pub host: String,
    /// What was started.
    pub started: Started,
}

impl Started {
    /// What was started, for people.
    #[must_use]
    pub fn describe(&self, workers: u64) -> String {
        match self {
            Self::Processes(processes) => format!("{} processes on this machine", processes.len()),
            Self::Slurm(job) => format!("Slurm job {job}, {workers} workers"),
            Self::Kubernetes(job) => format!("Kubernetes job {job}, {workers} workers"),
            Self::Ssh(processes) => format!("{} processes by ssh", processes.len()),
        }
    }
}

/// Starts workers by the job's engine. `throttle` is how many run at once; all where it is none.
///
/// # Errors
/// An engine that is not here or refuses.
pub fn start(job: &Job, workers: u64, throttle: Option<u64>, arguments: &[String]) -> Result<Started, Failure> {
    Ok(match &job.engine {
        Engine::Local => {
            let children = local::start(job, throttle.unwrap_or(workers).min(workers), arguments)?;
            let numbers = children.iter().map(std::process::Child::id).collect();
            // A server that starts workers lives longer than they do: somebody has to take note of their end.
            std::thread::spawn(|| children.into_iter().for_each(|mut child| drop(child.wait())));
            Started::Processes(numbers)
        }
        Engine::Slurm => Started::Slurm(slurm::submit(job, workers, throttle, arguments)?),
        Engine::Kubernetes => {
            kubernetes::apply(job)?;
            Started::Kubernetes(job.label.clone())
        }
        Engine::Ssh(hosts) => {
            // Hosts get workers in turn.
            let share = |place: u64| workers / hosts.len() as u64 + u64::from(place < workers % hosts.len() as u64);
            let mut processes = Vec::new();
            for (place, host) in hosts.iter().enumerate() {
                processes.extend(ssh::start(job, host, share(place as u64), arguments)?);
            }
            Started::Ssh(processes)
        }
    })
}

/// Keeps a record of what was started in the folder. `only` are labels of tasks.
///
/// # Errors
/// A folder that cannot be written.
pub fn record(root: &Path, workers: u64, only: &[String], started: Started) -> Result<Submission, Failure> {
    let at_ms = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as i64);
    let submission = Submission { at_ms, workers, only: only.to_vec(), host: host(), started };
    keep_numbered(&root.join(FOLDER), &document(&submission)?)?;
    Ok(submission)
}

/// All submissions of a folder, in their order.
///
/// # Errors
/// A record that cannot be read.
pub fn submissions(root: &Path) -> Result<Vec<Submission>, Failure> {
    let folder = root.join(FOLDER);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &PathBuf| {
        let content = read_capped(path, shared::limits::SMALL_FILE_BYTES)?;
        serde_json::from_slice(&content)
            .map_err(|e| Failure::data(format!("is no submission: {e}")).at(path).caused_by(e))
    };
    paths.iter().map(read).collect()
}

/// Ends what was started, as far as it still runs and can be reached from here; what could not be is told.
///
/// # Errors
/// An engine that refuses.
pub fn cancel(job: &Job) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    let here = host();
    let root = job.root.canonicalize().unwrap_or_else(|_| job.root.clone());
    for submission in submissions(&job.root)? {
        match &submission.started {
            Started::Slurm(number) => slurm::cancel(std::slice::from_ref(number))?,
            Started::Kubernetes(_) => kubernetes::delete(job)?,
            Started::Ssh(processes) => ssh::stop(processes)?,
            Started::Processes(_) if submission.host != here => {
                notes.push(format!("workers were started on {}; cancel there to end them", submission.host));
            }
            Started::Processes(processes) => {
                for process in processes.iter().filter(|process| local::is_worker_of(**process, &root)) {
                    local::stop(*process)?;
                }
            }
        }
    }
    Ok(notes)
}
