//! One side of a comparison: an engine's layers with what is known of their cost.

use crate::operators::{is_conversion, operators};
use learn::predict::{Bounds, Part, Prediction, Source, Total};
use memory::Memory;
use shared::engine::{Engine, Layer, LayerKind, Precision, named};
use shared::units::{Millijoules, Millis, Watts};

/// Where a side's figures come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Models of a device.
    Predicted {
        /// The device.
        device: String,
    },
    /// A measurement.
    Measured,
}

/// A layer of a side.
#[derive(Debug, Clone, PartialEq)]
pub struct SideLayer {
    /// Position in the engine.
    pub index: usize,
    /// Name, as TensorRT wrote it.
    pub name: String,
    /// TensorRT's type.
    pub layer_type: String,
    /// What it computes.
    pub kind: LayerKind,
    /// The operators of the model that it contains.
    pub operators: Vec<String>,
    /// The number format that it computes in.
    pub precision: Option<Precision>,
    /// Dimensions of its first output; empty if unknown.
    pub output: Vec<i64>,
    /// Number of its weights.
    pub weights: Option<u64>,
    /// Run time.
    pub runtime: Option<Millis>,
    /// Power.
    pub power: Option<Watts>,
    /// Energy.
    pub energy: Option<Millijoules>,
    /// Whether it launches nothing.
    pub is_free: bool,
    /// Whether a feature lies outside the training range of the model that predicted it.
    pub outside_training_range: bool,
}

impl SideLayer {
    /// A layer of which only the name is known.
    #[must_use]
    pub fn named(index: usize, name: &str) -> Self {
        Self::of(&named(index, name.to_owned()))
    }

    /// A layer of an engine, without any cost unless it launches nothing.
    #[must_use]
    pub fn of(layer: &Layer) -> Self {
        let free = layer.kind.is_free();
        Self {
            index: layer.index,
            name: layer.name.clone(),
            layer_type: layer.layer_type.clone(),
            kind: layer.kind,
            operators: operators(&layer.fused),
            precision: layer.precision(),
            output: layer.output().map(|tensor| tensor.dims.clone()).unwrap_or_default(),
            weights: layer.weights.map(|weights| weights.count),
            runtime: free.then_some(Millis(0.0)),
            power: None,
            energy: free.then_some(Millijoules(0.0)),
            is_free: free,
            outside_training_range: false,
        }
    }

    /// Whether it converts a tensor's layout or number format and computes nothing that the model asks for.
    #[must_use]
    pub fn is_conversion(&self) -> bool {
        !self.is_free && is_conversion(self.kind, &self.layer_type, &self.name, &self.operators)
    }

    /// Whether it multiplies: convolutions and matrix products, with weights or with activations.
    #[must_use]
    pub fn is_weighted(&self) -> bool {
        self.kind.multiplies()
    }
}

/// One side of a comparison.
#[derive(Debug, Clone, PartialEq)]
pub struct Side {
    /// Its name: that of the file.
    pub name: String,
    /// Where its figures come from.
    pub origin: Origin,
    /// Layers in execution order.
    pub layers: Vec<SideLayer>,
    /// Bounds of the run time in ms, where a prediction gives any.
    pub runtime_bounds: Option<Bounds>,
    /// Bounds of the energy in mJ.
    pub energy_bounds: Option<Bounds>,
    /// Bounds of the mean power in W.
    pub power_bounds: Option<Bounds>,
    /// Share of the run time that models predict, in percent; none for a measurement.
    pub coverage_percent: Option<f64>,
    /// The memory that the engine takes, where its tensors are known.
    pub memory: Option<Memory>,
    /// What a user should know before trusting the figures.
    pub warnings: Vec<String>,
}

impl Side {
    /// A side whose layers were measured.
    #[must_use]
    pub fn measured(name: &str, layers: Vec<SideLayer>) -> Self {
        Self {
            name: name.to_owned(),
            origin: Origin::Measured,
            layers,
            runtime_bounds: None,
            energy_bounds: None,
            power_bounds: None,
            coverage_percent: None,
            memory: None,
            warnings: Vec::new(),
        }
    }

    /// A side from an engine and its prediction.
    #[must_use]
    pub fn predicted(name: &str, engine: &Engine, prediction: &Prediction) -> Self {
        let layers = prediction.layers.iter().map(|predicted| {
            let described = match engine.layers.get(predicted.index) {
                Some(layer) => SideLayer::of(layer),
                None => SideLayer::named(predicted.index, &predicted.layer_name),
            };
            SideLayer {
                runtime: predicted.row.runtime_prediction,
                power: predicted.row.power_prediction,
                energy: predicted.row.energy_prediction,
                is_free: predicted.row.runtime_source == Source::Free,
                outside_training_range: !predicted.row.outside_training_range.is_empty(),
                ..described
            }
        });
        let totals = &prediction.totals;
        Self {
            name: name.to_owned(),
            origin: Origin::Predicted { device: prediction.device.clone() },
            layers: layers.collect(),
            runtime_bounds: totals.runtime_bounds,
            energy_bounds: totals.energy_bounds,
            power_bounds: totals.average_power_bounds,
            coverage_percent: totals.runtime_modelled_percent,
            memory: Some(prediction.memory.clone()),
            warnings: prediction
                .warnings
                .iter()
                .cloned()
                .chain(prediction.corrections.iter().map(|c| format!("not in the totals: {}", c.sentence())))
                .collect(),
        }
    }

    fn total<U: Copy + std::iter::Sum<U>>(&self, figure: impl Fn(&SideLayer) -> Option<U>) -> Total<U> {
        Total::of(self.layers.iter().map(|layer| Part {
            layer_type: &layer.layer_type,
            is_free: layer.is_free,
            figure: figure(layer),
        }))
    }

    /// Run time of all layers.
    #[must_use]
    pub fn runtime(&self) -> Total<Millis> {
        self.total(|layer| layer.runtime)
    }

    /// Energy of all layers.
    #[must_use]
    pub fn energy(&self) -> Total<Millijoules> {
        self.total(|layer| layer.energy)
    }

    /// Energy over run time; none if either is not known as a whole.
    #[must_use]
    pub fn average_power(&self) -> Option<Watts> {
        let runtime = self.runtime().whole().filter(|runtime| runtime.0 > 0.0)?;
        Some(self.energy().whole()? / runtime)
    }

    /// Layers whose figures are extrapolated.
    #[must_use]
    pub fn layers_outside_training_range(&self) -> usize {
        self.layers.iter().filter(|layer| layer.outside_training_range).count()
    }
}
