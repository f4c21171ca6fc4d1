//! `restore-sensor` and `restore-mode`, which the agent starts itself.

use crate::board::restore_mode_from_stdin;
use crate::power::restore_from_stdin;
use shared::failure::{Failure, Kind};

pub(super) fn run() -> Result<(), Failure> {
    restore_from_stdin(std::io::stdin().lock())
        .map_err(|e| Failure::new(Kind::Device, format!("a sensor setting could not be restored: {e}")).caused_by(e))
}

pub(super) fn run_mode() -> Result<(), Failure> {
    restore_mode_from_stdin(std::io::stdin().lock())
        .map_err(|e| Failure::new(Kind::Device, format!("the power mode could not be restored: {e}")).caused_by(e))
}
