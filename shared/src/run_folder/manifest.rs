//! The manifest of a run: what was measured, how, on what, and by which clock.

use super::counts::{Counts, Pass};
use super::design::Design;
use super::rail::Rail;
use super::status::Status;
use crate::device::Clocks;
use crate::failure::{Failure, Kind};
use crate::fs::{read_capped, write_atomic};
use crate::limits;
use crate::power_modes::PowerModes;
use crate::text::json;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::Path;

/// Version of the manifest's schema and of the records in the sample log.
pub const SCHEMA_VERSION: u32 = 1;

/// Everything about a run that is not a measurement. What could not be found out is `None` or empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`SCHEMA_VERSION`] of the program that wrote it.
    pub schema_version: u32,
    /// The model's name; the run folder and the reference-format files carry it.
    pub model: String,
    /// The program that wrote it, with its version.
    pub program: String,
    /// How the run ended.
    pub status: Status,
    /// What went wrong, when something did.
    pub failure: Option<String>,
    /// The clock that every `_ns` in the sample log was read from.
    pub clock: Clock,
    /// Where the power figures come from.
    pub power: PowerSetup,
    /// What ran the engine.
    pub runner: RunnerSetup,
    /// How layer times were taken.
    pub layer_times: LayerTimes,
    /// Layer names in execution order; layer records in the log follow it. Names may repeat.
    pub layers: Vec<String>,
    /// The passes, in the order in which they ran.
    pub passes: Vec<PassSpan>,
    /// How many records the log holds; filled when the run is sealed.
    pub counts: Counts,
    /// How well the sampling went; filled when the run is sealed.
    pub sampling: Option<SamplingReport>,
    /// The board.
    pub board: Board,
    /// What `jetson-agent doctor` found before the run.
    pub checks: Vec<Check>,
    /// The experiment whose main run this is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub design: Option<Design>,
}

impl Manifest {
    /// A manifest of a run that has just begun, with nothing found out yet.
    #[must_use]
    pub fn new(model: &str, program: &str) -> Self {
        Self {
            schema_version: SCHEMA_VERSION,
            model: model.to_owned(),
            program: program.to_owned(),
            status: Status::Running,
            failure: None,
            clock: Clock::default(),
            power: PowerSetup::default(),
            runner: RunnerSetup::default(),
            layer_times: LayerTimes::default(),
            layers: Vec::new(),
            passes: Vec::new(),
            counts: Counts::default(),
            sampling: None,
            board: Board::default(),
            checks: Vec::new(),
            design: None,
        }
    }
}

impl Manifest {
    /// Reads a manifest.
    ///
    /// # Errors
    /// When it cannot be read, or was written by a later version.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
        let manifest: Self = json::from_slice(&content).map_err(|e| Failure::from_error(Kind::Data, e).at(path))?;
        if manifest.schema_version > SCHEMA_VERSION {
            return Err(Failure::data(format!(
                "has schema version {}, this program reads up to {}",
                manifest.schema_version, SCHEMA_VERSION
            ))
            .at(path)
            .help("update this program"));
        }
        Ok(manifest)
    }

    /// Writes a manifest atomically.
    ///
    /// # Errors
    /// When it cannot be written.
    pub fn write(&self, path: &Path) -> Result<(), Failure> {
        let mut text = serde_json::to_vec_pretty(self).map_err(|e| Failure::from_error(Kind::Data, e).at(path))?;
        text.push(b'\n');
        write_atomic(path, &text)
    }
}

/// How monotonic stamps relate to the wall clock.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Clock {
    /// Unix time minus monotonic time in ns, measured at the start; one offset for the whole run, so that a jump of
    /// the wall clock cannot move samples against layers.
    pub wall_minus_monotonic_ns: i64,
    /// Monotonic time of that measurement.
    pub measured_at_ns: u64,
    /// The offset at the end, minus the one at the start: what the wall clock jumped or drifted by meanwhile.
    pub drift_ns: Option<i64>,
}

impl Clock {
    /// Monotonic to wall-clock time (Unix ns).
    #[must_use]
    pub fn wall_ns(&self, monotonic_ns: u64) -> i64 {
        i64::try_from(monotonic_ns).unwrap_or(i64::MAX).saturating_add(self.wall_minus_monotonic_ns)
    }
}

/// A power source and its rails.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct PowerSetup {
    /// The kind of source: `hwmon`, `iio`, `ina238`, `nvml`, `serial`, `powercap`, `simulated`, `replay`.
    pub source: String,
    /// The rails; a sample's `rail` is an index into this list.
    pub rails: Vec<Rail>,
    /// What the board draws as a whole.
    pub total: Total,
    /// Sampling rate asked for in Hz; `None` is as fast as the source answers.
    pub requested_hz: Option<f64>,
}

/// What stands for the board's total.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Total {
    /// Nothing does.
    #[default]
    Unknown,
    /// One rail measures it (index into `rails`).
    Rail(u8),
    /// No rail measures it; the sum of these, which leaves out whatever no sensor sees.
    Sum(Vec<u8>),
}

