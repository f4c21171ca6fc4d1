//! What an alignment found and how far it can be trusted: the quality report.

use super::batch::InferenceCounts;
use super::evidence::FitChecks;
use super::excerpt::Excerpt;
use super::families::FamilySource;
use super::idle::IdleEnds;
use super::method::Method;
use super::response::FittedResponse;
use super::stamps::Stamps;
use super::survey::SensorReport;
use super::window::WindowCounts;
use serde::{Deserialize, Serialize};
use shared::device::Hardware;
use shared::run_folder::Diagnostics;
use shared::sensor::SensorFamily;
use shared::units::{Millijoules, Millis, Watts};

/// Version of the JSON report.
pub const SCHEMA_VERSION: u32 = 1;

/// How far a layer's power is the layer's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The readings tell it: they narrow it to less than half of what was possible before, and to within 15 %, after all that
    /// the fit's checks add.
    Measured,
    /// The readings and a model together tell it.
    Attributed,
    /// The readings do not tell this layer from others.
    NotIdentifiable,
}

impl Verdict {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Measured => "measured",
            Self::Attributed => "attributed",
            Self::NotIdentifiable => "not identifiable",
        }
    }
}

/// One layer of the report.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerReport {
    /// Position in execution order.
    pub index: usize,
    /// Position in the engine info, where the layer was found there.
    pub engine_index: Option<usize>,
    /// Name.
    pub name: String,
    /// TensorRT's type.
    pub layer_type: String,
    /// Runs.
    pub runs: u64,
    /// Mean run time; none without a run.
    #[serde(rename = "runtime_ms")]
    pub runtime: Option<Millis>,
    /// Its standard deviation; none for fewer than two runs.
    #[serde(rename = "runtime_deviation_ms")]
    pub runtime_deviation: Option<Millis>,
    /// Mean power while it runs, idle power included.
    #[serde(rename = "power_w")]
    pub power: Option<Watts>,
    /// Lower end of the 90 % interval.
    #[serde(rename = "power_low_w")]
    pub power_low: Option<Watts>,
    /// Upper end.
    #[serde(rename = "power_high_w")]
    pub power_high: Option<Watts>,
    /// Energy of one run, idle power included.
    #[serde(rename = "energy_mj")]
    pub energy: Option<Millijoules>,
    /// Readings that fell into its time.
    pub readings: u64,
    /// Independent readings that saw it.
    pub independent_samples: f64,
    /// How far the power is the layer's own.
    pub verdict: Verdict,
    /// Mean of the readings that EdgeProfiler's rule gives it, for comparison: in a window report only.
    pub window_rows: Option<u64>,
}

/// Neighbouring layers that the readings tell of together.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LayerGroup {
    /// Position of the first layer in execution order.
    pub first: usize,
    /// Position of the last.
    pub last: usize,
    /// Mean run time of all.
    #[serde(rename = "runtime_ms")]
    pub runtime: Millis,
    /// Mean power, idle power included.
    #[serde(rename = "power_w")]
    pub power: Option<Watts>,
    /// Lower end of the 90 % interval.
    #[serde(rename = "power_low_w")]
    pub power_low: Option<Watts>,
    /// Upper end.
    #[serde(rename = "power_high_w")]
    pub power_high: Option<Watts>,
    /// Energy of all, idle power included.
    #[serde(rename = "energy_mj")]
    pub energy: Option<Millijoules>,
    /// Half of its 90 % interval.
    #[serde(rename = "energy_half_mj")]
    pub energy_half: Option<Millijoules>,
    /// How far the power is the group's own.
    pub verdict: Verdict,
}

/// Energy of an inference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EnergyReport {
    /// Mean power over inferences and the time between them.
    #[serde(rename = "power_w")]
    pub power: Option<Watts>,
    /// Its standard error.
    #[serde(rename = "power_error_w")]
    pub power_error: Option<Watts>,
    /// Mean time from one inference to the next; none where EdgeProfiler's rule was used, which does not look for it.
    #[serde(rename = "period_ms")]
    pub period: Option<Millis>,
    /// Mean latency of an inference as the runner measured it.
    #[serde(rename = "latency_ms")]
    pub latency: Option<Millis>,
    /// Images in an inference, where known.
    pub batch_size: Option<u32>,
    /// Energy from one inference to the next.
    #[serde(rename = "energy_mj")]
    pub energy: Option<Millijoules>,
    /// Idle power: the mean over the run.
    #[serde(rename = "idle_w")]
    pub idle: Option<Watts>,
    /// Idle power before and after the run.
    #[serde(default)]
    pub idle_ends: IdleEnds,
    /// Energy less idle power.
    #[serde(rename = "net_energy_mj")]
    pub net_energy: Option<Millijoules>,
    /// Run time of all layers; none if one of them has none.
    #[serde(rename = "layers_ms")]
    pub layers_runtime: Option<Millis>,
    /// Energy of all layers.
    #[serde(rename = "layers_mj")]
    pub layers_energy: Option<Millijoules>,
    /// Power outside the layers.
    #[serde(rename = "outside_w")]
    pub outside_power: Option<Watts>,
    /// Half of its 90 % interval.
    #[serde(rename = "outside_half_w", default)]
    pub outside_half: Option<Watts>,
    /// Whether readings tell it; otherwise it is taken as idle power or a little more, and the layers' energy depends on it.
    #[serde(default)]
    pub outside_measured: bool,
    /// Energy outside the layers.
    #[serde(rename = "outside_mj")]
    pub outside_energy: Option<Millijoules>,
    /// Energy of layers and outside less measured energy, over the latter: rounding alone.
    pub closure: Option<f64>,
    /// The pass without the profiler, if the run has one: power, time and energy of an inference.
    pub unprofiled: Option<(Watts, Millis, Millijoules)>,
}

