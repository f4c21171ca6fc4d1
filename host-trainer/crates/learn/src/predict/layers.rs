//! From an engine's layers to predictions.

use super::Models;
use crate::features::LayerSpec;
use crate::features::{Extraction, extract};
use crate::model::{Interval, Target};
use serde::Serialize;
use shared::engine::{Diagnostic, Engine, Layer, LayerKind, Table};
use shared::failure::Failure;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::{BTreeMap, BTreeSet};
use utoipa::ToSchema;

/// Where a number came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// A trained model.
    Model,
    /// For run time the roofline fitted from the training data, for power their median.
    Roofline,
    /// The layer launches nothing.
    Free,
    /// Nothing speaks for the layer; it is missing from the totals.
    Unmodelled,
}

impl Source {
    /// The word that tables carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Roofline => "roofline",
            Self::Free => "free",
            Self::Unmodelled => "unmodelled",
        }
    }
}

/// Bounds of a prediction.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, ToSchema)]
pub struct Bounds {
    /// Lower bound, in the prediction's unit.
    pub lower: f64,
    /// Upper bound.
    pub upper: f64,
    /// The probability with which a measurement lies between them.
    pub level: f64,
}

impl Bounds {
    pub(super) fn around(prediction: f64, interval: Option<Interval>) -> Option<Self> {
        interval.map(|i| Self { lower: prediction * i.lower_ratio, upper: prediction * i.upper_ratio, level: i.level })
    }
}

/// The prediction of one layer.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct LayerPrediction {
    /// Position in the engine.
    pub index: usize,
    /// Name.
    pub layer_name: String,
    /// TensorRT's type.
    pub layer_type: String,
    /// What it computes.
    #[schema(value_type = String)]
    pub kind: LayerKind,
    /// Mean power while it runs, W.
    #[schema(value_type = Option<f64>)]
    pub power_prediction: Option<Watts>,
    /// Run time, ms.
    #[schema(value_type = Option<f64>)]
    pub runtime_prediction: Option<Millis>,
    /// Energy, mJ.
    #[schema(value_type = Option<f64>)]
    pub energy_prediction: Option<Millijoules>,
    /// Bounds of the power, W.
    pub power_bounds: Option<Bounds>,
    /// Bounds of the run time, ms.
    pub runtime_bounds: Option<Bounds>,
    /// Where the run time came from.
    pub runtime_source: Source,
    /// Where the power came from.
    pub power_source: Source,
    /// Features outside the range that the models saw in training.
    pub outside_training_range: Vec<String>,
}

/// Sums over an engine.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Totals {
    /// Layers, those that launch nothing included.
    pub layers: usize,
    /// Run time of all layers, ms.
    #[schema(value_type = f64)]
    pub runtime_ms: Millis,
    /// Bounds of it.
    pub runtime_bounds: Option<Bounds>,
    /// Energy of all layers, mJ.
    #[schema(value_type = f64)]
    pub energy_mj: Millijoules,
    /// Bounds of it.
    pub energy_bounds: Option<Bounds>,
    /// Energy over run time, W.
    #[schema(value_type = Option<f64>)]
    pub average_power_w: Option<Watts>,
    /// Layers by the source of their run time.
    #[schema(value_type = BTreeMap<String, usize>)]
    pub layers_by_source: BTreeMap<&'static str, usize>,
    /// Share of the layers that launch something and whose run time a model predicts, in percent.
    pub layers_modelled_percent: f64,
    /// Share of the predicted run time that comes from models, in percent.
    pub runtime_modelled_percent: f64,
    /// Layers with a feature outside the training range.
    pub layers_outside_training_range: usize,
}

/// The prediction of an engine.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct Prediction {
    /// The device predicted.
    pub device: String,
    /// Layers in execution order.
    pub layers: Vec<LayerPrediction>,
    /// Sums.
    pub totals: Totals,
    /// What a user should know before trusting it.
    pub warnings: Vec<String>,
}

