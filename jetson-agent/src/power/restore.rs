//! Setting things back: the work of the small process that outlives the agent.

use crate::sys;
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// A small process of our own that is told what to set back before anything is changed. It waits for the end of its standard input,
/// which comes when the agent ends in any way, `kill -9` included, or when this is dropped.
#[derive(Debug)]
pub(crate) struct Helper {
    child: Child,
    input: Option<ChildStdin>,
}

impl Helper {
    /// Starts it with one of the agent's hidden commands and the lines that this reads.
    pub(crate) fn start(command: &str, lines: impl Iterator<Item = String>) -> io::Result<Self> {
        let mut program = Command::new(std::env::current_exe()?);
        program.arg(command).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        sys::detach(&mut program);
        let mut child = program.spawn()?;
        let mut input = child.stdin.take().ok_or_else(|| io::Error::other("no pipe"))?;
        for line in lines {
            writeln!(input, "{line}")?;
        }
        input.flush()?;
        Ok(Self { child, input: Some(input) })
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        drop(self.input.take());
        // Wait, so that all is as it was when the command returns.
        let _ = self.child.wait();
    }
}

/// Reads and writes a driver's files.
pub(super) trait Attributes {
    /// A file's text without white space at its ends.
    fn read(&self, path: &Path) -> Option<String>;

    /// Writes into a file that is there.
    fn write(&mut self, path: &Path, value: &str) -> io::Result<()>;
}

/// The files of sysfs.
#[derive(Debug)]
pub(super) struct Sysfs;

impl Attributes for Sysfs {
    fn read(&self, path: &Path) -> Option<String> {
        super::sysfs::read_text(path)
    }

    fn write(&mut self, path: &Path, value: &str) -> io::Result<()> {
        // Opened without creating: what is restored was there, and nothing new is made.
        std::fs::OpenOptions::new().write(true).truncate(true).open(path)?.write_all(value.as_bytes())
    }
}

/// The helper's work: reads `path<TAB>value` lines until the end of the input, then writes the values in that order.
///
/// # Errors
/// When a value could not be written; the others are written all the same.
pub fn restore_from_stdin(input: impl BufRead) -> io::Result<()> {
    let mut entries = Vec::new();
    for line in input.lines() {
        let line = line?;
        if let Some((path, value)) = line.split_once('\t') {
            entries.push((PathBuf::from(path), value.to_owned()));
        }
    }
    restore(&entries, &mut Sysfs)
}

/// Writes values in their order, each unless the file shows it already: what a driver shows may be rounded, and writing it
/// back would then set something else.
pub(super) fn restore(entries: &[(PathBuf, String)], files: &mut impl Attributes) -> io::Result<()> {
    let mut result = Ok(());
    for (path, value) in entries {
        if files.read(path).as_deref() == Some(value.as_str()) {
            continue;
        }
        if let Err(e) = files.write(path, value) {
            result = Err(io::Error::new(e.kind(), format!("{}: {e}", path.display())));
        }
    }
    result
}
