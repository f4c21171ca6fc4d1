//! The prediction of layers: by the model of their table, else by the roofline and the median power.

use super::models::Models;
use crate::features::LayerSpec;
use crate::model::{Interval, Target};
use serde::{Deserialize, Serialize};
use shared::engine::Table;
use shared::failure::Failure;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
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
    /// Nothing predicts the layer; it is missing from the totals.
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
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
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

/// One target of one layer, predicted.
#[derive(Debug, Clone, PartialEq)]
pub struct Estimate {
    /// W or ms.
    pub value: f64,
    /// Bounds as ratios, where a model or the roofline gives any.
    pub interval: Option<Interval>,
    /// Where the number came from.
    pub source: Source,
    /// Features outside the range that the model saw in training.
    pub outside_range: Arc<[String]>,
}

/// A layer to be estimated: the rows that describe it to each way of predicting.
#[derive(Debug, Clone, Copy)]
pub(super) struct Rows<'a> {
    /// For the model of its table, read as that model's training rows were; none where the model cannot take it.
    pub(super) model: Option<&'a LayerSpec>,
    /// For the roofline; none where its work is unknown.
    pub(super) roofline: Option<&'a LayerSpec>,
}

/// Estimates of some layers, in their order, and how many of the layers went through a model.
pub(super) type Estimates = (Vec<Option<Estimate>>, usize);

impl Models {
    /// Predicts one target of some layers, each by the model of its table, else run time by the roofline and power by the
    /// median. None for a layer that nothing predicts.
    ///
    /// # Errors
    /// A model that cannot be loaded or run.
    pub fn predict_target(&self, target: Target, layers: &[&LayerSpec]) -> Result<Vec<Option<Estimate>>, Failure> {
        self.load(&tables(layers))?;
        Ok(self.estimate(target, &rows(layers))?.0)
    }

    /// Predicts power, run time and energy of some layers; also returns how many went through a model.
    ///
    /// ```
    /// use learn::features::{DenseShape, LayerShape, LayerSpec};
    /// use learn::predict::Source;
    /// # use learn::{model::Device, predict::Models};
    /// # let device = Device { name: "board".into(), roofline: None, median_power_w: Some(6.5),
    /// #     ..Device::default() };
    /// # let models = Models::of(device, vec![], "models".as_ref());
    ///
    /// let shape = DenseShape { batch: 1.0, input: 512.0, output: 1000.0, weights: None };
    /// let layer = LayerSpec { shape: LayerShape::Dense(shape), precision: None };
    /// let (rows, run) = models.predict_rows(&[&layer])?;
    /// // This device has a median power, but neither a model nor a roofline.
    /// assert_eq!((rows[0].power_prediction.map(|p| p.0), rows[0].power_source), (Some(6.5), Source::Roofline));
    /// assert_eq!((rows[0].runtime_prediction, rows[0].runtime_source), (None, Source::Unmodelled));
    /// assert_eq!(run, 0);
    /// # Ok::<(), shared::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// A model that cannot be loaded or run.
    pub fn predict_rows(&self, layers: &[&LayerSpec]) -> Result<(Vec<RowPrediction>, usize), Failure> {
        self.load(&tables(layers))?;
        let rows = rows(layers);
        let (power, power_run) = self.estimate(Target::Power, &rows)?;
        let (runtime, runtime_run) = self.estimate(Target::Runtime, &rows)?;
        let rows = power.into_iter().zip(runtime).map(|(power, runtime)| RowPrediction::of(power, runtime)).collect();
        Ok((rows, power_run + runtime_run))
    }

    /// Predicts one target from rows of features in the order of the model's card, whatever layers they may describe.
    ///
    /// # Errors
    /// No model of that table and target, one that cannot be loaded or run, or rows of another width.
    pub fn predict_features(&self, table: Table, target: Target, rows: &[f64]) -> Result<Vec<f64>, Failure> {
        self.load(&BTreeSet::from([table]))?;
        let loaded = self
            .get(table, target)
            .ok_or_else(|| Failure::data(format!("there is no {} model of {} layers", target.name(), table.name())))?;
        loaded.run(rows)
    }

