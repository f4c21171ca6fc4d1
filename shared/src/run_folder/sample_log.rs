//! Reading a run's sample log: records out of frames, streamed or collected.

use super::counts::{Counts, Pass};
use super::frames::{Damage, FrameReader};
use super::manifest::Manifest;
use super::record::{BoardState, Event, InferenceSpan, LayerRun, Record, RecordError, Sample};
use crate::failure::Failure;
use std::fs::File;
use std::io::{BufReader, Read};
use std::path::Path;

/// Reads records in order. A whole frame that is not a record of this version is yielded as an error and reading goes on.
#[derive(Debug)]
pub struct SampleLogReader<R> {
    frames: FrameReader<R>,
}

impl<R: Read> SampleLogReader<R> {
    /// Reads from the start of a log.
    pub fn new(source: R) -> Self {
        Self { frames: FrameReader::new(source) }
    }

    /// What was damaged; complete once the iterator ended.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.frames.damage()
    }
}

impl<R: Read> Iterator for SampleLogReader<R> {
    type Item = std::io::Result<Result<Record, RecordError>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.frames.next_frame().transpose().map(|frame| frame.map(|payload| Record::decode(&payload)))
    }
}

/// Everything that a log holds, in memory.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LogContent {
    /// The last manifest in the log.
    pub manifest: Option<Manifest>,
    /// Power samples in the order in which they were written.
    pub samples: Vec<Sample>,
    /// Inferences with their pass.
    pub inferences: Vec<(Pass, InferenceSpan)>,
    /// Layers by cycle.
    pub layers: Vec<(u32, Vec<LayerRun>)>,
    /// The board over time.
    pub states: Vec<BoardState>,
    /// What happened.
    pub events: Vec<Event>,
    /// What the log should hold, if it was sealed.
    pub seal: Option<Counts>,
    /// What it does hold.
    pub counts: Counts,
    /// Damage to its frames.
    pub damage: Damage,
    /// Frames that were whole but hold no record of this version.
    pub unknown_records: u64,
}

/// Reads a whole log. Memory: about the size of the file.
///
/// ```
/// use shared::run_folder::frames::FrameWriter;
/// use shared::run_folder::{Record, Sample, read_sample_log};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("samples.eplog");
/// let mut log = FrameWriter::start(std::fs::File::create(&path)?)?;
/// log.append(&Record::Samples(vec![Sample { t_ns: 7, rail: 0, mv: 5000.0, ma: 1200.0 }]).encode())?;
///
/// let content = read_sample_log(&path)?;
/// assert_eq!(content.counts.samples, 1);
/// assert!(content.damage.is_clean() && content.seal.is_none());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Only when the file cannot be opened or read. Damage is reported in the result.
pub fn read_sample_log(path: &Path) -> Result<LogContent, Failure> {
    let file = File::open(path).map_err(|e| Failure::io(path, "read", &e))?;
    let mut reader = SampleLogReader::new(BufReader::new(file));
    let mut content = LogContent::default();
    for record in &mut reader {
        match record.map_err(|e| Failure::io(path, "read", &e))? {
            Ok(record) => content.add(record),
            Err(_) => content.unknown_records += 1,
        }
    }
    content.damage = reader.damage();
    Ok(content)
}

impl LogContent {
    fn add(&mut self, record: Record) {
        self.counts.add(&record);
        match record {
            Record::Manifest(manifest) => self.manifest = Some(*manifest),
            Record::Samples(samples) => self.samples.extend(samples),
            Record::Inferences(pass, spans) => self.inferences.extend(spans.into_iter().map(|span| (pass, span))),
            Record::Layers { cycle, runs } => self.layers.push((cycle, runs)),
            Record::State(state) => self.states.push(state),
            Record::Event(event) => self.events.push(event),
            Record::Seal(counts) => self.seal = Some(counts),
        }
    }

    /// Inferences of one pass, in order.
    pub fn inferences_of(&self, pass: Pass) -> impl Iterator<Item = InferenceSpan> + '_ {
        self.inferences.iter().filter(move |(p, _)| *p == pass).map(|(_, span)| *span)
    }
}

#[cfg(test)]
mod tests {
    use super::super::frames::FrameWriter;
    use super::*;

    #[test]
    fn a_log_cut_anywhere_gives_back_its_whole_records() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("samples.eplog");
        let mut writer = FrameWriter::start(Vec::new()).expect("memory");
        let mut ends = Vec::new();
        for i in 0..6_u64 {
            let samples =
                (0..3).map(|j| Sample { t_ns: i * 100 + j, rail: 0, mv: 5008.0, ma: 1096.0 + j as f32 }).collect();
            writer.append(&Record::Samples(samples).encode()).expect("memory");
            ends.push(writer.sink().len());
        }
        let bytes = std::mem::take(writer.sink());
        for cut in 0..=bytes.len() {
            std::fs::write(&path, &bytes[..cut]).expect("writes");
            let content = read_sample_log(&path).expect("reads");
            let whole = ends.iter().filter(|&&end| end <= cut).count() as u64;
            assert_eq!((content.damage.frames, content.counts.samples), (whole, whole * 3), "cut at {cut}");
            assert!(content.samples.windows(2).all(|pair| pair[0].t_ns < pair[1].t_ns));
        }
    }
}
