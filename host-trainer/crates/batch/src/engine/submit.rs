//! Starting workers, and the record of what was started.

use super::choice::Engine;
use super::{kubernetes, slurm, ssh};
use crate::documents::{document, keep_numbered};
use crate::folder::Batch;
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use std::fs::File;
use std::process::{Command, Stdio};
use std::time::UNIX_EPOCH;

const FOLDER: &str = "submissions";

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

/// What was started, as an engine names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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

impl Submit {
    /// Starts workers by the engine that the batch was generated for, and keeps a record of it in the folder.
    ///
    /// # Errors
    /// Labels that no model has, an engine that is not here or refuses.
    pub fn run(&self, batch: &Batch) -> Result<Submission, Failure> {
        crate::worker::check_labels(batch, &self.only)?;
        let engine: Engine = batch.header.engine.parse().map_err(Failure::data)?;
        let workers = self.workers.unwrap_or(batch.header.workers).max(1);
        let mut arguments: Vec<String> =
            self.only.iter().flat_map(|only| ["--only".to_owned(), only.clone()]).collect();
        if self.jobs > 1 {
            arguments.extend(["--jobs".to_owned(), self.jobs.to_string()]);
        }
        let started = match &engine {
            Engine::Local => {
                Started::Processes(local(batch, self.throttle.unwrap_or(workers).min(workers), &arguments)?)
            }
            Engine::Slurm => Started::Slurm(slurm::submit(batch, workers, self.throttle, &arguments)?),
            Engine::Kubernetes if !self.only.is_empty() => {
                return Err(Failure::usage("a manifest is for the whole batch")
                    .help("add `--only CLASS.ARCHITECTURE` to the arguments in kubernetes/job-indexed.yaml"));
            }
            Engine::Kubernetes => {
                kubernetes::apply(batch)?;
                Started::Kubernetes(batch.name_for_engines())
            }
            Engine::Ssh(hosts) => {
                // Hosts get workers in turn.
                let share = |place: u64| workers / hosts.len() as u64 + u64::from(place < workers % hosts.len() as u64);
                let mut processes = Vec::new();
                for (place, host) in hosts.iter().enumerate() {
                    processes.extend(ssh::start(batch, host, share(place as u64), &arguments)?);
                }
                Started::Ssh(processes)
            }
        };
        let owner = tune::leases::owner();
        let host = owner.split(':').next().unwrap_or_default().to_owned();
        let at_ms = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_millis() as i64);
        let submission = Submission { at_ms, workers, only: self.only.clone(), host, started };
        keep_numbered(&batch.root.join(FOLDER), &document(&submission)?)?;
        Ok(submission)
    }
}

/// Starts workers as processes of their own, which go on when this one ends.
fn local(batch: &Batch, workers: u64, arguments: &[String]) -> Result<Vec<u32>, Failure> {
    use std::os::unix::process::CommandExt;
    let program = std::env::current_exe().map_err(|e| Failure::new(Kind::Io, format!("the program: {e}")))?;
    let logs = batch.root.join("logs");
    std::fs::create_dir_all(&logs).map_err(|e| Failure::io(&logs, "create", &e))?;
    let mut processes = Vec::new();
    for worker in 1..=workers {
        let path = logs.join(format!("local-{worker}.log"));
        let open =
            || File::options().create(true).append(true).open(&path).map_err(|e| Failure::io(&path, "write", &e));
        let child = Command::new(&program)
            .args(["batch", "work"])
            .arg(&batch.root)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            .process_group(0)
            .spawn()
            .map_err(|e| Failure::new(Kind::Io, format!("a worker cannot be started: {e}")))?;
        processes.push(child.id());
    }
    Ok(processes)
}

/// All submissions of a batch, in their order.
///
/// # Errors
/// A record that cannot be read.
pub fn submissions(batch: &Batch) -> Result<Vec<Submission>, Failure> {
    let folder = batch.root.join(FOLDER);
    let Ok(entries) = std::fs::read_dir(&folder) else { return Ok(Vec::new()) };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "json"));
    paths.sort();
    let read = |path: &std::path::PathBuf| {
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
pub fn cancel(batch: &Batch) -> Result<Vec<String>, Failure> {
    let mut notes = Vec::new();
    let owner = tune::leases::owner();
    let here = owner.split(':').next().unwrap_or_default();
    let root = batch.root.canonicalize().unwrap_or_else(|_| batch.root.clone()).display().to_string();
    for submission in submissions(batch)? {
        match &submission.started {
            Started::Slurm(job) => slurm::cancel(std::slice::from_ref(job))?,
            Started::Kubernetes(_) => kubernetes::delete(batch)?,
            Started::Ssh(processes) => ssh::stop(processes)?,
            Started::Processes(_) if submission.host != here => {
                notes.push(format!("workers were started on {}; cancel there to end them", submission.host));
            }
            Started::Processes(processes) => {
                for process in processes {
                    // A number may be another process's by now.
                    let arguments = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
                    let words: Vec<&str> = arguments.split('\0').collect();
                    let folder = |word: &&str| {
                        std::path::Path::new(word).canonicalize().is_ok_and(|path| path.display().to_string() == root)
                    };
                    if words.contains(&"work") && words.iter().any(folder) {
                        let number = ["-TERM".to_owned(), process.to_string()];
                        super::command::succeed("kill", &number, "install a shell")?;
                    }
                }
            }
        }
    }
    Ok(notes)
}
