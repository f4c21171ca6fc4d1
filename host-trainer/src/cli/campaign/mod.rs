//! `host-trainer campaign`: what to measure on a board, and what follows from it.

mod learn;
mod plan;

use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// Plan what to measure on a board, and learn from what `jetson-agent campaign` measured.
#[derive(Debug, Args)]
pub(super) struct Campaign {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Plan(Box<plan::PlanCommand>),
    Learn(Box<learn::Learn>),
}

impl Campaign {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        match self.command {
            Command::Plan(command) => command.run(printer),
            Command::Learn(command) => command.run(printer),
        }
    }
}
