//! `host-trainer models`: models under version, and what of them is deployed.

mod answer;
mod args;
mod export;
mod list;
mod mlflow;
mod promote;
mod register;
mod rollback;
mod show;
mod verify;

pub(super) use register::{Registration, register_fitted};

use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;

/// Version models in an object store, and control which of them are deployed.
#[derive(Debug, Args)]
pub(super) struct Models {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Register(register::Register),
    List(list::List),
    Show(show::Show),
    Compare(promote::Compare),
    Promote(promote::Promote),
    Rollback(rollback::Rollback),
    History(list::History),
    Export(export::Export),
    Import(export::Import),
    Verify(verify::Verify),
    Mlflow(mlflow::Mlflow),
}

impl Models {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        super::runtime::block_on(async {
            match self.command {
                Command::Register(command) => command.run(printer).await,
                Command::List(command) => command.run(printer).await,
                Command::Show(command) => command.run(printer).await,
                Command::Compare(command) => command.run(printer).await,
                Command::Promote(command) => command.run(printer).await,
                Command::Rollback(command) => command.run(printer).await,
                Command::History(command) => command.run(printer).await,
                Command::Export(command) => command.run(printer).await,
                Command::Import(command) => command.run(printer).await,
                Command::Verify(command) => command.run(printer).await,
                Command::Mlflow(command) => command.run(printer).await,
            }
        })?
    }
}
