//! Failures as a user meets them, and the exit codes that go with them.
//!
//! Modules keep their own small error enums; at the edge of a program each becomes a [`Failure`]: what went wrong, where
//! (file and place in it), the next step, and the error that caused it.
//!
//! ```
//! use shared::failure::{Failure, Kind};
//! use std::error::Error;
//!
//! let parsed: Result<f64, _> = "abc".parse::<f64>();
//! let failure = parsed
//!     .map_err(|e| Failure::data("`power` is not a number").at("a.csv").place("line 3").help("remove the row").caused_by(e))
//!     .unwrap_err();
//! assert_eq!(failure.kind, Kind::Data);
//! assert_eq!(failure.to_string(), "a.csv: line 3: `power` is not a number");
//! assert_eq!(failure.source().unwrap().to_string(), "invalid float literal");
//! assert_eq!(
//!     failure.report(true),
//!     "error: a.csv: line 3: `power` is not a number\nhint: remove the row\ncaused by: invalid float literal"
//! );
//! ```

use crate::near::near_path;
use std::error::Error;
use std::fmt;
use std::io;
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
///
/// [`Display`](fmt::Display) writes one line: file, place, message. [`report`](Self::report) writes what a program prints.
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
    /// The error that caused it.
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure of a class, with what went wrong.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), path: None, place: None, help: None, cause: None }
    }

    /// A failure whose message is that of the error that caused it.
    ///
    /// ```
    /// use shared::failure::{Failure, Kind};
    ///
    /// let failure = Failure::from_error(Kind::Data, "x".parse::<u8>().unwrap_err()).at("counts.txt");
    /// assert_eq!(failure.report(true), "error: counts.txt: invalid digit found in string");
    /// ```
    pub fn from_error(kind: Kind, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        let error = error.into();
        Self::new(kind, error.to_string()).caused_by(error)
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

    /// A file or folder that could not be read or written. A missing file is [`Kind::Io`] and not [`Kind::Data`]: scripts
    /// tell "not there" from "wrong content".
    ///
    /// ```
    /// use shared::failure::{Failure, Kind};
    /// use std::path::Path;
    ///
    /// let path = Path::new("/nowhere/plan.toml");
    /// let failure = std::fs::read(path).map_err(|e| Failure::io(path, "read", &e)).unwrap_err();
    /// assert_eq!(failure.kind, Kind::Io);
    /// assert_eq!(
    ///     failure.report(false),
    ///     "error: /nowhere/plan.toml: cannot read: no such file or folder\nhint: check the path"
    /// );
    /// ```
    pub fn io(path: &Path, doing: &str, error: &io::Error) -> Self {
        let failure = Self::stream(doing, error).at(path);
        match error.kind() {
            io::ErrorKind::NotFound => match near_path(path) {
                Some(near) => failure.help(format!("did you mean `{near}`?")),
                None => failure.help("check the path"),
            },
            io::ErrorKind::PermissionDenied => failure.help("check who may read or write it"),
            _ => failure,
        }
    }

    /// A stream without a path, such as stdout, that could not be read or written.
    pub fn stream(doing: &str, error: &io::Error) -> Self {
        let failure = Self::new(Kind::Io, format!("cannot {doing}: {}", describe_io(error))).caused_by(copy_of(error));
        match error.kind() {
            io::ErrorKind::StorageFull => failure.help("free some space and run the same command again"),
            _ => failure,
        }
    }

    /// An address that could not be listened on, with what to choose instead.
    ///
    /// ```
    /// use shared::failure::Failure;
    ///
    /// let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    /// let address = taken.local_addr().unwrap();
    /// let error = std::net::TcpListener::bind(address).unwrap_err();
    /// let text = Failure::listen(&address, &error).report(false);
    /// assert!(text.contains("cannot listen on 127.0.0.1:") && text.contains("another program has this port"), "{text}");
    /// ```
    pub fn listen(address: &impl fmt::Display, error: &io::Error) -> Self {
        let failure = Self::stream(&format!("listen on {address}"), error);
        match error.kind() {
            io::ErrorKind::AddrInUse => failure.help("another program has this port: choose another, or 0 for any"),
            io::ErrorKind::AddrNotAvailable => failure.help("this machine does not have the address: choose 127.0.0.1"),
            io::ErrorKind::PermissionDenied => failure.help("ports below 1024 need root: choose a higher one"),
            _ => failure,
        }
    }

    /// Names the file.
    #[must_use]
    pub fn at(mut self, path: impl Into<PathBuf>) -> Self {
        self.path = Some(path.into());
        self
    }

    /// Names the file, unless the failure names one already.
    #[must_use]
    pub fn default_path(self, path: impl Into<PathBuf>) -> Self {
        if self.path.is_some() { self } else { self.at(path) }
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

    /// Keeps the error that caused it, which `-v` shows.
    #[must_use]
    pub fn caused_by(mut self, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        self.cause = Some(error.into());
        self
    }

    /// What a program prints to stderr: the failure, the next step, and, if `verbose`, its causes, the nearest first. A cause
    /// whose text the line before it quotes adds nothing and is left out. Control characters are made visible.
    #[must_use]
    pub fn report(&self, verbose: bool) -> String {
        let mut text = format!("error: {self}");
        if let Some(help) = &self.help {
            text += &format!("\nhint: {}", printable(help));
        }
        let mut said = self.to_string();
        let mut cause = self.source().filter(|_| verbose);
        while let Some(error) = cause {
            let line = printable(&error.to_string());
            if !said.contains(&line) {
                text += &format!("\ncaused by: {line}");
                said = line;
            }
            cause = error.source();
        }
        text
    }
}

fn describe_io(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "no such file or folder".into(),
        io::ErrorKind::PermissionDenied => "permission denied".into(),
        io::ErrorKind::StorageFull => "the disk is full".into(),
        _ => error.to_string(),
    }
}