/// An engine to be predicted.
#[derive(Debug, Clone, Copy)]
pub struct Ask<'a> {
    /// The engine.
    pub engine: &'a Engine,
    /// What was odd about its engine info.
    pub diagnostics: &'a [Diagnostic],
    /// Its optimisation profile, where it has several.
    pub profile: usize,
}

/// The predictions of several engines.
#[derive(Debug)]
pub struct Answers {
    /// Each engine's prediction, in the order asked, or why there is none.
    pub predictions: Vec<Result<Prediction, Failure>>,
    /// Layers that went through a model; the others were like one of those, or known from before.
    pub rows_run: usize,
}

/// An engine on its way: the layers of its profile, and what is known of them so far.
struct Pending<'a> {
    layers: Vec<&'a Layer>,
    profiles: usize,
    out: Vec<LayerPrediction>,
}

impl<'a> Pending<'a> {
    fn new(ask: &Ask<'a>) -> Result<Self, Failure> {
        let profile = ask.profile;
        let profiles: BTreeSet<usize> = ask.engine.layers.iter().filter_map(|layer| layer.profile).collect();
        if !profiles.is_empty() && !profiles.contains(&profile) {
            let known: Vec<String> = profiles.iter().map(ToString::to_string).collect();
            return Err(Failure::usage(format!("the engine has no optimisation profile {profile}"))
                .help(format!("its profiles are {}", known.join(", "))));
        }
        let layers: Vec<&Layer> =
            ask.engine.layers.iter().filter(|layer| layer.profile.is_none_or(|p| p == profile)).collect();
        let out = layers.iter().map(|layer| untouched(layer)).collect();
        Ok(Self { layers, profiles: profiles.len(), out })
    }
}

impl Models {
    /// Predicts an engine. With several optimisation profiles, the layers of `profile` and those of no profile.
    ///
    /// # Errors
    /// A model that cannot be loaded or run, or an engine without layers of that profile.
    pub fn predict(&self, engine: &Engine, diagnostics: &[Diagnostic], profile: usize) -> Result<Prediction, Failure> {
        let mut answers = self.predict_all(&[Ask { engine, diagnostics, profile }])?;
        answers.predictions.pop().unwrap_or_else(|| Err(Failure::data("nothing was predicted")))
    }

