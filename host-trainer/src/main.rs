//! `host-trainer`: parses the command line, dispatches, and turns a failure into an exit code.

use clap::Parser;
use host_trainer::cli::Cli;
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let printer = cli.global.printer();
    match cli.run(&printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.fail(&failure);
            failure.kind.into()
        }
    }
}
