//! The values that a report shows. Reading them from files is the caller's task.

use super::choice::EngineModes;
use super::trainings::Trainings;
use learn::evaluate::{Curve, Effects, EvaluationRow, Pair};
use learn::features::{Extraction, extract};
use learn::model::{Card, Device};
use learn::predict::Prediction;
use learn::training::TrainingData;
use shared::engine::{Engine, Layer, Work};
use std::collections::BTreeMap;

/// The content of a report on the models of one device. [`Report::render`] makes a page of it.
#[derive(Debug)]
pub struct Report<'a> {
    /// The device.
    pub device: &'a Device,
    /// Cards of the device's models.
    pub cards: Vec<Card>,
    /// The data that the models are judged on.
    pub data: &'a TrainingData,
    /// Every measurement with its prediction.
    pub pairs: Vec<Pair>,
    /// The metrics of those pairs, by kind and target.
    pub lines: Vec<EvaluationRow>,
    /// Diagnostics: irregular data, and what could not be evaluated.
    pub notes: Vec<String>,
    /// Engines to show layer by layer.
    pub engines: Vec<EngineView>,
    /// A learning curve, with the model kind that was fitted for it.
    pub curve: Option<(String, Curve)>,
    /// Permutation importance of the features.
    pub importance: Option<Effects>,
    /// Tuning studies and batches.
    pub trainings: Trainings,
}

/// An engine to show.
#[derive(Debug, Clone)]
pub struct EngineView {
    /// Its name.
    pub name: String,
    /// Its prediction.
    pub prediction: Prediction,
    /// The work of its layers by index, where it is known.
    pub work: BTreeMap<usize, Work<f64>>,
    /// The engine in the power modes of the device's board, where their clocks are known.
    pub modes: Option<EngineModes>,
}

/// The work of each layer whose shapes the engine info holds, by layer index.
///
/// ```
/// let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../sample_data/resnet18_trt_engine_info.json");
/// let (engine, _) = shared::engine::parse(&std::fs::read(path).expect("a sample"))?;
/// let work = report::work_of(&engine);
/// assert!(work.values().any(|work| work.macs.is_some_and(|macs| macs > 1e8)));
/// # Ok::<(), shared::engine::EngineInfoError>(())
/// ```
#[must_use]
pub fn work_of(engine: &Engine) -> BTreeMap<usize, Work<f64>> {
    let work = |layer: &Layer| {
        let spec = extract(layer, Extraction::default()).ok()?;
        Some((layer.index, spec.work()))
    };
    engine.layers.iter().filter_map(work).collect()
}
