//! `host-trainer boards`: what is public about boards and their modes, and times of whole networks on them.

mod list;
mod modes;
mod times;

use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// Boards, their power modes, and times of networks at other clocks and on other boards.
#[derive(Debug, Args)]
pub(super) struct Boards {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    List(list::List),
    Modes(modes::Modes),
    Clocks(times::ClocksCommand),
    Transfer(times::TransferCommand),
}

impl Boards {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        match self.command {
            Command::List(command) => command.run(printer),
            Command::Modes(command) => command.run(printer),
            Command::Clocks(command) => command.run(printer),
            Command::Transfer(command) => command.run(printer),
        }
    }
}
