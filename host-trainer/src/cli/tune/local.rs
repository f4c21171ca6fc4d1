//! Processes of this machine that work on a study, waited for.

use super::place::VARIABLE;
use super::work::{LOOK, Stopped, show};
use crate::cli::engine_args::say_submitted;
use crate::cli::runtime;
use engines::{Job, Started, local};
use shared::failure::{Failure, Kind, printable};
use shared::printer::Printer;
use std::path::Path;
use std::process::Child;
use tune::studies::{Studies, Study, Trial};

/// What workers that inherit this process's variables get besides: the database, which may hold a password.
pub(in crate::cli) fn environment(database: &str) -> Vec<(String, String)> {
    vec![(VARIABLE.to_owned(), database.to_owned())]
}

/// Starts workers and waits until the study is done. Whoever interrupts has them hand their trials back.
pub(super) async fn work(
    studies: &Studies,
    study: &Study,
    job: &Job,
    workers: u64,
    printer: &Printer,
) -> Result<(Study, Vec<Trial>), Stopped> {
    let (interrupted, shown) = (runtime::interrupted()?, show(studies, study, printer));
    let children = local::start(job, workers, &[])?;
    let processes = children.iter().map(Child::id).collect();
    say_submitted(&engines::record(&job.root, workers, &[], Started::Processes(processes))?, printer);
    let mut running: Vec<(u64, Child)> = (1..).zip(children).collect();
    let mut stopped = false;
    {
        // Gone before the connections are closed: one that is still being waited for would never come back.
        tokio::pin!(interrupted, shown);
        while !running.is_empty() {
            tokio::select! {
                () = &mut interrupted, if !stopped => {
                    stopped = true;
                    // One that has ended meanwhile needs nothing more.
                    running.iter().for_each(|(_, child)| drop(local::stop(child.id())));
                }
                () = &mut shown, if !stopped => {}
                () = tokio::time::sleep(LOOK) => {
                    running.retain_mut(|(worker, child)| is_running(&job.root, *worker, child, stopped, printer));
                }
            }
        }
    }
    let progress = studies.progress(&study.name).await?;
    let trials = studies.trials(&study.name).await?;
    studies.close().await;
    if stopped {
        return Err(Stopped::Interrupted);
    }
    if !progress.is_done() {
        return Err(unfinished(&job.root, workers, progress.counts.finished(), progress.trials).into());
    }
    Ok((study.clone(), trials))
}

/// Whether a worker is still there. One that ended badly though nobody stopped it is told of.
fn is_running(root: &Path, worker: u64, child: &mut Child, stopped: bool, printer: &Printer) -> bool {
    match child.try_wait() {
        Ok(None) => true,
        Ok(Some(status)) => {
            if !stopped && !status.success() {
                printer.warn(format!("worker {worker} ended: {status}; {}", local::log(root, worker).display()));
            }
            false
        }
        Err(e) => {
            printer.warn(format!("worker {worker} cannot be waited for: {e}"));
            false
        }
    }
}

/// All workers have ended and trials are left.
fn unfinished(root: &Path, workers: u64, finished: u64, trials: u64) -> Failure {
    let last_words = (1..=workers).find_map(|worker| {
        let path = local::log(root, worker);
        let text = std::fs::read_to_string(&path).ok()?;
        let line = text.lines().rev().find(|line| !line.trim().is_empty())?;
        Some(format!("{} ends with: {}", path.display(), printable(line)))
    });
    let failure =
        Failure::new(Kind::Io, format!("all workers have ended, and {finished} of {trials} trials are finished"));
    failure.help(last_words.unwrap_or_else(|| "the same command goes on with the study".to_owned()))
}
