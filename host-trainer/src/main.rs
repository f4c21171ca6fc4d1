//! `host-trainer`: parses the command line, dispatches, and turns a failure into an exit code.

use host_trainer::cli::{Cli, parse};
use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::exit(
        parse(),
        |parsed| parsed.cli.global.printer(),
        |parsed, printer| Cli::run(parsed, printer).map(|()| ExitCode::SUCCESS),
    )
}