/// Power outside the layers, and how far it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(crate) struct OutsidePower {
    /// The power.
    pub(crate) power: Option<Watts>,
    /// Half of its 90 % interval.
    pub(crate) half: Option<Watts>,
    /// Whether readings tell it; otherwise it is a guess near idle power.
    pub(crate) measured: bool,
}

impl EnergyReport {
    /// Fills in what follows from the layers' powers and from the power outside them.
    pub(crate) fn close(&mut self, layers: &[LayerReport], outside: OutsidePower) {
        // A sum over no layers is not a measurement of nothing.
        let any = !layers.is_empty();
        self.layers_runtime = layers.iter().map(|l| l.runtime).sum::<Option<Millis>>().filter(|_| any);
        let outside_time = self.period.zip(self.layers_runtime).map(|(all, layers)| Millis((all - layers).0.max(0.0)));
        (self.outside_power, self.outside_half) = (outside.power, outside.half);
        self.outside_measured = outside.measured;
        self.outside_energy = outside.power.zip(outside_time).map(|(p, time)| p * time);
        self.layers_energy = layers.iter().map(|l| l.energy).sum::<Option<Millijoules>>().filter(|_| any);
        self.energy = self.power.zip(self.period).map(|(p, period)| p * period);
        self.net_energy = self.power.zip(self.idle).zip(self.period).map(|((p, idle), period)| (p - idle) * period);
        self.closure = match (self.layers_energy, self.outside_energy, self.energy) {
            (Some(layers), Some(outside), Some(all)) if all.0 > 0.0 => Some((layers + outside) / all - 1.0),
            _ => None,
        };
    }
}

/// The files that an alignment was read from, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Sources {
    /// Power: the agent's `samples.eplog`, or a power log in text.
    pub power: String,
    /// Layer times: the agent's `samples.eplog`, or `trt_layer_latency.json`.
    pub layers: String,
}

/// The mapping file that was written with a report, so that a later reader sees whether it is still the same.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MappingReport {
    /// Rows behind the header.
    pub rows: u64,
    /// Length of the file in bytes.
    pub bytes: u64,
}

/// Inferences and their stamps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineReport {
    /// What was found.
    #[serde(flatten)]
    pub counts: InferenceCounts,
    /// What the stamps mark.
    pub stamps: Stamps,
    /// Whether that was given, not found.
    pub stamps_given: bool,
    /// Interruptions, which are left out.
    pub pauses: u64,
    /// Inferences that began before the one before had ended.
    pub overlapping: u64,
    /// Names that several layers share.
    pub shared_names: usize,
    /// Layers of the engine without any measurement.
    pub unmeasured_layers: usize,
}

/// The whole report.
#[derive(Debug, Clone, Serialize)]
pub struct Quality {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The model.
    pub model: String,
    /// The device, a board in a power mode, if the run says.
    pub device: Option<String>,
    /// Board, mode, clocks and software, as the run recorded them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
    /// The method asked for.
    pub asked: Method,
    /// The method used.
    pub method: Method,
    /// Why.
    pub because: String,
    /// Share of the run time in layers whose power the readings tell; none where no power was measured.
    pub identified: Option<f64>,
    /// The sensor.
    pub sensor: SensorReport,
    /// The response that the fit used.
    pub response: Option<FittedResponse>,
    /// New readings used.
    pub samples: u64,
    /// Where the sensor's family comes from.
    pub family_from: FamilySource,
    /// The families compared: each with its log likelihood on held-out readings less the best one's.
    pub families: Vec<(SensorFamily, f64)>,
    /// How the fit was checked.
    pub checks: FitChecks,
    /// Standard deviation of a reading around the fit.
    #[serde(rename = "noise_w")]
    pub noise: Option<Watts>,
    /// Inferences.
    pub timeline: TimelineReport,
    /// Energy.
    pub energy: EnergyReport,
    /// Layers in execution order.
    pub layers: Vec<LayerReport>,
    /// Neighbouring layers that are measured together and not one by one.
    pub groups: Vec<LayerGroup>,
    /// Rows of EdgeProfiler's rule, when it was used.
    pub window: Option<WindowCounts>,
    /// The mapping file that belongs to this report, once it was written.
    pub mapping: Option<MappingReport>,
    /// The files that power and layer times were read from.
    pub read_from: Sources,
    /// What a reader should know of the data, in sentences.
    pub notes: Vec<String>,
    /// SHA-256 of each file that was read, by its name.
    pub made_from: Vec<(String, String)>,
    /// What to draw.
    #[serde(skip)]
    pub excerpt: Excerpt,
    /// The whole log in few points: seconds and watts.
    #[serde(skip)]
    pub trace: Vec<(f64, f64)>,
}

impl Quality {
    /// Adds a sentence about a file in which something could not be read.
    pub fn note_unreadable(&mut self, file: &str, diagnostics: &Diagnostics) {
        self.notes.extend(diagnostics.sentence().map(|sentence| format!("{file}: {sentence}")));
    }
}
