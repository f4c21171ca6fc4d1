//! `host-trainer networks`: networks that can be measured without having them.

mod list;
mod write;

use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// Well-known networks as ONNX files with random weights, to measure and to predict.
#[derive(Debug, Args)]
pub(super) struct Networks {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Write(write::Write),
}

impl Networks {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        match self.command {
            Command::List(command) => command.run(printer),
            Command::Write(command) => command.run(printer),
        }
    }
}
