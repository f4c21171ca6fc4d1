//! `host-trainer`: parses the command line, dispatches, and turns a failure into an exit code.

use host_trainer::cli::{Cli, parse};
use shared::printer::Printer;
use std::process::ExitCode;

fn main() -> ExitCode {
    let parsed = match parse() {
        Ok(parsed) => parsed,
        Err(failure) => {
            Printer::default().fail(&failure);
            return failure.kind.into();
        }
    };
    let printer = parsed.cli.global.printer();
    match Cli::run(parsed, &printer) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            printer.fail(&failure);
            failure.kind.into()
        }
    }
}
