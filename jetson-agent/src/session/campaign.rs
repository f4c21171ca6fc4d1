//! The state of a campaign: which items are done, and how that is recorded.

use crate::sys;
use shared::campaign::{Latency, Outcome, PROGRESS_FILE, Progress, ProgressLog};
use shared::failure::{Failure, Kind};
use shared::run_folder::frames::FrameWriter;
use shared::run_folder::{Pass, RunFolder, read_sample_log};
use shared::units::Millis;
use std::fs::{File, OpenOptions};
use std::io::{Seek, SeekFrom};
use std::path::{Path, PathBuf};

/// The log of a campaign, open for writing and locked against a second session.
#[derive(Debug)]
pub struct CampaignLog {
    writer: FrameWriter<File>,
    path: PathBuf,
    log: ProgressLog,
}

impl CampaignLog {
    /// Opens the log of a plan's folder; makes it where there is none, and cuts off what a power cut tore.
    ///
    /// # Errors
    /// When another session has it open, or it cannot be read or written.
    pub fn open(folder: &Path) -> Result<Self, Failure> {
        let path = folder.join(PROGRESS_FILE);
        let failed = |e: std::io::Error| Failure::io(&path, "open", &e);
        let mut file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed)?;
        if !sys::try_lock(&file) {
            return Err(Failure::new(Kind::Io, "is being written by another session").at(&path));
        }
        let log = ProgressLog::read(folder)?;
        let length = file.seek(SeekFrom::End(0)).map_err(failed)?;
        let whole = length.saturating_sub(log.damage.torn_bytes);
        if whole < length {
            file.set_len(whole).map_err(failed)?;
        }
        let writer = match whole {
            0 => FrameWriter::start(file).map_err(failed)?,
            _ => FrameWriter::resume(file, u32::try_from(log.damage.frames + log.damage.missing).unwrap_or(u32::MAX)),
        };
        Ok(Self { writer, path, log })
    }

    /// Everything recorded so far.
    #[must_use]
    pub fn log(&self) -> &ProgressLog {
        &self.log
    }

    /// How an item ended, if it did.
    #[must_use]
    pub fn outcome(&self, mode: Option<&str>, item: &str) -> Option<Outcome> {
        let of_item = |record: &&Progress| record.mode.as_deref() == mode && record.item == item;
        self.log.records.iter().rev().find(of_item).map(|record| record.outcome)
    }

    /// Records how an item ended, so that it survives a power cut.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn record(&mut self, record: Progress) -> Result<(), Failure> {
        let payload = record.encode()?;
        let written = self.writer.append(&payload).and_then(|()| self.writer.sink().sync_data());
        written.map_err(|e| Failure::io(&self.path, "append to", &e))?;
        self.log.records.push(record);
        Ok(())
    }
}

/// The latencies of a run's power pass; none where it has no inferences.
///
/// # Errors
/// When its log cannot be read.
pub fn latency(run: &RunFolder) -> Result<Option<Latency>, Failure> {
    let content = read_sample_log(&run.sample_log())?;
    let spans = content.inferences_of(Pass::Power);
    let mut ms: Vec<f64> = spans.map(|span| span.end_ns.saturating_sub(span.start_ns) as f64 * 1e-6).collect();
    ms.sort_by(f64::total_cmp);
    let at = |share: f64| Millis(ms[((share * ms.len() as f64).ceil() as usize).clamp(1, ms.len()) - 1]);
    Ok((!ms.is_empty()).then(|| Latency { p50_ms: at(0.5), p90_ms: at(0.9), p99_ms: at(0.99) }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(item: &str) -> Progress {
        Progress {
            item: item.into(),
            mode: None,
            outcome: Outcome::Done,
            seconds: 1.0,
            reason: None,
            latency: None,
            steady: None,
        }
    }

    #[test]
    fn a_log_cut_at_every_byte_goes_on() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join(PROGRESS_FILE);
        let mut log = CampaignLog::open(folder.path()).expect("opens");
        for item in ["a", "b", "c"] {
            log.record(record(item)).expect("records");
        }
        assert!(CampaignLog::open(folder.path()).is_err(), "two sessions at once");
        drop(log);
        let whole = std::fs::read(&path).expect("reads");
        for cut in 0..whole.len() {
            std::fs::write(&path, &whole[..cut]).expect("writes");
            let mut log = CampaignLog::open(folder.path()).expect("opens");
            let before = log.log().records.len();
            log.record(record("d")).expect("records");
            drop(log);
            let read = ProgressLog::read(folder.path()).expect("reads");
            assert!(read.damage.is_clean(), "{cut}: {:?}", read.damage);
            assert_eq!((read.records.len(), read.records[before].item.as_str()), (before + 1, "d"), "{cut}");
        }
    }
}
