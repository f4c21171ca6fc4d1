//! What the frames of a run's sample log hold.
//!
//! A payload is one kind byte and little-endian numbers; rare records are JSON after their kind byte. Every instant is
//! monotonic time (`CLOCK_MONOTONIC`) in nanoseconds; [`super::Clock`] in the manifest, and the log's first record, give
//! the offset to the wall clock. The log alone suffices to write the rest of a run folder again.

use super::counts::{Counts, Pass};
use super::manifest::Manifest;
use crate::units::{Milliamps, Millivolts, Watts};
use serde::{Deserialize, Serialize};

/// One reading of one rail.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Sample {
    /// When the reading was complete, monotonic ns.
    pub t_ns: u64,
    /// The rail: an index into the manifest's `rails`.
    pub rail: u8,
    /// Bus voltage in mV; nominal where the manifest says the rail gives power alone.
    pub mv: f32,
    /// Current in mA.
    pub ma: f32,
}

impl Sample {
    /// Voltage times current.
    #[must_use]
    pub fn power(&self) -> Watts {
        Millivolts(f64::from(self.mv)) * Milliamps(f64::from(self.ma))
    }
}

/// Start and end of one inference.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InferenceSpan {
    /// The cycle, from 0 within its pass.
    pub cycle: u32,
    /// When the inference was handed to the engine, monotonic ns.
    pub start_ns: u64,
    /// When its result was there, monotonic ns.
    pub end_ns: u64,
}

/// One layer's run in one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerRun {
    /// Duration in ms.
    pub ms: f32,
    /// The layer's stamp, monotonic ns. What it stamps is the manifest's `layer_times.stamp`.
    pub stamp_ns: u64,
}

/// The board's state at one moment.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct BoardState {
    /// Monotonic ns.
    pub t_ns: u64,
    /// Temperatures in °C by thermal zone.
    pub temperatures_c: Vec<(String, f64)>,
    /// Clocks in MHz by unit (`gpu`, `cpu0`, `emc`).
    pub clocks_mhz: Vec<(String, f64)>,
    /// GPU load from 0 to 1, where told.
    pub gpu_load: Option<f64>,
    /// Over-current and thermal throttle events counted since boot, by counter.
    pub throttle_events: Vec<(String, u64)>,
}

/// Something that happened: a pass began, the sensor vanished, the wall clock jumped.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Monotonic ns.
    pub t_ns: u64,
    /// A word for programs: `pass_started`, `sensor_lost`, `clock_jump`, …
    pub kind: String,
    /// A sentence for people.
    pub message: String,
}

/// One record of the log.
#[derive(Debug, Clone, PartialEq)]
pub enum Record {
    /// The manifest as it stood; the log's first record, and once more when the run was sealed.
    Manifest(Box<Manifest>),
    /// Power samples, in order of time within a rail.
    Samples(Vec<Sample>),
    /// Inferences of one pass.
    Inferences(Pass, Vec<InferenceSpan>),
    /// The layers of one cycle of the profiled pass, in the order of the manifest's `layers`.
    Layers {
        /// The cycle, from 0.
        cycle: u32,
        /// One entry a layer.
        runs: Vec<LayerRun>,
    },
    /// The board's state.
    State(BoardState),
    /// Something that happened.
    Event(Event),
    /// The run was sealed: the counts that the log must hold up to here.
    Seal(Counts),
}

impl Counts {
    /// Adds what a record holds.
    pub fn add(&mut self, record: &Record) {
        match record {
            Record::Samples(samples) => self.samples += samples.len() as u64,
            Record::Inferences(Pass::Power, spans) => self.power_inferences += spans.len() as u64,
            Record::Inferences(Pass::Profiled, spans) => self.profiled_inferences += spans.len() as u64,
            Record::Layers { .. } => self.layer_cycles += 1,
            _ => {}
        }
    }
}

/// A payload that is not a record: written by another version, or a fault of the writer. Its checksum was right.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("is not a record of this version: {0}")]
pub struct RecordError(String);

