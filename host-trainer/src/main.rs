//! `host-trainer`: parses the command line, dispatches, and turns a failure into an exit code.

use host_trainer::cli::{Cli, parse};
use shared::printer::Printer;
use std::process::ExitCode;

fn main() -> ExitCode {
    if std::env::var_os("RUST_LIB_BACKTRACE").is_none() {
        // tract makes and drops an error for every leaf of a tree that it reaches. Where RUST_BACKTRACE is set each would
        // capture a backtrace, a thousand times the work; backtraces of panics stay.
        // SAFETY: the process has no other thread yet that could read the environment meanwhile.
        unsafe { std::env::set_var("RUST_LIB_BACKTRACE", "0") };
    }
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
