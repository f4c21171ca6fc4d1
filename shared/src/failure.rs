//! What a user is told when something fails, and the exit code that goes with it.
//!
//! Modules keep their own small error enums; at the edge of a program each becomes a [`Failure`]: what went wrong, where
//! (file and place in it), and the next step.

use std::fmt;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Why a command ended without success. The number is the process's exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// The command worked and the answer is no: a budget exceeded, a check failed.
    AnswerIsNo = 1,
    /// The command line or a configuration file is wrong.
    Usage = 2,
    /// Input data are wrong.
    Data = 3,
    /// A device, sensor, driver or engine failed, or permission for it is missing.
    Device = 4,
    /// Reading or writing failed.
    Io = 5,
    /// The user interrupted the command.
    Interrupted = 130,
}

impl From<Kind> for ExitCode {
    fn from(kind: Kind) -> Self {
        ExitCode::from(kind as u8)
    }
}

/// A failure as a user meets it.
#[derive(Debug)]
pub struct Failure {
    /// The class, which sets the exit code.
    pub kind: Kind,
    /// What went wrong, in one sentence without a trailing full stop.
    pub message: String,
    /// The file it concerns, if any.
    pub path: Option<PathBuf>,
    /// The place in that file: a line, a column, a layer.
    pub place: Option<String>,
    /// The next step.
    pub help: Option<String>,
}

impl Failure {
    /// A failure of a class, with what went wrong.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, place: None, help: None }
    }

    /// Wrong input data.
    pub fn data(message: impl Into<String>) -> Self {
        Self::new(Kind::Data, message)
    }

    /// Wrong command line or configuration.
    pub fn usage(message: impl Into<String>) -> Self {
        Self::new(Kind::Usage, message)
    }

    /// A device, sensor or engine that failed.
    pub fn device(message: impl Into<String>) -> Self {
        Self::new(Kind::Device, message)
    }

    /// A file or folder that could not be read or written. A missing file that the user named is bad data
    /// for nobody but the command line, but scripts tell "not there" from "wrong content": it is I/O.
    pub fn io(path: &Path, doing: &str, error: &std::io::Error) -> Self {
        let failure = Self::new(Kind::Io, format!("cannot {doing}: {}", describe_io(error))).at(path);
        match error.kind() {
            std::io::ErrorKind::NotFound => failure.help("check the path"),
            std::io::ErrorKind::PermissionDenied => failure.help("check who may read or write it"),
            std::io::ErrorKind::StorageFull => failure.help("free some space and run the same command again"),
            _ => failure,
        }
    }

    /// Names the file.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Names the place in the file.
    #[must_use]
    pub fn place(mut self, place: impl Into<String>) -> Self {
        self.place = Some(place.into());
        self
    }

    /// Names the next step.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

fn describe_io(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or folder".into(),
        std::io::ErrorKind::PermissionDenied => "permission denied".into(),
        std::io::ErrorKind::StorageFull => "the disk is full".into(),
        _ => error.to_string(),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "error: ")?;
        if let Some(path) = &self.path {
            write!(f, "{}: ", printable(&path.display().to_string()))?;
        }
        if let Some(place) = &self.place {
            write!(f, "{}: ", printable(place))?;
        }
        write!(f, "{}", printable(&self.message))?;
        if let Some(help) = &self.help {
            write!(f, "\nhint: {}", printable(help))?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

/// Text from outside with its control characters made visible, so that a file's content cannot drive a terminal.
#[must_use]
pub fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() && c != '\n' && c != '\t' { char::REPLACEMENT_CHARACTER } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_names_file_place_and_next_step() {
        let failure = Failure::data("`power` is not a number").at("a.csv").place("line 3").help("remove the row");
        assert_eq!(failure.to_string(), "error: a.csv: line 3: `power` is not a number\nhint: remove the row");
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
