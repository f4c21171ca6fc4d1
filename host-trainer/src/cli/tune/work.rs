//! Works on a study until it is done or somebody interrupts, and shows how far it is meanwhile.

use super::place::failure;
use crate::cli::{progress, runtime};
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use tune::studies::{Location, Progress, Studies, Study, StudyError, Trial};
use tune::worker::{Objective, Worker, owner};

/// How often progress is looked at.
pub(super) const LOOK: Duration = Duration::from_millis(300);

/// What this process does for a study.
pub(in crate::cli) struct Job {
    /// What is minimised.
    pub(in crate::cli) objective: Arc<dyn Objective>,
    /// Trials worked on at once.
    pub(in crate::cli) jobs: usize,
    /// How long a trial stays with a worker that falls silent.
    pub(in crate::cli) lease: Duration,
}

/// Works until the study is done, and gives it with its trials.
pub(in crate::cli) async fn work(
    studies: &Studies,
    study: &Study,
    job: Job,
    printer: &Printer,
) -> Result<(Study, Vec<Trial>), Stopped> {
    let worker = Worker {
        studies: studies.clone(),
        study: study.clone(),
        objective: job.objective,
        owner: owner(),
        lease: job.lease,
        jobs: job.jobs,
    };
    printer.say(format!("study {}: {} trials by {}", study.name, study.trials, study.specification.sampler.name()));
    let stop = CancellationToken::new();
    let (interrupted, shown) = (runtime::interrupted()?, show(studies, study, printer));
    let result = {
        let run = worker.run(&stop);
        tokio::pin!(run, interrupted, shown);
        loop {
            tokio::select! {
                done = &mut run => break done,
                () = &mut interrupted, if !stop.is_cancelled() => stop.cancel(),
                () = &mut shown, if !stop.is_cancelled() => {}
            }
        }
    };
    result?;
    let trials = studies.trials(&study.name).await?;
    studies.close().await;
    if stop.is_cancelled() {
        return Err(Stopped::Interrupted);
    }
    Ok((study.clone(), trials))
}

/// Why there is no answer.
pub(in crate::cli) enum Stopped {
    Interrupted,
    Failure(Failure),
    Studies(StudyError),
}

impl From<StudyError> for Stopped {
    fn from(error: StudyError) -> Self {
        Self::Studies(error)
    }
}

impl From<Failure> for Stopped {
    fn from(failure: Failure) -> Self {
        Self::Failure(failure)
    }
}

impl Stopped {
    pub(in crate::cli) fn into_failure(self, location: &Location) -> Failure {
        match self {
            Self::Interrupted => Failure::new(Kind::Interrupted, "interrupted; trials in hand were released")
                .help("the same command goes on with the study"),
            Self::Failure(failure) => failure,
            Self::Studies(error) => failure(location, error),
        }
    }
}

/// Shows how far a study is, for as long as it is polled.
pub(super) async fn show(studies: &Studies, study: &Study, printer: &Printer) {
    let bar = progress::bar(printer, study.trials, "trials");
    let mut last: Option<Progress> = None;
    // What the database says wrong here, it says to the worker as well.
    while let Ok(now) = studies.changed(&study.name, last.as_ref(), LOOK).await {
        bar.set_length(now.trials);
        bar.set_position(now.counts.finished());
        if let Some((best, value)) = now.best.as_ref().and_then(|best| Some((best, best.value?))) {
            bar.set_message(format!("best {value:.6} (trial {})", best.number));
            let improved =
                last.as_ref().and_then(|last| last.best.as_ref()).is_none_or(|old| old.number != best.number);
            if improved && !printer.shows_progress() {
                let finished = now.counts.finished();
                printer.say(format!("{finished}/{} trials; best so far {value:.6}, trial {}", now.trials, best.number));
            }
        }
        if now.is_done() {
            break;
        }
        last = Some(now);
    }
    bar.finish_and_clear();
    std::future::pending::<()>().await;
}
