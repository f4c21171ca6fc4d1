//! What a sample log holds and how whole it is, without holding its samples.

use super::counts::Counts;
use super::frames::{Damage, FrameReader};
use super::manifest::Manifest;
use super::record::{Record, RecordKind};
use crate::failure::Failure;
use std::fs::File;
use std::path::Path;

/// What a sample log holds, as far as its checksums vouch for it.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SampleLogSummary {
    /// The last manifest in the log.
    pub manifest: Option<Manifest>,
    /// What the log should hold, if it was sealed.
    pub seal: Option<Counts>,
    /// What it does hold.
    pub counts: Counts,
    /// Damage to its frames.
    pub damage: Damage,
    /// Frames that are whole but hold no record of this version.
    pub unknown_records: u64,
}

impl SampleLogSummary {
    /// Reads a log once, frame by frame.
    ///
    /// # Errors
    /// When the file cannot be opened or read. Damage is reported in the result.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let failed = |e| Failure::io(path, "read", &e);
        let mut frames = FrameReader::new(File::open(path).map_err(failed)?);
        let mut summary = Self::default();
        while let Some(payload) = frames.next_frame().map_err(failed)? {
            summary.add(&payload);
        }
        summary.damage = frames.damage();
        Ok(summary)
    }

    fn add(&mut self, payload: &[u8]) {
        // Samples and layers are most of a log; the others are few. All of them are decoded, for a whole frame of another
        // version must not count.
        match (RecordKind::of(payload), Record::decode(payload)) {
            (Some(_), Ok(record)) => {
                self.counts.add(&record);
                match record {
                    Record::Manifest(manifest) => self.manifest = Some(*manifest),
                    Record::Seal(counts) => self.seal = Some(counts),
                    _ => {}
                }
            }
            _ => self.unknown_records += 1,
        }
    }

    /// What is missing, in words; `None` when the log was sealed and holds all that it was sealed with.
    #[must_use]
    pub fn missing(&self) -> Option<String> {
        let Damage { missing, skipped_bytes, torn_bytes, no_magic, .. } = self.damage;
        let mut parts = Vec::new();
        if no_magic {
            parts.push("it does not begin as a sample log".to_owned());
        }
        if missing > 0 || skipped_bytes > 0 {
            parts.push(format!("{missing} frames are missing ({skipped_bytes} damaged bytes)"));
        }
        if self.unknown_records > 0 {
            parts.push(format!("{} records are of another version", self.unknown_records));
        }
        match self.seal {
            None => parts.push("it was not sealed".to_owned()),
            Some(seal) if seal != self.counts => parts.push(format!(
                "{} of {} samples and {} of {} layer cycles are there",
                self.counts.samples, seal.samples, self.counts.layer_cycles, seal.layer_cycles
            )),
            Some(_) => {}
        }
        if torn_bytes > 0 {
            parts.push(format!("{torn_bytes} bytes of a torn frame stand at the end"));
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }
}
