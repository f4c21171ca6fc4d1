//! `host-trainer campaign`: what to measure on a board, how it is measured over ssh, and what follows from it.

mod learn;
mod plan;
mod run;

use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// Plan what to measure on a board, measure it over ssh, and learn from what was measured.
#[derive(Debug, Args)]
pub(super) struct Campaign {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(Box<plan::PlanCommand>),
    Run(Box<run::Run>),
    Learn(Box<learn::Learn>),
}

impl Campaign {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        match self.command {
            Command::Plan(command) => command.run(printer),
            Command::Run(command) => command.run(printer),
            Command::Learn(command) => command.run(printer),
        }
    }
}
