//! `host-trainer batch results`, `promote` and `gc`.

use super::place::One;
use crate::cli::runtime;
use crate::output::{Csv, Format, render, score, write};
use batch::folder::Use;
use batch::results::{COLUMNS, ranked, read, rows};
use batch::{gc, promote, results};
use clap::Args;
use registry::Registry;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;

/// Results that a person is shown.
const SHOWN: usize = 20;

/// Show the results of a batch, the best first.
#[derive(Debug, Args)]
pub(super) struct Results {
    #[command(flatten)]
    one: One,
    /// Output file, CSV or Parquet by its name, in place of stdout.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Output format; JSON has the losses of every epoch.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Results {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let batch = self.one.open()?;
        let all = runtime::block_on(async {
            let queue = batch.queue(Use::Look).await?;
            let all = read(&batch, &*queue).await;
            queue.close().await;
            all
        })??;
        let sorted: Vec<_> = ranked(&all).into_iter().cloned().collect();
        if let Some(path) = &self.out {
            results::write(path, &batch, &sorted)?;
            printer.say(format!("{} results in {}", sorted.len(), path.display()));
            return Ok(());
        }
        let human = || {
            let chosen = [
                "task",
                "class",
                "architecture",
                "dataset",
                "training",
                "repeat",
                "score",
                "validation_loss",
                "epochs",
                "seconds",
            ];
            let places: Vec<usize> = chosen.iter().filter_map(|name| COLUMNS.iter().position(|c| c == name)).collect();
            let shown = rows(&batch, &sorted[..sorted.len().min(SHOWN)]);
            let cut = |name: &str, cell: &str| match name {
                "task" => cell.chars().take(12).collect(),
                "score" | "validation_loss" => {
                    cell.parse::<f64>().map_or_else(|_| cell.to_owned(), |x| format!("{x:.4}"))
                }
                "seconds" => cell.parse::<f64>().map_or_else(|_| cell.to_owned(), |x| format!("{x:.1}")),
                _ => cell.to_owned(),
            };
            let table =
                shown.iter().map(|row| places.iter().zip(chosen).map(|(p, name)| cut(name, &row[*p])).collect());
            let mut text = render(&chosen, table.collect(), 5);
            if sorted.len() > SHOWN {
                text += &format!("the {SHOWN} best of {}; all with --format csv\n", sorted.len());
            }
            text
        };
        write(printer, self.format, &sorted, || Csv::text(COLUMNS, rows(&batch, &sorted)), human)
    }
}

/// Take the best model of a batch out of it: into a folder, or into a registry of models.
#[derive(Debug, Args)]
pub(super) struct Promote {
    #[command(flatten)]
    one: One,
    /// Models among which the best is taken [default: all].
    #[arg(value_name = "CLASS.ARCHITECTURE")]
    only: Vec<String>,
    /// Task to take in place of the best, by the first digits of its name.
    #[arg(long, value_name = "TASK")]
    task: Option<String>,
    /// Folder that receives the model.
    #[arg(long, value_name = "DIR", required_unless_present = "store")]
    out: Option<PathBuf>,
    /// Store of a registry that receives the models: a folder, or `s3://…`, `gs://…`, `az://…`, `https://…`.
    #[arg(long, value_name = "URL", env = "HOST_TRAINER_STORE")]
    store: Option<String>,
}

impl Promote {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let batch = self.one.open()?;
        runtime::block_on(async {
            let result = promote::best(&batch, &self.only, self.task.as_deref()).await?;
            let task: String = result.task.chars().take(12).collect();
            let shown = score(Some(result.score));
            printer.say(format!("task {task} of {}: {} {shown}", result.label, result.score_of));
            if let Some(out) = &self.out {
                promote::export(&batch, &result, out).await?;
                printer.say(format!("{} files in {}", result.files.len(), out.display()));
            }
            if let Some(store) = self.store.as_ref().filter(|_| self.out.is_none()) {
                let registry = Registry::open(store)?;
                let registered = promote::register(&batch, &result, &registry).await?;
                let new = registered.iter().filter(|one| one.new).count();
                printer.say(format!(
                    "{new} of {} models are new in {}; `models promote` deploys one",
                    registered.len(),
                    registry.name()
                ));
            }
            Ok(())
        })?
    }
}

/// Remove what a batch does not need any more: checkpoints of finished tasks, and files that no result names.
#[derive(Debug, Args)]
pub(super) struct Gc {
    #[command(flatten)]
    one: One,
    /// Remove the models of all but so many best results of each model, too.
    #[arg(long, value_name = "N")]
    keep: Option<usize>,
    /// Show what would be removed.
    #[arg(long)]
    dry_run: bool,
}

impl Gc {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let batch = self.one.open()?;
        let removed = runtime::block_on(gc::collect(&batch, self.keep, self.dry_run))??;
        let what = if self.dry_run { "would be removed" } else { "removed" };
        printer.say(format!("{what}: {} objects, {} bytes", removed.objects, removed.bytes));
        Ok(())
    }
}
