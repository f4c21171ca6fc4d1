//! Sums over an engine's layers.

use super::estimate::{Bounds, RowPrediction, Source};
use crate::model::Device;
use serde::Serialize;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::BTreeMap;
use utoipa::ToSchema;

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

impl Totals {
    /// Sums rows up; bounds are those of the device for whole networks.
    pub(super) fn of<'a>(rows: impl Iterator<Item = &'a RowPrediction> + Clone, device: &Device) -> Self {
        let runtime: Millis = rows.clone().filter_map(|row| row.runtime_prediction).sum();
        let energy: Millijoules = rows.clone().filter_map(|row| row.energy_prediction).sum();
        let has_power = rows.clone().any(|row| row.power_prediction.is_some());
        let modelled = || rows.clone().filter(|row| row.runtime_source == Source::Model);
        let modelled_runtime: Millis = modelled().filter_map(|row| row.runtime_prediction).sum();
        let launching = rows.clone().filter(|row| row.runtime_source != Source::Free).count();
        let percent = |part: f64, whole: f64| if whole > 0.0 { 100.0 * part / whole } else { 0.0 };
        let mut by_source: BTreeMap<&'static str, usize> = BTreeMap::new();
        for row in rows.clone() {
            *by_source.entry(row.runtime_source.name()).or_default() += 1;
        }
        Self {
            layers: rows.clone().count(),
            runtime_ms: runtime,
            runtime_bounds: Bounds::around(runtime.0, device.runtime_total),
            energy_mj: energy,
            energy_bounds: Bounds::around(energy.0, device.energy_total).filter(|_| has_power),
            average_power_w: (has_power && runtime.0 > 0.0).then(|| energy / runtime),
            layers_modelled_percent: percent(modelled().count() as f64, launching as f64),
            runtime_modelled_percent: percent(modelled_runtime.0, runtime.0),
            layers_outside_training_range: rows.filter(|row| !row.outside_training_range.is_empty()).count(),
            layers_by_source: by_source,
        }
    }
}
