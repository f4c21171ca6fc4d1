//! Writing a sensor's settings back: the work of the small process that outlives the agent.
//!
//! `update_interval` of an INA3221 stands for its conversion times, and what a value means depends on `samples` and on the
//! kernel: the driver divides what is written by AVG, while some kernels show it without AVG. So what was read is written back
//! with the old `samples` set; where the file then shows another value, once more with `samples` at 1.

use std::collections::BTreeMap;
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};

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
        use std::io::Write;
        // Opened without creating: what is restored was there, and nothing new is made.
        std::fs::OpenOptions::new().write(true).truncate(true).open(path)?.write_all(value.as_bytes())
    }
}

/// The helper's work: reads `path<TAB>value` lines until the end of the input, then writes the values back, last first.
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

/// Writes old values back, last first.
pub(super) fn restore(entries: &[(PathBuf, String)], files: &mut impl Attributes) -> io::Result<()> {
    let mut result = Ok(());
    let named = |path: &Path, e: &io::Error| io::Error::new(e.kind(), format!("{}: {e}", path.display()));
    for (path, value) in entries.iter().rev() {
        if let Err(e) = files.write(path, value) {
            result = Err(named(path, &e));
        }
    }
    let old: BTreeMap<&Path, &str> = entries.iter().map(|(path, value)| (path.as_path(), value.as_str())).collect();
    for (path, value) in entries.iter().filter(|(path, _)| path.ends_with("update_interval")) {
        let samples = path.with_file_name("samples");
        let Some(averaging) = old.get(samples.as_path()) else { continue };
        if files.read(path).as_deref() == Some(value.as_str()) {
            continue;
        }
        let again = files
            .write(&samples, "1")
            .and_then(|()| files.write(path, value))
            .and_then(|()| files.write(&samples, averaging));
        if let Err(e) = again {
            result = Err(named(path, &e));
        }
        let shown = files.read(path);
        if shown.as_deref() != Some(value.as_str()) && result.is_ok() {
            let shown = shown.unwrap_or_else(|| "nothing".into());
            result = Err(io::Error::other(format!("{}: was {value} and now shows {shown}", path.display())));
        }
    }
    result
}
