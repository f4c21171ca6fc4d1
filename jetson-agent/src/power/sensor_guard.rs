//! Setting the INA3221's averaging for a run, and setting it back whatever happens.
//!
//! The old values are handed to a small process of our own before anything is changed. It waits for the end of its
//! standard input, which comes when the agent ends in any way, `kill -9` included, and then writes them back. The sensor
//! also feeds the board's over-current limits, so it must not stay changed.

use super::SourceError;
use super::sysfs::{Root, read_text};
use crate::sys;
use std::io::{BufRead, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};

/// Values that the driver takes for `samples`.
const SAMPLES: [u32; 8] = [1, 4, 16, 64, 128, 256, 512, 1024];

/// Restores the sensors when dropped; its helper does when the process dies.
#[derive(Debug)]
pub struct AveragingGuard {
    helper: Child,
    input: Option<ChildStdin>,
}

impl AveragingGuard {
    /// Sets `samples` of every INA3221, and the shortest `update_interval` where there is one.
    ///
    /// # Errors
    /// When the number is none of the chip's, no chip is there, or a file cannot be written.
    pub fn set(root: &Root, samples: u32) -> Result<Self, SourceError> {
        let lost = |message: String| SourceError::Lost(message);
        if !SAMPLES.contains(&samples) {
            return Err(lost(format!("{samples} is no averaging of an INA3221: {SAMPLES:?}")));
        }
        let mut changes = Vec::new();
        for folder in root.entries("/sys/class/hwmon") {
            if read_text(&folder.join("name")).is_none_or(|name| name != "ina3221") {
                continue;
            }
            let file = folder.join("samples");
            let old = read_text(&file).ok_or_else(|| lost(format!("{}: cannot be read", file.display())))?;
            let interval = folder.join("update_interval");
            if let Some(old) = read_text(&interval) {
                changes.push((interval, old, None));
            }
            changes.push((file, old, Some(samples.to_string())));
        }
        if changes.is_empty() {
            return Err(lost("there is no INA3221 under hwmon whose averaging could be set".into()));
        }
        let guard = Self::start(&changes).map_err(|e| lost(format!("cannot start the process that restores: {e}")))?;
        for (path, _, new) in &changes {
            let Some(new) = new else { continue };
            std::fs::write(path, new)
                .map_err(|e| lost(format!("{}: {e}; setting the averaging needs root", path.display())))?;
        }
        for (path, old, new) in &changes {
            // Only after `samples`: some kernels derive the shortest interval from it.
            if new.is_none() && old.parse::<u64>().is_ok_and(|ms| ms > 1) {
                // A driver may refuse 1 ms and keep its value; what stands then is recorded with the rails.
                let _ = std::fs::write(path, "1");
            }
        }
        Ok(guard)
    }

    fn start(changes: &[(PathBuf, String, Option<String>)]) -> std::io::Result<Self> {
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("restore-sensor").stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::inherit());
        sys::detach(&mut command);
        let mut helper = command.spawn()?;
        let mut input = helper.stdin.take().ok_or_else(|| std::io::Error::other("no pipe"))?;
        for (path, old, _) in changes {
            writeln!(input, "{}\t{old}", path.display())?;
        }
        input.flush()?;
        Ok(Self { helper, input: Some(input) })
    }
}

impl Drop for AveragingGuard {
    fn drop(&mut self) {
        drop(self.input.take());
        // Wait, so that the sensor is as it was when the command returns.
        let _ = self.helper.wait();
    }
}

/// The helper's work: reads `path<TAB>value` lines until the end of the input, then writes the values back, last first.
///
/// # Errors
/// When a value could not be written; the others are written all the same.
pub fn restore_from_stdin(input: impl BufRead) -> std::io::Result<()> {
    let mut entries = Vec::new();
    for line in input.lines() {
        let line = line?;
        if let Some((path, value)) = line.split_once('\t') {
            entries.push((PathBuf::from(path), value.to_owned()));
        }
    }
    let mut result = Ok(());
    for (path, value) in entries.iter().rev() {
        if let Err(e) = write_value(path, value) {
            result = Err(std::io::Error::new(e.kind(), format!("{}: {e}", path.display())));
        }
    }
    result
}

fn write_value(path: &Path, value: &str) -> std::io::Result<()> {
    // Opened without creating: the helper restores what was there and makes nothing new.
    std::fs::OpenOptions::new().write(true).truncate(true).open(path)?.write_all(value.as_bytes())
}
