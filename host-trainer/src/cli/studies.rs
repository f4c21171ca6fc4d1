//! `host-trainer studies`: what studies there are and how they stand.

use super::Format;
use super::table::{csv, figure, render};
use super::tune::place::{Place, failure};
use super::tune::{best_of, print};
use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// List, show and delete studies.
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
        /// How the answer is written to stdout.
        #[arg(long, value_enum, default_value_t)]
        format: Format,
    },
    /// Show a study with its trials.
    Show {
        /// The study.
        name: String,
        #[command(flatten)]
        place: Place,
        /// How the answer is written to stdout.
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
}

impl StudiesCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let runtime = super::runtime::build()?;
        match self.action {
            Action::List { place, format } => {
                let (studies, location) = place.open(&runtime, printer)?;
                let listed = runtime.block_on(async {
                    let mut listed = Vec::new();
                    for study in studies.list().await? {
                        let progress = studies.progress(&study.name).await?;
                        listed.push((study, progress));
                    }
                    Ok(listed)
                });
                let listed = listed.map_err(|e| failure(&location, &e))?;
                let header = ["study", "sampler", "pruner", "trials", "finished", "running", "best"];
                let rows = listed.iter().map(|(study, progress)| {
                    vec![
                        study.name.clone(),
                        study.specification.sampler.name().to_owned(),
                        study.specification.pruner.name().to_owned(),
                        study.trials.to_string(),
                        progress.counts.finished().to_string(),
                        progress.counts.running.to_string(),
                        figure(progress.best.as_ref().and_then(|best| best.value), 6),
                    ]
                });
                match format {
                    Format::Human => printer.data(&render(&header, rows.collect(), 3)),
                    Format::Csv => printer.data(&csv(&header, &rows.collect::<Vec<_>>())?),
                    Format::Json => {
                        let documents = listed.iter().map(|(study, progress)| {
                            serde_json::json!({ "study": study.name, "created_ms": study.created_ms, "progress": progress })
                        });
                        let json = serde_json::to_string_pretty(&documents.collect::<Vec<_>>());
                        printer.data(&format!("{}\n", json.map_err(|e| Failure::data(e.to_string()))?))
                    }
                }
            }
            Action::Show { name, place, format } => {
                let (studies, location) = place.open(&runtime, printer)?;
                let shown = runtime.block_on(async { Ok((studies.study(&name).await?, studies.trials(&name).await?)) });
                let (study, trials) = shown.map_err(|e| failure(&location, &e))?;
                print(&study, &trials, best_of(&trials), format, printer)
            }
            Action::Delete { name, place } => {
                let (studies, location) = place.open(&runtime, printer)?;
                runtime.block_on(studies.delete(&name)).map_err(|e| failure(&location, &e))?;
                printer.say(format!("study {name} is deleted"));
                Ok(())
            }
        }
    }
}
