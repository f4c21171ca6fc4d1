//! What an alignment found and how far it can be trusted: the quality report.

use super::attribute::Picture;
use super::cycles::{Counts, Stamps};
use super::design::Response;
use super::power::Oddities;
use super::sensor::Sensor;
use super::window;
use serde::{Deserialize, Serialize};

/// Version of the JSON report.
pub const SCHEMA_VERSION: u32 = 1;

/// How layer powers are found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Method {
    /// Whichever the data allow.
    #[default]
    Auto,
    /// The reference's rule: the mean of the readings in a layer's window.
    Window,
    /// Least squares through the sensor's response.
    Deconvolve,
    /// Measured energy shared out by run time and activity.
    Share,
    /// One power for each kind of layer, from the totals of several networks.
    Totals,
}

impl Method {
    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Window => "window",
            Self::Deconvolve => "deconvolve",
            Self::Share => "share",
            Self::Totals => "totals",
        }
    }
}

/// How far a layer's power is the layer's own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The readings tell it: they narrow it to less than half of what was possible before, and to within 15 %.
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
    /// Name.
    pub name: String,
    /// TensorRT's type.
    pub layer_type: String,
    /// Runs.
    pub runs: u64,
    /// Mean run time in ms.
    pub runtime_ms: f64,
    /// Its standard deviation.
    pub runtime_deviation_ms: f64,
    /// Mean power while it runs, idle power included, in W.
    pub power_w: Option<f64>,
    /// Lower end of the 90 % interval.
    pub power_low_w: Option<f64>,
    /// Upper end.
    pub power_high_w: Option<f64>,
    /// Energy of one run, idle power included, in mJ.
    pub energy_mj: Option<f64>,
    /// Readings that fell into its time.
    pub readings: u64,
    /// Independent readings that saw it.
    pub independent_samples: f64,
    /// How far the power is the layer's own.
    pub verdict: Verdict,
    /// Mean of the readings that the reference's rule gives it, for comparison: in a window report only.
    pub window_rows: Option<u64>,
}

/// Energy of an inference.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct EnergyReport {
    /// Mean power over inferences and the time between them, in W.
    pub power_w: Option<f64>,
    /// Its standard error.
    pub power_error_w: Option<f64>,
    /// Mean time from one inference to the next, in ms.
    pub period_ms: f64,
    /// Mean latency of an inference as the runner measured it, in ms.
    pub latency_ms: Option<f64>,
    /// Images an inference, where known.
    pub batch_size: Option<u32>,
    /// Energy from one inference to the next, in mJ.
    pub energy_mj: Option<f64>,
    /// Idle power in W.
    pub idle_w: Option<f64>,
    /// Energy less idle power, in mJ.
    pub net_energy_mj: Option<f64>,
    /// Run time of all layers, in ms.
    pub layers_ms: f64,
    /// Energy of all layers, in mJ.
    pub layers_mj: Option<f64>,
    /// Power outside the layers, in W.
    pub outside_w: Option<f64>,
    /// Energy outside the layers, in mJ.
    pub outside_mj: Option<f64>,
    /// Energy of layers and outside less measured energy, over the latter: rounding alone.
    pub closure: Option<f64>,
    /// The pass without the profiler, if the run has one: power in W, time and energy of an inference in ms and mJ.
    pub unprofiled: Option<(f64, f64, f64)>,
}

/// Inferences and their stamps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TimelineReport {
    /// What was found.
    #[serde(flatten)]
    pub counts: Counts,
    /// What the stamps mark.
    pub stamps: Stamps,
    /// Whether that was told, not found.
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
    /// The board, if the run says.
    pub device: Option<String>,
    /// The method asked for.
    pub asked: Method,
    /// The method used.
    pub method: Method,
    /// Why.
    pub because: String,
    /// Share of the run time in layers whose power the readings tell.
    pub identified: f64,
    /// The sensor.
    pub sensor: Sensor,
    /// The response that the fit used, in µs.
    pub response: Option<Response>,
    /// New readings used.
    pub samples: u64,
    /// How many of them count as one independent reading.
    pub inflation: f64,
    /// Share of the readings' scatter that a fit to other readings predicts.
    pub predicted: Option<f64>,
    /// Standard deviation of a reading around the fit, in W.
    pub noise_w: Option<f64>,
    /// Inferences.
    pub timeline: TimelineReport,
    /// Energy.
    pub energy: EnergyReport,
    /// Layers in execution order.
    pub layers: Vec<LayerReport>,
    /// Rows of the reference's rule, when it was used.
    pub window: Option<window::Counts>,
    /// What was odd, in sentences.
    pub notes: Vec<String>,
    /// SHA-256 of each file that was read, by its name.
    pub made_from: Vec<(String, String)>,
    /// What to draw.
    #[serde(skip)]
    pub picture: Picture,
    /// The whole log in few points: seconds and watts.
    #[serde(skip)]
    pub trace: Vec<(f64, f64)>,
}

impl Quality {
    /// Adds a sentence for each file in which something could not be read.
    pub fn note_oddities(&mut self, file: &str, oddities: &Oddities) {
        if oddities.bad > 0 {
            let more = oddities.bad - oddities.named.len() as u64;
            let rest = if more > 0 { format!("; and {more} more") } else { String::new() };
            self.notes.push(format!("{file}: {} unreadable: {}{rest}", oddities.bad, oddities.named.join("; ")));
        }
    }
}
