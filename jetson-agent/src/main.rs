//! `jetson-agent`: measures what an engine costs on the board it runs on.

use clap::Parser;
use jetson_agent::cli::Cli;
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
