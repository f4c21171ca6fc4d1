//! Processes of this machine.

use crate::command::succeed;
use crate::job::Job;
use shared::failure::{Failure, Kind};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Where a worker's messages go, by its number from 1.
#[must_use]
pub fn log(root: &Path, worker: u64) -> PathBuf {
    root.join("logs").join(format!("local-{worker}.log"))
}

/// Starts workers as processes of their own, which go on when this one ends.
///
/// # Errors
/// A program that cannot be run, or a log that cannot be written.
pub fn start(job: &Job, workers: u64, arguments: &[String]) -> Result<Vec<Child>, Failure> {
    use std::os::unix::process::CommandExt;
    let program = std::env::current_exe().map_err(|e| Failure::new(Kind::Io, format!("the program: {e}")))?;
    let logs = job.root.join("logs");
    std::fs::create_dir_all(&logs).map_err(|e| Failure::io(&logs, "create", &e))?;
    let mut processes = Vec::new();
    for worker in 1..=workers {
        let path = log(&job.root, worker);
        let open =
            || File::options().create(true).append(true).open(&path).map_err(|e| Failure::io(&path, "write", &e));
        let child = Command::new(&program)
            .args(job.family.work)
            .arg(&job.root)
            .args(arguments)
            .envs(job.environment.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(open()?)
            .stderr(open()?)
            .process_group(0)
            .spawn()
            .map_err(|e| Failure::new(Kind::Io, format!("a worker cannot be started: {e}")))?;
        processes.push(child);
    }
    Ok(processes)
}

/// Asks a process to stop.
///
/// # Errors
/// A machine without `kill`, or a process that is gone.
pub fn stop(process: u32) -> Result<(), Failure> {
    succeed("kill", &["-TERM".to_owned(), process.to_string()], "install a shell").map(drop)
}

/// Whether a process is a worker of a folder. Its number may be another process's by now.
pub(crate) fn is_worker_of(process: u32, root: &Path) -> bool {
    let arguments = std::fs::read_to_string(format!("/proc/{process}/cmdline")).unwrap_or_default();
    let words: Vec<&str> = arguments.split('\0').collect();
    let folder = |word: &&str| Path::new(word).canonicalize().is_ok_and(|path| path == root);
    words.contains(&"work") && words.iter().any(folder)
}
