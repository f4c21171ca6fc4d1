//! Parts of a sample log as streams: the total's power readings, and the layers of each cycle.
//!
//! Both pass over damage as [`FrameReader`] does: what the checksums vouch for is read, the rest is not.

use super::diagnostics::Diagnostics;
use super::frames::FrameReader;
use super::manifest::{Clock, Manifest};
use super::readings::{CHUNK, PowerReading, PowerReadings};
use super::record::{LayerRun, Record, RecordKind};
use super::total::TotalReadings;
use std::io::{self, Read};

/// Reads the next record of one kind; records of this kind that cannot be decoded are noted.
fn next_of<R: Read>(
    frames: &mut FrameReader<R>,
    kind: RecordKind,
    diagnostics: &mut Diagnostics,
) -> io::Result<Option<Record>> {
    while let Some(payload) = frames.next_frame()? {
        if RecordKind::of(&payload) == Some(kind) {
            match Record::decode(&payload) {
                Ok(record) => return Ok(Some(record)),
                Err(error) => diagnostics.note(|| format!("frame {} {error}", frames.damage().frames)),
            }
        }
    }
    Ok(None)
}

/// Readings of the board's total out of a sample log, on the wall clock.
#[derive(Debug)]
pub struct SampleLogReadings<R> {
    frames: FrameReader<R>,
    total: TotalReadings,
    clock: Clock,
    diagnostics: Diagnostics,
}

impl<R: Read> SampleLogReadings<R> {
    /// Reads from the start of a log. The manifest says which rails make the total and how the log's clock relates to the
    /// wall clock.
    ///
    /// ```
    /// use shared::run_folder::frames::FrameWriter;
    /// use shared::run_folder::{Manifest, PowerReadings, Rail, Record, Sample, SampleLogReadings, Total};
    ///
    /// let mut manifest = Manifest::new("resnet18", "an example");
    /// manifest.power.rails = vec![Rail { label: "VDD_IN".into(), ..Rail::default() }];
    /// manifest.power.total = Total::Rail(0);
    /// let mut log = FrameWriter::start(Vec::new())?;
    /// log.append(&Record::Samples(vec![Sample { t_ns: 7, rail: 0, mv: 5000.0, ma: 1200.0 }]).encode())?;
    ///
    /// let mut readings = SampleLogReadings::new(log.sink().as_slice(), &manifest);
    /// let mut chunk = Vec::new();
    /// readings.read_chunk(&mut chunk)?;
    /// assert_eq!((chunk[0].wall_ns, chunk[0].power().0), (7, 6.0));
    /// # Ok::<(), std::io::Error>(())
    /// ```
    pub fn new(source: R, manifest: &Manifest) -> Self {
        Self {
            frames: FrameReader::new(source),
            total: TotalReadings::new(&manifest.power),
            clock: manifest.clock.clone(),
            diagnostics: Diagnostics::default(),
        }
    }
}

impl<R: Read> PowerReadings for SampleLogReadings<R> {
    fn read_chunk(&mut self, chunk: &mut Vec<PowerReading>) -> io::Result<()> {
        chunk.clear();
        while chunk.len() < CHUNK
            && let Some(record) = next_of(&mut self.frames, RecordKind::Samples, &mut self.diagnostics)?
        {
            let Record::Samples(samples) = record else { continue };
            for sample in samples {
                let Some((t_ns, voltage, current)) = self.total.push(sample) else { continue };
                if voltage.0.is_finite() && current.0.is_finite() {
                    chunk.push(PowerReading { wall_ns: self.clock.wall_ns(t_ns), voltage, current });
                } else {
                    self.diagnostics.note(|| format!("the sample at {t_ns} ns is not a finite number"));
                }
            }
        }
        Ok(())
    }

    fn diagnostics(&self) -> Diagnostics {
        self.diagnostics.clone()
    }
}

/// The layers of each cycle out of a sample log, in order.
#[derive(Debug)]
pub struct LayerCycles<R> {
    frames: FrameReader<R>,
    /// Records that could not be decoded.
    pub diagnostics: Diagnostics,
}

impl<R: Read> LayerCycles<R> {
    /// Reads from the start of a log.
    pub fn new(source: R) -> Self {
        Self { frames: FrameReader::new(source), diagnostics: Diagnostics::default() }
    }

    /// The next cycle's number and the runs of its layers, in the order of the manifest's `layers`; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_cycle(&mut self) -> io::Result<Option<(u32, Vec<LayerRun>)>> {
        match next_of(&mut self.frames, RecordKind::Layers, &mut self.diagnostics)? {
            Some(Record::Layers { cycle, runs }) => Ok(Some((cycle, runs))),
            _ => Ok(None),
        }
    }
}
