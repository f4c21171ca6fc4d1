//! `host-trainer batch`: many trainings as tasks.

mod add;
mod answer;
mod control;
mod generate;
mod outcome;
pub(super) mod place;
mod show;
mod work;

use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// Train many models as tasks of a batch: here, on other machines, on Slurm or on Kubernetes.
#[derive(Debug, Args)]
pub(super) struct BatchCommand {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Generate(Box<generate::Generate>),
    Add(Box<add::Add>),
    Show(show::Show),
    Submit(control::SubmitCommand),
    Status(show::StatusCommand),
    Retry(control::Retry),
    Cancel(control::Cancel),
    Results(outcome::Results),
    Promote(outcome::Promote),
    Gc(outcome::Gc),
    Work(work::Work),
}

impl BatchCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        match self.action {
            Action::Generate(command) => command.run(printer),
            Action::Add(command) => command.run(printer),
            Action::Show(command) => command.run(printer),
            Action::Submit(command) => command.run(printer),
            Action::Status(command) => command.run(printer),
            Action::Retry(command) => command.run(printer),
            Action::Cancel(command) => command.run(printer),
            Action::Results(command) => command.run(printer),
            Action::Promote(command) => command.run(printer),
            Action::Gc(command) => command.run(printer),
            Action::Work(command) => command.run(printer),
        }
    }
}
