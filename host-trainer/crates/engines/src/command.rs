//! Programs of the engines, run with arguments and never through a shell.

use shared::failure::{Failure, Kind};
use std::io::ErrorKind;
use std::process::{Command, Output};

/// Runs a program and gives what it wrote.
///
/// # Errors
/// A program that is not there; `missing` says what to do then.
pub(crate) fn output(program: &str, arguments: &[String], missing: &str) -> Result<Output, Failure> {
    Command::new(program).args(arguments).output().map_err(|e| match e.kind() {
        ErrorKind::NotFound => Failure::new(Kind::Io, format!("there is no program `{program}` here")).help(missing),
        _ => Failure::new(Kind::Io, format!("`{program}` cannot be run: {e}")).caused_by(e),
    })
}

/// Runs a program that must succeed, and gives its output as text.
///
/// # Errors
/// As [`output`], or what the program said.
pub(crate) fn succeed(program: &str, arguments: &[String], missing: &str) -> Result<String, Failure> {
    let output = output(program, arguments, missing)?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let said = said.trim().chars().take(500).collect::<String>();
    Err(Failure::new(Kind::Io, format!("`{program}` failed: {}", shared::failure::printable(&said))))
}