const MANIFEST: u8 = 1;
const SAMPLES: u8 = 2;
const INFERENCES: u8 = 3;
const LAYERS: u8 = 4;
const STATE: u8 = 5;
const EVENT: u8 = 6;
const SEAL: u8 = 7;

/// What a record is, known from its payload's first byte alone: a reader that wants one kind need not decode the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecordKind {
    /// [`Record::Manifest`].
    Manifest,
    /// [`Record::Samples`].
    Samples,
    /// [`Record::Inferences`].
    Inferences,
    /// [`Record::Layers`].
    Layers,
    /// [`Record::State`].
    State,
    /// [`Record::Event`].
    Event,
    /// [`Record::Seal`].
    Seal,
}

impl RecordKind {
    /// The kind of a frame's payload; `None` for kinds of other versions and for an empty payload.
    #[must_use]
    pub fn of(payload: &[u8]) -> Option<Self> {
        Some(match *payload.first()? {
            MANIFEST => Self::Manifest,
            SAMPLES => Self::Samples,
            INFERENCES => Self::Inferences,
            LAYERS => Self::Layers,
            STATE => Self::State,
            EVENT => Self::Event,
            SEAL => Self::Seal,
            _ => return None,
        })
    }
}

impl Record {
    /// Encodes a record as a frame's payload.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Manifest(manifest) => json(MANIFEST, manifest),
            Self::State(state) => json(STATE, state),
            Self::Event(event) => json(EVENT, event),
            Self::Seal(counts) => json(SEAL, counts),
            Self::Samples(samples) => {
                let mut out = Vec::with_capacity(1 + samples.len() * 17);
                out.push(SAMPLES);
                for sample in samples {
                    out.extend_from_slice(&sample.t_ns.to_le_bytes());
                    out.push(sample.rail);
                    out.extend_from_slice(&sample.mv.to_le_bytes());
                    out.extend_from_slice(&sample.ma.to_le_bytes());
                }
                out
            }
            Self::Inferences(pass, spans) => {
                let mut out = Vec::with_capacity(2 + spans.len() * 20);
                out.extend([
                    INFERENCES,
                    match pass {
                        Pass::Warmup => 0,
                        Pass::Power => 1,
                        Pass::Profiled => 2,
                    },
                ]);
                for span in spans {
                    out.extend_from_slice(&span.cycle.to_le_bytes());
                    out.extend_from_slice(&span.start_ns.to_le_bytes());
                    out.extend_from_slice(&span.end_ns.to_le_bytes());
                }
                out
            }
            Self::Layers { cycle, runs } => {
                let mut out = Vec::with_capacity(5 + runs.len() * 12);
                out.push(LAYERS);
                out.extend_from_slice(&cycle.to_le_bytes());
                for run in runs {
                    out.extend_from_slice(&run.ms.to_le_bytes());
                    out.extend_from_slice(&run.stamp_ns.to_le_bytes());
                }
                out
            }
        }
    }

    /// Decodes a frame's payload.
    ///
    /// # Errors
    /// When it is not a record of this version.
    pub fn decode(payload: &[u8]) -> Result<Self, RecordError> {
        let (&kind, body) = payload.split_first().ok_or_else(|| RecordError("is empty".into()))?;
        Ok(match kind {
            MANIFEST => Self::Manifest(Box::new(parse_json(body)?)),
            STATE => Self::State(parse_json(body)?),
            EVENT => Self::Event(parse_json(body)?),
            SEAL => Self::Seal(parse_json(body)?),
            SAMPLES => {
                let mut samples = Vec::with_capacity(body.len() / 17);
                for entry in entries(body, 17)? {
                    let (mut rest, mut rail) = (entry, [0]);
                    let t_ns = u64::from_le_bytes(take(&mut rest));
                    rail.copy_from_slice(&take::<1>(&mut rest));
                    let (mv, ma) = (f32::from_le_bytes(take(&mut rest)), f32::from_le_bytes(take(&mut rest)));
                    samples.push(Sample { t_ns, rail: rail[0], mv, ma });
                }
                Self::Samples(samples)
            }
            INFERENCES => {
                let (&pass, body) = body.split_first().ok_or_else(|| RecordError("a pass is missing".into()))?;
                let pass = match pass {
                    0 => Pass::Warmup,
                    1 => Pass::Power,
                    2 => Pass::Profiled,
                    other => return Err(RecordError(format!("pass {other} is unknown"))),
                };
                let mut spans = Vec::with_capacity(body.len() / 20);
                for mut entry in entries(body, 20)? {
                    let cycle = u32::from_le_bytes(take(&mut entry));
                    let start_ns = u64::from_le_bytes(take(&mut entry));
                    spans.push(InferenceSpan { cycle, start_ns, end_ns: u64::from_le_bytes(take(&mut entry)) });
                }
                Self::Inferences(pass, spans)
            }
            LAYERS => {
                if body.len() < 4 {
                    return Err(RecordError("a cycle number is missing".into()));
                }
                let (mut head, body) = body.split_at(4);
                let mut runs = Vec::with_capacity(body.len() / 12);
                for mut entry in entries(body, 12)? {
                    let ms = f32::from_le_bytes(take(&mut entry));
                    runs.push(LayerRun { ms, stamp_ns: u64::from_le_bytes(take(&mut entry)) });
                }
                Self::Layers { cycle: u32::from_le_bytes(take(&mut head)), runs }
            }
            other => return Err(RecordError(format!("kind {other} is unknown"))),
        })
    }
}

