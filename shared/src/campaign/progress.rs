//! What became of each item of a plan.

use crate::failure::{Failure, Kind};
use crate::run_folder::frames::{Damage, FrameReader};
use crate::units::Millis;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;

/// The log in a plan's folder.
pub const PROGRESS_FILE: &str = "progress.eplog";

/// How an item ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// Its run is complete.
    Done,
    /// It cannot be measured.
    Failed,
    /// Its mode cannot be set.
    Skipped,
}

/// Latencies of the inferences of a power pass.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// Half of the inferences took no longer.
    pub p50_ms: Millis,
    /// Nine of ten took no longer.
    pub p90_ms: Millis,
    /// 99 of 100 took no longer.
    pub p99_ms: Millis,
}

/// How a board behaved until its latencies no longer changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Steady {
    /// Median latency of the first stretch.
    pub first_ms: Millis,
    /// Median latency of the last stretch.
    pub last_ms: Millis,
    /// How long one stretch was, s.
    pub stretch_s: f64,
    /// Stretches in all.
    pub stretches: u32,
    /// Whether the last two agreed.
    pub settled: bool,
    /// Over-current events meanwhile; `None` where the board counts none.
    pub throttle_events: Option<u64>,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// The item; of a model of several layers that was measured layer by layer, the item and the layer.
    pub item: String,
    /// The mode; `None` as the board stood.
    pub mode: Option<String>,
    /// How it ended.
    pub outcome: Outcome,
    /// How long it took, idle time and preparation included, s.
    pub seconds: f64,
    /// Why it failed or was skipped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Latencies, of networks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latency: Option<Latency>,
    /// How the board became steady, if that was waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub steady: Option<Steady>,
}

/// All records of a plan.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ProgressLog {
    /// The records, in the order in which they were written.
    pub records: Vec<Progress>,
    /// Damage to the file: a record that a power cut tore.
    pub damage: Damage,
    /// Records that this program does not understand.
    pub unknown: u64,
}

impl ProgressLog {
    /// Reads the log of a plan's folder; an empty one where there is none.
    ///
    /// ```
    /// use shared::campaign::ProgressLog;
    ///
    /// let plan = tempfile::tempdir()?;
    /// assert_eq!(ProgressLog::read(plan.path())?, ProgressLog::default());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    ///
    /// # Errors
    /// When the file cannot be read.
    pub fn read(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(PROGRESS_FILE);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(e) => return Err(Failure::io(&path, "read", &e)),
        };
        let mut frames = FrameReader::new(BufReader::new(file));
        let mut log = Self::default();
        while let Some(payload) = frames.next_frame().map_err(|e| Failure::io(&path, "read", &e))? {
            match serde_json::from_slice(&payload) {
                Ok(record) => log.records.push(record),
                Err(_) => log.unknown += 1,
            }
        }
        log.damage = frames.damage();
        Ok(log)
    }

    /// The last record of each item and mode, by mode and item.
    #[must_use]
    pub fn latest(&self) -> BTreeMap<(Option<&str>, &str), &Progress> {
        self.records.iter().map(|record| ((record.mode.as_deref(), record.item.as_str()), record)).collect()
    }

    /// How long everything took so far, s.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.records.iter().map(|record| record.seconds).sum()
    }
}

impl Progress {
    /// The record as the log holds it.
    ///
    /// # Errors
    /// Numbers that JSON cannot hold.
    pub fn encode(&self) -> Result<Vec<u8>, Failure> {
        serde_json::to_vec(self).map_err(|e| Failure::from_error(Kind::Data, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::frames::FrameWriter;

    fn record(item: &str, outcome: Outcome) -> Progress {
        Progress { item: item.into(), mode: None, outcome, seconds: 2.0, reason: None, latency: None, steady: None }
    }

    #[test]
    fn a_log_that_is_resumed_reads_as_one() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut writer = FrameWriter::start(Vec::new()).expect("memory");
        writer.append(&record("a", Outcome::Done).encode().expect("encodes")).expect("memory");
        let mut resumed = FrameWriter::resume(std::mem::take(writer.sink()), 1);
        resumed.append(&record("b", Outcome::Done).encode().expect("encodes")).expect("memory");
        std::fs::write(folder.path().join(PROGRESS_FILE), std::mem::take(resumed.sink())).expect("writes");
        let log = ProgressLog::read(folder.path()).expect("reads");
        assert!(log.damage.is_clean(), "{:?}", log.damage);
        assert_eq!(log.records.len(), 2);
    }

    #[test]
    fn a_torn_log_gives_the_records_before_and_the_last_of_each_item_counts() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let mut writer = FrameWriter::start(Vec::new()).expect("memory");
        for record in [record("a", Outcome::Failed), record("b", Outcome::Done), record("a", Outcome::Done)] {
            writer.append(&record.encode().expect("encodes")).expect("memory");
        }
        let whole = std::mem::take(writer.sink());
        std::fs::write(folder.path().join(PROGRESS_FILE), &whole).expect("writes");
        let log = ProgressLog::read(folder.path()).expect("reads");
        assert!(log.damage.is_clean() && log.latest()[&(None, "a")].outcome == Outcome::Done);
        assert!((log.seconds() - 6.0).abs() < 1e-12);
        std::fs::write(folder.path().join(PROGRESS_FILE), &whole[..whole.len() - 3]).expect("writes");
        let torn = ProgressLog::read(folder.path()).expect("reads");
        assert_eq!((torn.records.len(), torn.damage.is_clean()), (2, false));
        assert_eq!(torn.latest()[&(None, "a")].outcome, Outcome::Failed);
    }
}
