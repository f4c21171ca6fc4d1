//! `host-trainer studies submit` and `cancel`, and what `show` says of workers.

use crate::cli::engine_args::say_submitted;
use crate::cli::tune::engine::TunesArg;
use crate::cli::tune::local::environment;
use crate::cli::tune::place::Place;
use clap::Args;
use engines::Started;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use tune::folder::StudyFolder;

/// Start workers on a study, by the engine that `tune --on` named.
#[derive(Debug, Args)]
pub(super) struct Submit {
    /// The study's folder, or its name.
    #[arg(value_name = "STUDY")]
    study: String,
    #[command(flatten)]
    tunes: TunesArg,
    #[command(flatten)]
    place: Place,
    /// Workers [default: the study's].
    #[arg(long, value_name = "N")]
    workers: Option<u64>,
    /// Workers that run at once [default: all].
    #[arg(long, value_name = "N")]
    throttle: Option<u64>,
}

impl Submit {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let folder = StudyFolder::find(&self.tunes.tunes, &self.study)?;
        let job = folder.job(environment(self.place.or(Some(&folder)).text()))?;
        let workers = self.workers.unwrap_or(job.workers).max(1);
        let started = engines::start(&job, workers, self.throttle, &[])?;
        say_submitted(&engines::record(&folder.root, workers, &[], started)?, printer);
        Ok(())
    }
}

/// End the workers that were started on a study. Their trials are handed back; the study and its results stay.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    /// The study's folder, or its name.
    #[arg(value_name = "STUDY")]
    study: String,
    #[command(flatten)]
    tunes: TunesArg,
}

impl Cancel {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let folder = StudyFolder::find(&self.tunes.tunes, &self.study)?;
        engines::cancel(&folder.job(Vec::new())?)?.iter().for_each(|note| printer.warn(note));
        printer.say("workers are told to stop; `studies submit` starts others");
        Ok(())
    }
}

/// Says what was started on a study, and with `ask` how Slurm's jobs stand.
pub(super) fn say_workers(folder: &StudyFolder, ask: bool, printer: &Printer) -> Result<(), Failure> {
    let submissions = engines::submissions(&folder.root)?;
    let mut jobs = BTreeSet::new();
    for submission in &submissions {
        say_submitted(submission, printer);
        if let Started::Slurm(job) = &submission.started {
            jobs.insert(job.clone());
        }
    }
    if ask && !jobs.is_empty() {
        match engines::slurm_states(&jobs) {
            Ok(found) => {
                found.notes.iter().for_each(|note| printer.warn(note));
                let states: Vec<String> =
                    found.counts().iter().map(|(state, count)| format!("{count} {state}")).collect();
                printer.say(format!("Slurm: {}", states.join(", ")));
            }
            // The study is known without it.
            Err(failure) => printer.warn(failure.to_string()),
        }
    }
    Ok(())
}
