//! Setting the power mode for some time, and setting it back whatever happens.

use super::probe::probe;
use crate::power::{Helper, Root};
use std::io::{self, BufRead};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// NVIDIA's program that sets the mode.
const PROGRAM: &str = "/usr/sbin/nvpmodel";

/// Why a power mode cannot be set.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModeError {
    /// The board does not say which mode it is in or which it has.
    #[error("the board does not say which power modes it has")]
    Unknown,
    /// The board has no mode of that name.
    #[error("the board has no power mode `{name}`; it has {known}")]
    NoMode {
        /// What was asked for.
        name: String,
        /// The names that there are.
        known: String,
    },
    /// The program fails, or is not there.
    #[error("`nvpmodel -m {id}` failed: {why}")]
    Failed {
        /// The mode's number.
        id: u32,
        /// What went wrong.
        why: String,
    },
    /// The program ended without a failure, and the board is in another mode.
    #[error("`nvpmodel -m {id}` left the board in mode {now}: some modes need a reboot")]
    Unchanged {
        /// The mode's number.
        id: u32,
        /// The number of the mode that the board is in.
        now: u32,
    },
}

/// Sets power modes; the one that the board was in is restored when it is dropped, and by a process of its own when the agent dies.
#[derive(Debug)]
pub struct ModeGuard {
    root: Root,
    helper: Option<Helper>,
}

impl ModeGuard {
    /// Changes nothing yet.
    #[must_use]
    pub fn new(root: &Root) -> Self {
        Self { root: root.clone(), helper: None }
    }

    /// The number of the mode of a name, if the board is in another one.
    ///
    /// # Errors
    /// When the board does not say, or has no such mode.
    pub fn to_set(&self, name: &str) -> Result<Option<u32>, ModeError> {
        let board = probe(&self.root);
        let modes = board.power_modes.filter(|modes| !modes.modes.is_empty()).ok_or(ModeError::Unknown)?;
        let now = board.power_mode.ok_or(ModeError::Unknown)?;
        let Some(mode) = modes.named(name) else {
            let known: Vec<&str> = modes.modes.iter().map(|mode| mode.name.as_str()).collect();
            return Err(ModeError::NoMode { name: name.to_owned(), known: known.join(", ") });
        };
        Ok((mode.id != now).then_some(mode.id))
    }

    /// Sets a mode by its number.
    ///
    /// # Errors
    /// When the program fails, or the board is in another mode afterwards.
    pub fn set(&mut self, id: u32) -> Result<(), ModeError> {
        let failed = |why: &dyn std::fmt::Display| ModeError::Failed { id, why: why.to_string() };
        let program = self.root.path(PROGRAM);
        if self.helper.is_none() {
            let before = probe(&self.root).power_mode.ok_or(ModeError::Unknown)?;
            let line = std::iter::once(format!("{}\t{before}", program.display()));
            self.helper = Some(Helper::start("restore-mode", line).map_err(|e| failed(&e))?);
        }
        run(&program, id).map_err(|e| failed(&e))?;
        match probe(&self.root).power_mode {
            Some(now) if now == id => Ok(()),
            Some(now) => Err(ModeError::Unchanged { id, now }),
            None => Err(ModeError::Unknown),
        }
    }
}

/// Runs the program. It may ask whether to reboot; without an input it does not.
fn run(program: &Path, id: u32) -> io::Result<()> {
    let output = Command::new(program).arg("-m").arg(id.to_string()).stdin(Stdio::null()).output()?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stderr, output.stdout].into_iter().map(|text| String::from_utf8_lossy(&text).trim().to_owned());
    let why = said.into_iter().find(|text| !text.is_empty()).unwrap_or_else(|| output.status.to_string());
    Err(io::Error::other(why.lines().last().unwrap_or_default().to_owned()))
}

/// The helper's work: reads `program<TAB>number` until the end of the input, then sets that mode.
///
/// # Errors
/// When the program fails.
pub fn restore_mode_from_stdin(input: impl BufRead) -> io::Result<()> {
    let mut wanted = None;
    for line in input.lines() {
        let line = line?;
        let id = line.split_once('\t').and_then(|(program, id)| Some((PathBuf::from(program), id.parse().ok()?)));
        wanted = id.or(wanted);
    }
    wanted.map_or(Ok(()), |(program, id)| run(&program, id))
}
