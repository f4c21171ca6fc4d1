//! `data`: folders under version in an object store. One module a few commands that belong together.

mod branches;
mod check;
mod look;
mod record;
mod session;
mod transfer;

use clap::{Args, Subcommand};
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;

/// Version data in a folder, S3, Google Cloud, Azure, or read them from a web server.
#[derive(Debug, Args)]
pub(super) struct Data {
    /// The versioned folder.
    #[arg(long, global = true, value_name = "FOLDER", default_value = ".")]
    local_dir_path: PathBuf,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Init(record::Init),
    Commit(record::Commit),
    Push(transfer::Push),
    Pull(transfer::Pull),
    Checkout(transfer::Checkout),
    Status(look::Status),
    Log(look::Log),
    Diff(look::Diff),
    Branch(branches::Branch),
    Tag(branches::Tag),
    Verify(check::Verify),
    Gc(check::Gc),
}

impl Data {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let at = session::At { folder: self.local_dir_path, printer: *printer };
        match self.command {
            Command::Init(command) => command.run(&at),
            Command::Commit(command) => command.run(&at),
            Command::Push(command) => command.run(&at),
            Command::Pull(command) => command.run(&at),
            Command::Checkout(command) => command.run(&at),
            Command::Status(command) => command.run(&at),
            Command::Log(command) => command.run(&at),
            Command::Diff(command) => command.run(&at),
            Command::Branch(command) => command.run(&at),
            Command::Tag(command) => command.run(&at),
            Command::Verify(command) => command.run(&at),
            Command::Gc(command) => command.run(&at),
        }
    }
}
