//! `host-trainer batch submit`, `retry` and `cancel`.

use super::place::One;
use crate::cli::engine_args::say_submitted;
use crate::cli::runtime;
use batch::status::{cancel_tasks, retry};
use batch::submit::Submit;
use clap::Args;
use shared::failure::Failure;
use shared::printer::Printer;

/// Start workers on a batch, by the engine that it was generated for.
#[derive(Debug, Args)]
pub(super) struct SubmitCommand {
    #[command(flatten)]
    one: One,
    /// Models whose tasks are worked on [default: all].
    #[arg(value_name = "CLASS.ARCHITECTURE")]
    only: Vec<String>,
    /// Workers [default: the batch's].
    #[arg(long, value_name = "N")]
    workers: Option<u64>,
    /// Workers that run at once [default: all].
    #[arg(long, value_name = "N")]
    throttle: Option<u64>,
    /// Tasks that each worker works on at once.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: u64,
}

impl SubmitCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let batch = self.one.open()?;
        let submit = Submit { only: self.only, workers: self.workers, throttle: self.throttle, jobs: self.jobs };
        say_submitted(&submit.run(&batch)?, printer);
        Ok(())
    }
}

/// Let failed, lost and cancelled tasks be worked on again.
#[derive(Debug, Args)]
pub(super) struct Retry {
    #[command(flatten)]
    one: One,
    /// Models whose tasks are meant [default: all].
    #[arg(value_name = "CLASS.ARCHITECTURE")]
    only: Vec<String>,
}

impl Retry {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let batch = self.one.open()?;
        let again = runtime::block_on(retry(&batch, &self.only))??;
        printer.say(format!("{} tasks wait for a worker again; `batch submit` starts workers", again.len()));
        Ok(())
    }
}

/// Take tasks out that are not finished, and end the workers that were started. Results stay.
#[derive(Debug, Args)]
pub(super) struct Cancel {
    #[command(flatten)]
    one: One,
    /// Models whose tasks are taken out; workers then go on with the others [default: all].
    #[arg(value_name = "CLASS.ARCHITECTURE")]
    only: Vec<String>,
}

impl Cancel {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let batch = self.one.open()?;
        let taken = runtime::block_on(cancel_tasks(&batch, &self.only))??;
        printer.say(format!("{} tasks are cancelled; `batch retry` brings them back", taken.len()));
        if self.only.is_empty() {
            engines::cancel(&batch.job()?)?.iter().for_each(|note| printer.warn(note));
        }
        Ok(())
    }
}