/// What ran the engine.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct RunnerSetup {
    /// The kind of runner: `trtexec`, `tensorrt`, `onnxruntime`, `simulated`, `none`.
    pub runner: String,
    /// Version of TensorRT or of the runtime used.
    pub version: Option<String>,
    /// Command line of a child process.
    pub command: Vec<String>,
    /// The engine or ONNX file, with its SHA-256 where it was read.
    pub source: Option<String>,
    /// SHA-256 of that file.
    pub source_sha256: Option<String>,
    /// Input shapes by tensor.
    pub shapes: BTreeMap<String, Vec<i64>>,
    /// `fp32`, `fp16`, `int8`, `best`, as asked for.
    pub precision: Option<String>,
    /// Batch size, where known.
    pub batch: Option<u32>,
    /// Warm-up cycles asked for.
    pub warmup: u32,
    /// Measured cycles asked for.
    pub runs: u32,
    /// How long the host waits between two inferences on top of its own gap, µs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pause_us: Option<f64>,
}

/// What a layer's stamp in the log marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LayerStamp {
    /// Taken in the profiler's callback, which comes after the whole inference: all layers of a cycle lie within
    /// microseconds. It is not when the layer ended. The reference's way.
    Callback,
    /// The layer's end: the inference's start plus the durations up to and with the layer.
    #[default]
    LayerEnd,
    /// The pass's end: one averaged entry a layer, not one a cycle.
    PassAverage,
}

/// How layer times were taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LayerTimes {
    /// What the stamps mark.
    pub stamp: LayerStamp,
    /// Whether they come from the pass in which power was measured; else from a pass of their own.
    pub with_power: bool,
    /// Cycles that one entry averages over (1 when there is one entry a cycle).
    pub cycles_per_entry: u32,
}

/// When a pass ran.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PassSpan {
    /// Which.
    pub pass: Pass,
    /// Cycles it ran.
    pub cycles: u32,
    /// Its start, monotonic ns.
    pub start_ns: u64,
    /// Its end, monotonic ns.
    pub end_ns: u64,
    /// How far start and end may be off in ns, when they were not stamped by the runner itself.
    pub uncertainty_ns: u64,
}

/// How well sampling went.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SamplingReport {
    /// Readings a second, of all rails together as one reading.
    pub achieved_hz: f64,
    /// Standard deviation of the time between readings in µs.
    pub jitter_us: f64,
    /// Longest time between readings in ms.
    pub longest_gap_ms: f64,
    /// Readings that came later than twice the period asked for or seen.
    pub missed: u64,
    /// Readings that failed.
    pub failed: u64,
    /// Refresh period of the sensor in ms, from how long values repeat; `None` when it never showed.
    pub refresh_ms: Option<f64>,
    /// CPU time of the whole agent over wall time (1 is one core).
    pub cpu_share: f64,
    /// CPU time of the whole agent while it sampled, s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_cpu_s: Option<f64>,
    /// What the agent itself drew at most, J: its CPU time at the mean power of the whole board, since one core never draws more than
    /// the board. `None` where no rail or sum of rails stands for the board.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_joules_at_most: Option<f64>,
    /// Whether the sampling thread had real-time priority.
    pub realtime: bool,
    /// Lines or packets of a meter that came and were no reading.
    #[serde(default)]
    pub rejected: u64,
    /// What went wrong without ending the run, one sentence each: rails that could not be read, what a meter lost.
    #[serde(default)]
    pub notes: Vec<String>,
}

/// The board, as far as it could be probed.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Board {
    /// Device-tree model, else the machine's product name.
    pub model: Option<String>,
    /// L4T release (`36.4.0`).
    pub l4t: Option<String>,
    /// JetPack version that this L4T release belongs to.
    pub jetpack: Option<String>,
    /// Kernel release.
    pub kernel: Option<String>,
    /// Power mode by number.
    pub power_mode: Option<u32>,
    /// Power mode by name.
    pub power_mode_name: Option<String>,
    /// Whether clocks are locked (minimum equals maximum).
    pub clocks_locked: Option<bool>,
    /// Fan speed: PWM from 0 to 255.
    pub fan_pwm: Option<u32>,
    /// Host name is left out on purpose: run folders are shared.
    pub cpus: Option<u32>,
    /// Memory in bytes.
    pub memory_bytes: Option<u64>,
    /// The device tree's list of what the board is compatible with, separated by commas: it names the module.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compatible: Option<String>,
    /// All power modes that the board offers, with the caps that they put on clocks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub power_modes: Option<PowerModes>,
    /// Highest clocks that are allowed at the start of the run.
    #[serde(default, skip_serializing_if = "Clocks::is_unknown")]
    pub clocks: Clocks,
    /// The fan's profile by name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fan_profile: Option<String>,
}

/// What a check found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// As it should be.
    Pass,
    /// It can be measured, but read the advice.
    Warn,
    /// It cannot be measured.
    Fail,
}

/// One check of the board before a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// What was checked.
    pub name: String,
    /// What was found.
    pub verdict: Verdict,
    /// In a sentence.
    pub message: String,
    /// The next step, unless it passed.
    pub advice: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_survives_json_and_newer_fields_do_not_break_it() {
        let manifest = Manifest::new("resnet18", "jetson-agent 0.1.0");
        let mut value = serde_json::to_value(&manifest).expect("serialises");
        value["a_later_field"] = serde_json::json!(1);
        let back: Manifest = serde_json::from_value(value).expect("reads");
        assert_eq!(back, manifest);
    }

    #[test]
    fn wall_time_is_monotonic_time_and_one_offset() {
        let clock = Clock { wall_minus_monotonic_ns: 1_700_000_000_000_000_000, measured_at_ns: 5, drift_ns: None };
        assert_eq!(clock.wall_ns(1_000), 1_700_000_000_000_001_000);
    }
}
