//! `host-trainer studies`: what studies there are, how they stand, and who works on them.

mod control;
mod work;

use super::tune::engine::TunesArg;
use super::tune::place::{Place, failure};
use super::tune::print;
use crate::output::{self, Csv, Format, figure, render};
use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;
use tune::folder::StudyFolder;
use tune::search::best_of;
use tune::studies::{Progress, Study};

/// List, show and delete studies; start and end workers on those that engines work on.
#[derive(Debug, Args)]
pub(super) struct StudiesCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List all studies, the newest first.
    List {
        #[command(flatten)]
        place: Place,
        /// Output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show a study with its trials.
    Show {
        /// The study, or its folder.
        name: String,
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        tunes: TunesArg,
        /// Do not ask the engine for its jobs.
        #[arg(long)]
        no_engine: bool,
        /// Output format.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Delete a study with its trials.
    Delete {
        /// The study.
        name: String,
        #[command(flatten)]
        place: Place,
    },
    Submit(control::Submit),
    Cancel(control::Cancel),
    Work(work::Work),
}

impl StudiesCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let runtime = super::runtime::build()?;
        match self.action {
            Action::Submit(command) => command.run(printer),
            Action::Cancel(command) => command.run(printer),
            Action::Work(command) => command.run(runtime, printer),
            Action::List { place, format } => {
                let (studies, location) = place.read(&runtime, printer)?;
                let listed = runtime.block_on(async {
                    let mut listed = Vec::new();
                    for study in studies.list().await? {
                        let progress = studies.progress(&study.name).await?;
                        listed.push((study, progress));
                    }
                    studies.close().await;
                    Ok(listed)
                });
                let listed = listed.map_err(|e| failure(&location, e))?;
                let header = ["study", "sampler", "pruner", "trials", "finished", "running", "best"];
                let row = |(study, progress): &(Study, Progress)| {
                    vec![
                        study.name.clone(),
                        study.specification.sampler.name().to_owned(),
                        study.specification.pruner.name().to_owned(),
                        study.trials.to_string(),
                        progress.counts.finished().to_string(),
                        progress.counts.running.to_string(),
                        figure(progress.best.as_ref().and_then(|best| best.value), 6),
                    ]
                };
                let documents = listed.iter().map(|(study, progress)| {
                    serde_json::json!({ "study": study.name, "created_ms": study.created_ms, "progress": progress })
                });
                output::write(
                    printer,
                    format,
                    &documents.collect::<Vec<_>>(),
                    || Csv::text(header, listed.iter().map(row)),
                    || render(&header, listed.iter().map(row).collect(), 3),
                )
            }
            Action::Show { name, place, tunes, no_engine, format } => {
                let folder = StudyFolder::look(&tunes.tunes, &name)?;
                let name = folder.as_ref().map_or(name, |folder| folder.header.name.clone());
                let (studies, location) = place.or(folder.as_ref()).read(&runtime, printer)?;
                let shown = runtime.block_on(async {
                    let shown = (studies.study(&name).await?, studies.trials(&name).await?);
                    studies.close().await;
                    Ok(shown)
                });
                let (study, trials) = shown.map_err(|e| failure(&location, e))?;
                if let Some(folder) = &folder {
                    control::say_workers(folder, !no_engine, printer)?;
                }
                print(&study, &trials, best_of(&trials), format, printer)
            }
            Action::Delete { name, place } => {
                let (studies, location) = place.open(&runtime, printer)?;
                let deleted = runtime.block_on(async {
                    let deleted = studies.delete(&name).await;
                    studies.close().await;
                    deleted
                });
                deleted.map_err(|e| failure(&location, e))?;
                printer.say(format!("study {name} is deleted"));
                Ok(())
            }
        }
    }
}