fn json<T: Serialize>(kind: u8, value: &T) -> Vec<u8> {
    let mut out = vec![kind];
    // These types hold strings, numbers and lists alone, which always serialise; an empty object would be refused on
    // reading rather than pass for data.
    out.extend(serde_json::to_vec(value).unwrap_or_default());
    out
}

fn parse_json<'a, T: Deserialize<'a>>(body: &'a [u8]) -> Result<T, RecordError> {
    serde_json::from_slice(body).map_err(|e| RecordError(e.to_string()))
}

fn entries(body: &[u8], size: usize) -> Result<std::slice::ChunksExact<'_, u8>, RecordError> {
    if body.len().is_multiple_of(size) {
        Ok(body.chunks_exact(size))
    } else {
        Err(RecordError(format!("{} bytes are no whole number of {size}-byte entries", body.len())))
    }
}

/// Takes bytes from an entry whose size was checked.
fn take<const N: usize>(rest: &mut &[u8]) -> [u8; N] {
    let mut out = [0; N];
    let (head, tail) = rest.split_at(N);
    out.copy_from_slice(head);
    *rest = tail;
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn samples() -> impl Strategy<Value = Record> {
        proptest::collection::vec((any::<u64>(), any::<u8>(), -1e6_f32..1e6, -1e6_f32..1e6), 0..40).prop_map(|v| {
            Record::Samples(v.into_iter().map(|(t_ns, rail, mv, ma)| Sample { t_ns, rail, mv, ma }).collect())
        })
    }

    fn others() -> impl Strategy<Value = Record> {
        prop_oneof![
            proptest::collection::vec(any::<(u32, u64, u64)>(), 0..20).prop_map(|v| Record::Inferences(
                Pass::Profiled,
                v.into_iter().map(|(cycle, start_ns, end_ns)| InferenceSpan { cycle, start_ns, end_ns }).collect()
            )),
            (any::<u32>(), proptest::collection::vec((0.0_f32..1e3, any::<u64>()), 0..20)).prop_map(|(cycle, v)| {
                Record::Layers { cycle, runs: v.into_iter().map(|(ms, stamp_ns)| LayerRun { ms, stamp_ns }).collect() }
            }),
            (any::<u64>(), ".*", ".*").prop_map(|(t_ns, kind, message)| Record::Event(Event { t_ns, kind, message })),
        ]
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(record in prop_oneof![samples(), others()]) {
            prop_assert_eq!(Record::decode(&record.encode()), Ok(record));
        }

        #[test]
        fn no_payload_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Record::decode(&bytes);
        }
    }

    #[test]
    fn a_manifest_travels_in_the_log() {
        let record = Record::Manifest(Box::new(Manifest::new("resnet18", "test")));
        assert_eq!(Record::decode(&record.encode()), Ok(record));
    }
}
