//! Sealing a run that was cut off.

use super::write_reference_files;
use crate::sys;
use shared::failure::{Failure, Kind};
use shared::run_folder::frames::Damage;
use shared::run_folder::{Counts, LogContent, Manifest, Pass, PassSpan, RunFolder, Status, read_sample_log};
use std::fs::File;

/// What recovering found.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct Recovered {
    /// What the log holds.
    pub counts: Counts,
    /// Frames known to be missing.
    pub missing_frames: u64,
    /// Bytes of a torn frame at the end.
    pub torn_bytes: u64,
    /// Damaged bytes between whole frames.
    pub damaged_bytes: u64,
    /// Whether the run had been sealed; then nothing was changed.
    pub was_sealed: bool,
}

/// Writes the manifest and the reference's files of a run that was cut off from its sample log, which stays as it is.
///
/// # Errors
/// When the log cannot be read, is still being written, or holds no manifest while the folder has none either.
pub fn recover(run: &RunFolder) -> Result<Recovered, Failure> {
    let log = run.sample_log();
    let file = File::open(&log)
        .map_err(|e| Failure::io(&log, "read", &e).help("give a run folder of `jetson-agent profile`"))?;
    if !sys::try_lock(&file) {
        return Err(Failure::new(Kind::Io, "is still being written").at(&log).help("end that session first"));
    }
    let content = read_sample_log(&log)?;
    let Damage { missing, torn_bytes, skipped_bytes, .. } = content.damage;
    let mut manifest = match (&content.manifest, Manifest::read(&run.manifest())) {
        (Some(manifest), _) => manifest.clone(),
        (None, Ok(manifest)) => manifest,
        (None, Err(failure)) => {
            return Err(Failure::data("neither the log nor the folder holds a readable manifest")
                .at(&log)
                .help(failure.to_string())
                .caused_by(failure));
        }
    };
    let was_sealed = content.seal.is_some() && manifest.status != Status::Running;
    if !was_sealed {
        manifest.status = Status::Recovered;
        manifest.counts = content.counts;
        manifest.passes = passes(&content);
        let lost = content.events.iter().find(|e| e.kind == "sensor_lost" || e.kind == "runner_failed");
        manifest.failure = Some(lost.map_or_else(|| "the session was cut off".to_owned(), |e| e.message.clone()));
    }
    manifest.write(&run.manifest())?;
    write_reference_files(run, &manifest, &content)?;
    Ok(Recovered {
        counts: content.counts,
        missing_frames: missing,
        torn_bytes,
        damaged_bytes: skipped_bytes,
        was_sealed,
    })
}

/// The passes as far as their inferences tell.
fn passes(content: &LogContent) -> Vec<PassSpan> {
    [Pass::Warmup, Pass::Power, Pass::Profiled]
        .into_iter()
        .filter_map(|pass| {
            let mut spans = content.inferences_of(pass);
            let first = spans.next()?;
            let (mut cycles, mut end_ns) = (1, first.end_ns);
            for span in spans {
                cycles += 1;
                end_ns = end_ns.max(span.end_ns);
            }
            Some(PassSpan { pass, cycles, start_ns: first.start_ns, end_ns, uncertainty_ns: 0 })
        })
        .collect()
}