    /// Predicts several engines as [`Models::predict`] does each, the layers of all of them together: each model runs once.
    ///
    /// # Errors
    /// A model that cannot be loaded or run. What is wrong with one engine is that engine's answer.
    pub fn predict_all(&self, asks: &[Ask<'_>]) -> Result<Answers, Failure> {
        let mut pending: Vec<Result<Pending<'_>, Failure>> = asks.iter().map(Pending::new).collect();
        let layers = || pending.iter().flatten().flat_map(|engine| &engine.layers);
        let tables: BTreeSet<Table> = layers().filter_map(|layer| layer.kind.table()).collect();
        self.load(&tables)?;
        let mut rows_run = 0;
        for target in Target::ALL {
            rows_run += self.by_models(&mut pending, target)?;
        }
        let predictions = pending.into_iter().zip(asks);
        let predictions = predictions.map(|(pending, ask)| pending.map(|engine| self.complete(engine, ask))).collect();
        Ok(Answers { predictions, rows_run })
    }

    /// Fills in what no model said, and sums up.
    fn complete(&self, engine: Pending<'_>, ask: &Ask<'_>) -> Prediction {
        let Pending { layers, profiles, mut out } = engine;
        let mut missing: BTreeMap<String, usize> = BTreeMap::new();
        for (layer, prediction) in layers.iter().zip(&mut out) {
            self.by_fallback(layer, prediction, &mut missing);
            if let (Some(power), Some(runtime)) = (prediction.power_prediction, prediction.runtime_prediction) {
                prediction.energy_prediction = Some(power * runtime);
            }
        }
        let totals = self.totals(&out);
        let mut warnings = self.warnings(&totals, &missing);
        if profiles > 1 {
            warnings.push(format!(
                "the engine has {profiles} optimisation profiles; this is number {}, others by --profile",
                ask.profile
            ));
        }
        warnings.extend(diagnostics_in_short(ask.diagnostics));
        Prediction { device: self.device().name.clone(), layers: out, totals, warnings }
    }

    /// Fills in one target of all layers that have a model for it, table by table in one batch each. Returns how many
    /// layers went through a model.
    fn by_models(&self, engines: &mut [Result<Pending<'_>, Failure>], target: Target) -> Result<usize, Failure> {
        let mut batches: BTreeMap<Table, Vec<(usize, usize, LayerSpec)>> = BTreeMap::new();
        for (e, engine) in engines.iter().enumerate() {
            let Ok(engine) = engine else { continue };
            for (i, layer) in engine.layers.iter().enumerate() {
                let Some(loaded) = layer.kind.table().and_then(|table| self.get(table, target)) else { continue };
                if let Ok(shape) = extract(layer, loaded.card.extraction)
                    && shape.table() == loaded.card.layer_kind
                {
                    batches.entry(shape.table()).or_default().push((e, i, shape));
                }
            }
        }
        let mut rows_run = 0;
        for (table, batch) in batches {
            let Some(loaded) = self.get(table, target) else { continue };
            let shapes: Vec<&LayerSpec> = batch.iter().map(|(_, _, shape)| shape).collect();
            let (said, run) = loaded.predict(&shapes)?;
            rows_run += run;
            for ((e, i, _), said) in batch.iter().zip(said) {
                let Ok(engine) = &mut engines[*e] else { continue };
                let (value, layer) = (f64::from(said.value), &mut engine.out[*i]);
                let bounds = Bounds::around(value, loaded.interval());
                match target {
                    Target::Power => {
                        (layer.power_prediction, layer.power_bounds) = (Some(Watts(value)), bounds);
                        layer.power_source = Source::Model;
                    }
                    Target::Runtime => {
                        (layer.runtime_prediction, layer.runtime_bounds) = (Some(Millis(value)), bounds);
                        layer.runtime_source = Source::Model;
                    }
                }
                for name in said.outside.iter() {
                    if !layer.outside_training_range.contains(name) {
                        layer.outside_training_range.push(name.clone());
                    }
                }
            }
        }
        Ok(rows_run)
    }

    /// Fills in what no model predicted: nothing for layers that launch nothing, the roofline's run time and the median
    /// power for those whose work is known.
    fn by_fallback(&self, layer: &Layer, out: &mut LayerPrediction, missing: &mut BTreeMap<String, usize>) {
        if layer.kind.is_free() {
            (out.runtime_prediction, out.runtime_source) = (Some(Millis(0.0)), Source::Free);
            (out.power_prediction, out.power_source) = (None, Source::Free);
            out.energy_prediction = Some(Millijoules(0.0));
            return;
        }
        // What an opaque subgraph does inside is not told, so that bytes at its edge would be a guess far too low.
        let opaque = matches!(layer.kind, LayerKind::Foreign | LayerKind::Plugin | LayerKind::Unknown);
        if out.runtime_prediction.is_none() && !opaque {
            let shape = extract(layer, Extraction::default());
            if let (Some(roofline), Ok(shape)) = (&self.device().roofline, shape) {
                out.runtime_prediction = Some(roofline.runtime(&shape.work(), shape.bits()));
                out.runtime_source = Source::Roofline;
            }
        }
        if out.runtime_prediction.is_none() {
            *missing.entry(layer.layer_type.clone()).or_default() += 1;
        } else if out.power_prediction.is_none()
            && let Some(median) = self.device().median_power_w
        {
            (out.power_prediction, out.power_source) = (Some(Watts(median)), Source::Roofline);
        }
    }

    fn totals(&self, layers: &[LayerPrediction]) -> Totals {
        let runtime: Millis = layers.iter().filter_map(|l| l.runtime_prediction).sum();
        let energy: Millijoules = layers.iter().filter_map(|l| l.energy_prediction).sum();
        let has_power = layers.iter().any(|l| l.power_prediction.is_some());
        let modelled = |l: &&LayerPrediction| l.runtime_source == Source::Model;
        let modelled_runtime: Millis = layers.iter().filter(modelled).filter_map(|l| l.runtime_prediction).sum();
        let launching = layers.iter().filter(|l| l.runtime_source != Source::Free).count();
        let percent = |part: f64, whole: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
        let mut by_source: BTreeMap<&'static str, usize> = BTreeMap::new();
        for layer in layers {
            *by_source.entry(layer.runtime_source.name()).or_default() += 1;
        }
        Totals {
            layers: layers.len(),
            runtime_ms: runtime,
            runtime_bounds: Bounds::around(runtime.0, self.device().runtime_total),
            energy_mj: energy,
            energy_bounds: Bounds::around(energy.0, self.device().energy_total).filter(|_| has_power),
            average_power_w: (has_power && runtime.0 > 0.0).then(|| energy / runtime),
            layers_modelled_percent: percent(layers.iter().filter(modelled).count() as f64, launching as f64),
            runtime_modelled_percent: percent(modelled_runtime.0, runtime.0),
            layers_outside_training_range: layers.iter().filter(|l| !l.outside_training_range.is_empty()).count(),
            layers_by_source: by_source,
        }
    }

    fn warnings(&self, totals: &Totals, missing: &BTreeMap<String, usize>) -> Vec<String> {
        let mut warnings = Vec::new();
        if !missing.is_empty() {
            let list: Vec<String> = missing.iter().map(|(name, count)| format!("{count} × {name}")).collect();
            warnings.push(format!("nothing predicts {}; the totals lack them", list.join(", ")));
        }
        let roofline = totals.layers_by_source.get(Source::Roofline.name()).copied().unwrap_or(0);
        if roofline > 0 {
            warnings.push(format!(
                "{roofline} of {} layers have no model and take the roofline's run time, {:.1} % of the total",
                totals.layers,
                100.0 - totals.runtime_modelled_percent
            ));
        }
        if totals.layers_outside_training_range > 0 {
            warnings.push(format!(
                "{} layers lie outside the range that training saw; their numbers are extrapolated",
                totals.layers_outside_training_range
            ));
        }
        if totals.average_power_w.is_none() {
            warnings.push(format!(
                "no power was measured on {}: neither power nor energy is predicted",
                self.device().name
            ));
        }
        warnings.extend(self.device().notes.iter().cloned());
        let notes: BTreeSet<&String> = self.cards().flat_map(|card| &card.notes).collect();
        warnings.extend(notes.into_iter().cloned());
        warnings
    }
}

fn untouched(layer: &Layer) -> LayerPrediction {
    LayerPrediction {
        index: layer.index,
        layer_name: layer.name.clone(),
        layer_type: layer.layer_type.clone(),
        kind: layer.kind,
        power_prediction: None,
        runtime_prediction: None,
        energy_prediction: None,
        power_bounds: None,
        runtime_bounds: None,
        runtime_source: Source::Unmodelled,
        power_source: Source::Unmodelled,
        outside_training_range: Vec::new(),
    }
}

/// The first few oddities of the engine info, and how many more there are.
fn diagnostics_in_short(diagnostics: &[Diagnostic]) -> Vec<String> {
    const SHOWN: usize = 5;
    let mut lines: Vec<String> = diagnostics.iter().take(SHOWN).map(ToString::to_string).collect();
    if diagnostics.len() > SHOWN {
        lines.push(format!("… and {} more oddities in the engine info", diagnostics.len() - SHOWN));
    }
    lines
}
