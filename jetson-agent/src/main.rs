//! `jetson-agent`: measures what an engine costs on the board it runs on.

use jetson_agent::cli::{Cli, parse};
use std::process::ExitCode;

fn main() -> ExitCode {
    command_line::exit(parse(), |parsed| parsed.cli.global.printer(), Cli::run)
}
