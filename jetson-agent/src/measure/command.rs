//! The command that is measured.

use crate::sys;
use shared::failure::{Failure, Kind};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};

/// A command that runs.
#[derive(Debug)]
pub struct Started {
    child: Child,
    /// When it was started, monotonic ns.
    pub at_ns: u64,
}

impl Started {
    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.child.id()
    }
}

/// Why a command was not started.
#[derive(Debug)]
pub struct NotStarted {
    /// What went wrong.
    pub failure: Failure,
    /// The exit code that a shell gives for it: 127 if the program is not there, 126 if it cannot be run.
    pub code: u8,
}

impl NotStarted {
    fn new(failure: Failure, code: u8) -> Box<Self> {
        Box::new(Self { failure, code })
    }
}

/// Exit code of a shell for a program that was not found.
const NOT_FOUND: u8 = 127;
/// Exit code of a shell for a program that cannot be run.
const NOT_RUNNABLE: u8 = 126;

/// Looks for a program as a shell does, before time is spent on idle power.
///
/// # Errors
/// When it is not there or cannot be run.
pub fn find_program(program: &OsStr) -> Result<PathBuf, Box<NotStarted>> {
    let runnable = |path: &Path| {
        std::fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
    };
    let given = Path::new(program);
    if program.to_string_lossy().contains('/') {
        return match std::fs::metadata(given) {
            Err(e) => Err(NotStarted::new(Failure::io(given, "run", &e), NOT_FOUND)),
            Ok(_) if runnable(given) => Ok(given.to_owned()),
            Ok(_) => Err(NotStarted::new(
                Failure::new(Kind::Io, "cannot run: is not an executable file")
                    .at(given)
                    .help("check the command after `--`"),
                NOT_RUNNABLE,
            )),
        };
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path).map(|folder| folder.join(given)).find(|path| runnable(path));
    found.ok_or_else(|| {
        let failure = Failure::new(Kind::Io, "cannot run: no such program in PATH").at(given);
        NotStarted::new(
            failure.help("check the command after `--`; a shell's own words need a shell: -- sh -c '…'"),
            NOT_FOUND,
        )
    })
}

/// Starts the command with this process's input and output. Signals go to it from now on.
///
/// # Errors
/// When the system refuses.
pub fn start(program: &Path, command: &[OsString]) -> Result<Started, Box<NotStarted>> {
    let mut child = Command::new(program);
    child.args(command.iter().skip(1));
    if let Some(name) = command.first() {
        use std::os::unix::process::CommandExt;
        child.arg0(name);
    }
    sys::ordinary_signals(&mut child);
    let at_ns = sys::monotonic_ns();
    match child.spawn() {
        Ok(child) => {
            sys::set_child(Some(child.id()));
            Ok(Started { child, at_ns })
        }
        Err(e) => {
            let code = if e.kind() == io::ErrorKind::NotFound { NOT_FOUND } else { NOT_RUNNABLE };
            Err(NotStarted::new(Failure::io(program, "run", &e), code))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_are_found_as_a_shell_finds_them() {
        assert!(find_program(OsStr::new("sh")).expect("everywhere").ends_with("sh"));
        assert!(find_program(OsStr::new("/bin/sh")).is_ok());
        let code = |name: &str| find_program(OsStr::new(name)).expect_err("must fail").code;
        assert_eq!((code("no-such-program-here"), code("/no/such/program"), code("/etc/passwd")), (127, 127, 126));
        assert_eq!(code("/tmp"), 126);
    }
}