/// The error again, since it cannot be cloned: by its number where the system gave it, else by its kind and text.
fn copy_of(error: &io::Error) -> io::Error {
    match error.raw_os_error() {
        Some(number) => io::Error::from_raw_os_error(number),
        None => io::Error::new(error.kind(), error.to_string()),
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(path) = &self.path {
            write!(f, "{}: ", printable(&path.display().to_string()))?;
        }
        if let Some(place) = &self.place {
            write!(f, "{}: ", printable(place))?;
        }
        f.write_str(&printable(&self.message))
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|cause| cause as &(dyn Error + 'static))
    }
}

/// Text from outside with its control characters made visible, so that a file's content cannot drive a terminal.
///
/// ```
/// assert_eq!(shared::failure::printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
/// ```
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
        assert_eq!(failure.to_string(), "a.csv: line 3: `power` is not a number");
        assert_eq!(failure.report(false), "error: a.csv: line 3: `power` is not a number\nhint: remove the row");
    }

    #[test]
    fn causes_show_when_asked_for_and_only_what_they_add() {
        #[derive(Debug)]
        struct Layer(&'static str, Option<Box<Layer>>);
        impl fmt::Display for Layer {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.0)
            }
        }
        impl Error for Layer {
            fn source(&self) -> Option<&(dyn Error + 'static)> {
                self.1.as_deref().map(|cause| cause as _)
            }
        }
        let root = Layer("reset by\u{7} peer", None);
        let middle = Layer("the connection broke", Some(Box::new(root)));
        let failure = Failure::new(Kind::Io, "cannot read: the connection broke").caused_by(middle);
        assert_eq!(failure.report(false), "error: cannot read: the connection broke");
        assert_eq!(failure.report(true), "error: cannot read: the connection broke\ncaused by: reset by\u{fffd} peer");
    }

    #[test]
    fn a_failure_of_the_file_system_keeps_the_systems_own_words() {
        let failure = Failure::io(Path::new("a"), "read", &io::Error::from_raw_os_error(2));
        let cause = failure.source().and_then(|cause| cause.downcast_ref::<io::Error>()).expect("an I/O error");
        assert_eq!(cause.raw_os_error(), Some(2));
        assert!(failure.report(true).ends_with("\ncaused by: No such file or directory (os error 2)"));
    }

    #[test]
    fn control_characters_do_not_reach_the_terminal() {
        assert_eq!(printable("a\u{1b}[2Jb"), "a\u{fffd}[2Jb");
    }
}
