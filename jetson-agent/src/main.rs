//! `jetson-agent`: measures what an engine costs on the board it runs on.

use jetson_agent::cli::{Cli, parse};
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
        Ok(code) => code,
        Err(failure) => {
            printer.fail(&failure);
            failure.kind.into()
        }
    }
}