    /// Estimates one target of layers whose models are loaded. Each model runs once.
    pub(super) fn estimate(&self, target: Target, layers: &[Rows<'_>]) -> Result<Estimates, Failure> {
        let mut estimates: Vec<Option<Estimate>> = Vec::with_capacity(layers.len());
        let mut batches: BTreeMap<Table, Vec<(usize, &LayerSpec)>> = BTreeMap::new();
        for (i, rows) in layers.iter().enumerate() {
            let model = rows.model.filter(|row| self.get(row.table(), target).is_some());
            if let Some(row) = model {
                batches.entry(row.table()).or_default().push((i, row));
            }
            estimates.push(if model.is_some() { None } else { self.without_model(target, rows.roofline) });
        }
        let mut rows_run = 0;
        for (table, batch) in batches {
            let Some(model) = self.get(table, target) else { continue };
            let (places, rows): (Vec<usize>, Vec<&LayerSpec>) = batch.into_iter().unzip();
            let (outputs, run) = model.predict(&rows)?;
            rows_run += run;
            for (place, output) in places.into_iter().zip(outputs) {
                let value = f64::from(output.value);
                let own = model.card.interval.map(|interval| interval.widened(output.widening));
                let interval = if output.outside.is_empty() {
                    own.or_else(|| self.unseen_kind(target))
                } else {
                    let roofline = self.without_model(target, layers[place].roofline);
                    extrapolated(value, own, roofline.as_ref())
                };
                estimates[place] =
                    Some(Estimate { value, interval, source: Source::Model, outside_range: output.outside });
            }
        }
        Ok((estimates, rows_run))
    }

    /// Run time by the roofline, power by the median of the training rows.
    fn without_model(&self, target: Target, row: Option<&LayerSpec>) -> Option<Estimate> {
        let value = match target {
            Target::Runtime => self.device().roofline.as_ref()?.runtime(&row?.work(), row?.bits()).0,
            Target::Power => self.device().median_power_w?,
        };
        let interval = self.unseen_kind(target);
        Some(Estimate { value, interval, source: Source::Roofline, outside_range: Arc::default() })
    }

    /// Bounds of a run time of which no held-out layer tells: as wide as for a kind that training did not see.
    fn unseen_kind(&self, target: Target) -> Option<Interval> {
        match target {
            Target::Runtime => self.device().roofline.as_ref()?.unseen_kind,
            Target::Power => None,
        }
    }
}

/// Bounds of a run time that a model extrapolates: trees and saturating terms stay near what training saw, and held-out layers of
/// that range do not tell how far off they are. They reach from the lower to the higher bound of model and roofline, where the
/// roofline has any.
fn extrapolated(value: f64, own: Option<Interval>, roofline: Option<&Estimate>) -> Option<Interval> {
    let Some((other, bounds)) = roofline.and_then(|estimate| Some((estimate.value, estimate.interval?))) else {
        return own;
    };
    if value <= 0.0 {
        return own;
    }
    let own = own.unwrap_or(bounds);
    Some(Interval {
        level: own.level.min(bounds.level),
        lower_ratio: own.lower_ratio.min(bounds.lower_ratio * other / value),
        upper_ratio: own.upper_ratio.max(bounds.upper_ratio * other / value),
        ..bounds
    })
}

fn tables(layers: &[&LayerSpec]) -> BTreeSet<Table> {
    layers.iter().map(|layer| layer.table()).collect()
}

fn rows<'a>(layers: &[&'a LayerSpec]) -> Vec<Rows<'a>> {
    layers.iter().map(|layer| Rows { model: Some(layer), roofline: Some(layer) }).collect()
}

/// The prediction of one row, both targets.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RowPrediction {
    /// Mean power while the layer runs, W.
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

impl RowPrediction {
    /// The prediction of a layer that launches nothing: no time, no energy.
    pub(super) fn free() -> Self {
        Self {
            runtime_prediction: Some(Millis(0.0)),
            energy_prediction: Some(Millijoules(0.0)),
            runtime_source: Source::Free,
            power_source: Source::Free,
            ..Self::of(None, None)
        }
    }

    /// From the estimates of both targets; energy where there are both.
    pub(super) fn of(power: Option<Estimate>, runtime: Option<Estimate>) -> Self {
        let bounds = |e: &Option<Estimate>| e.as_ref().and_then(|e| Bounds::around(e.value, e.interval));
        let source = |e: &Option<Estimate>| e.as_ref().map_or(Source::Unmodelled, |e| e.source);
        let mut outside: Vec<String> = Vec::new();
        for name in power.iter().chain(&runtime).flat_map(|estimate| estimate.outside_range.iter()) {
            if !outside.contains(name) {
                outside.push(name.clone());
            }
        }
        let watts = power.as_ref().map(|e| Watts(e.value));
        let millis = runtime.as_ref().map(|e| Millis(e.value));
        Self {
            power_prediction: watts,
            runtime_prediction: millis,
            energy_prediction: watts.zip(millis).map(|(power, runtime)| power * runtime),
            power_bounds: bounds(&power),
            runtime_bounds: bounds(&runtime),
            runtime_source: source(&runtime),
            power_source: source(&power),
            outside_training_range: outside,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_extrapolated_time_is_bounded_by_model_and_roofline() {
        let bounds =
            |ratio: f64, level| Interval { level, lower_ratio: 1.0 / ratio, upper_ratio: ratio, rows: 9, networks: 3 };
        let roofline =
            |value, interval| Estimate { value, interval, source: Source::Roofline, outside_range: Arc::default() };
        // The model says 1 ms, the roofline 4 ms give or take a factor of 2.
        let far = roofline(4.0, Some(bounds(2.0, 0.6)));
        let found = extrapolated(1.0, Some(bounds(1.1, 0.9)), Some(&far)).expect("bounds");
        assert_eq!((found.level, found.upper_ratio), (0.6, 8.0));
        assert!((found.lower_ratio - 1.0 / 1.1).abs() < 1e-12, "{found:?}");
        // Without bounds of a roofline, those of the model stay.
        assert_eq!(extrapolated(1.0, Some(bounds(1.1, 0.9)), Some(&roofline(4.0, None))), Some(bounds(1.1, 0.9)));
        assert_eq!(extrapolated(1.0, None, None), None);
    }
}
