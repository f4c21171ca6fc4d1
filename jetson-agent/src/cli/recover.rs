//! `recover`.

use super::context::Context;
use crate::session::recover;
use clap::Args;
use shared::failure::Failure;
use shared::run_folder::RunFolder;
use std::path::{Path, PathBuf};

/// Seal a run that was cut off.
#[derive(Debug, Args)]
pub(super) struct RecoverArgs {
    /// The run folder.
    folder: PathBuf,
}

/// The run folder a path names.
pub(super) fn run_folder(path: &Path) -> Result<RunFolder, Failure> {
    let whole = path.canonicalize().map_err(|e| Failure::io(path, "read", &e))?;
    RunFolder::at(&whole).ok_or_else(|| Failure::usage("is no run folder").at(path))
}

impl RecoverArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let run = run_folder(&self.folder)?;
        let found = recover(&run)?;
        context.answer(&found, |found| {
            let how = if found.was_sealed { "the run was sealed already" } else { "sealed the run" };
            let mut out = format!(
                "{how}: {} samples, {} inferences, {} layer cycles\n",
                found.counts.samples,
                found.counts.power_inferences + found.counts.profiled_inferences,
                found.counts.layer_cycles
            );
            if found.missing_frames > 0 || found.damaged_bytes > 0 {
                out += &format!("{} frames are missing, {} bytes damaged\n", found.missing_frames, found.damaged_bytes);
            }
            if found.torn_bytes > 0 {
                out += &format!("{} bytes of a torn frame at the end were passed over\n", found.torn_bytes);
            }
            out
        })
    }
}
