//! What a task takes, before thousands start.

use crate::configuration::Model;
use crate::folder::Estimate;
use crate::training::Job;
use estimators::mlp;
use shared::failure::{Failure, Kind};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// Epochs that are tried.
const EPOCHS: usize = 3;

/// What there is to take.
#[derive(Debug, Clone)]
pub(crate) struct Limits {
    /// The folder whose disk is meant.
    folder: PathBuf,
    /// Bytes free on that disk; none where artefacts go elsewhere, or it is not known.
    disk: Option<u64>,
    /// Bytes of memory free on this machine, where that is known.
    memory: Option<u64>,
}

impl Limits {
    /// What this machine has, and the disk of a folder.
    pub(crate) fn of(folder: &Path, artefacts_elsewhere: bool) -> Self {
        let free = |folder: &Path| {
            let found = rustix::fs::statvfs(folder).ok()?;
            Some(found.f_bavail.saturating_mul(found.f_frsize))
        };
        let disk = if artefacts_elsewhere { None } else { free(folder) };
        let memory = memory_line("/proc/meminfo", "MemAvailable:");
        Self { folder: folder.to_owned(), disk, memory }
    }
}

/// A value in bytes of a file of the kernel that gives kB.
fn memory_line(path: &str, key: &str) -> Option<u64> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(key))?;
    line.trim().trim_end_matches("kB").trim().parse::<u64>().ok().map(|kb| kb << 10)
}

/// Weights of a perceptron's hidden layers, a measure of its size; 1 for other kinds.
pub(crate) fn weights(model: &Model) -> u64 {
    let Ok(plan) = model.plan() else { return 1 };
    let settings = plan.options::<mlp::Settings>();
    let between: usize = settings.hidden.windows(2).map(|pair| pair[0] * pair[1]).sum();
    ((between + settings.hidden.iter().sum::<usize>()) * settings.members).max(1) as u64
}

/// Trains a task for a few epochs, or to its end where it has none, and says what all of it would take.
///
/// # Errors
/// A training that fails: thousands would fail like it.
pub(crate) fn try_one(job: &Job<'_>) -> Result<Estimate, Failure> {
    let mut short = job.training.clone();
    short.epochs = short.epochs.min(EPOCHS);
    short.early_stop = false;
    let began = Instant::now();
    let mut epochs = 0;
    let mut checkpoint = 0;
    let trained = Job { training: &short, ..*job }.run(None, &mut |step| {
        epochs = step.epochs;
        checkpoint = step.checkpoint().len() as u64;
        ControlFlow::Continue(())
    });
    let trained = trained.map_err(|mut failure| {
        failure.message = format!("a task that was tried fails: {}", failure.message);
        failure
    })?;
    let seconds = began.elapsed().as_secs_f64();
    let files: u64 = trained.iter().flat_map(|trained| trained.files.values()).map(|file| file.len() as u64).sum();
    let times = if epochs == 0 { 1.0 } else { job.training.epochs as f64 / epochs as f64 };
    let kept = match job.training.keep_weights_every {
        0 => 0,
        // Weights alone are about a quarter of a checkpoint.
        every => job.training.epochs as u64 / every as u64 * (checkpoint / 4),
    };
    // The losses of all epochs, as text.
    let losses = trained.iter().flat_map(|trained| &trained.losses).count() as u64 * job.training.epochs as u64 * 60;
    Ok(Estimate {
        task_seconds: seconds * times,
        worker_bytes: memory_line("/proc/self/status", "VmHWM:").unwrap_or(0),
        artefact_bytes: files + checkpoint + kept + losses,
    })
}

/// Refuses what does not fit. `here` is whether workers run on this machine.
///
/// # Errors
/// What is too large, with both sizes.
pub(crate) fn check(estimate: &Estimate, tasks: u64, workers: u64, here: bool, limits: &Limits) -> Result<(), Failure> {
    let mib = |bytes: u64| bytes as f64 / f64::from(1 << 20);
    let artefacts = estimate.artefact_bytes.saturating_mul(tasks);
    if let Some(free) = limits.disk.filter(|free| artefacts > *free) {
        let message = format!(
            "{tasks} tasks of {:.1} MiB take {:.0} MiB, and {:.0} MiB are free",
            mib(estimate.artefact_bytes),
            mib(artefacts),
            mib(free)
        );
        return Err(Failure::new(Kind::AnswerIsNo, message).at(&limits.folder));
    }
    let memory = estimate.worker_bytes.saturating_mul(workers);
    if let Some(free) = limits.memory.filter(|free| here && memory > *free) {
        let message = format!(
            "{workers} workers of {:.0} MiB take {:.0} MiB of memory, and {:.0} MiB are free",
            mib(estimate.worker_bytes),
            mib(memory),
            mib(free)
        );
        return Err(Failure::new(Kind::AnswerIsNo, message).help("take fewer --workers"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_refused_with_both_sizes() {
        let estimate = Estimate { task_seconds: 1.0, worker_bytes: 1 << 30, artefact_bytes: 10 << 20 };
        let limits = Limits { folder: "/batches".into(), disk: Some(1 << 30), memory: Some(4 << 30) };
        assert!(check(&estimate, 100, 4, true, &limits).is_ok());
        let failure = check(&estimate, 1_000, 4, true, &limits).expect_err("too much").to_string();
        assert!(failure.contains("10000 MiB") && failure.contains("1024 MiB are free"), "{failure}");
        let failure = check(&estimate, 100, 5, true, &limits).expect_err("too much").to_string();
        assert!(failure.contains("5 workers"), "{failure}");
        assert!(check(&estimate, 100, 500, false, &limits).is_ok(), "they run elsewhere");
        let unknown = Limits { disk: None, memory: None, ..limits };
        assert!(check(&estimate, 1_000_000, 500, true, &unknown).is_ok(), "what is not known refuses nothing");
        assert!(Limits::of(Path::new("."), false).disk.is_some_and(|free| free > 0));
    }
}
