//! Simple model kinds, fitted by cross-validation on the data that models are evaluated on: what a model is worth shows beside
//! them.

use super::measurand::Measurand;
use crate::fit::cross_validation::{fit_folds, folds_by_network, held_out_predictions};
use crate::fit::estimator::{AboveFloor, Estimator};
use crate::fit::kinds::Kind;
use crate::fit::plan::{EvaluationSettings, Plan};
use crate::fit::train::{FitJob, LayerId, LayerPredictions, layer_dataset, learns_from_totals, train};
use crate::model::Target;
use crate::training::{Row, TrainingData};
use rayon::prelude::*;
use shared::engine::Table;
use std::collections::BTreeMap;

/// Predictions of the baseline kinds for the layers of a device, by models that had not seen the layer's network; where the
/// data hold one network only, the layer.
#[derive(Debug, Clone, Default)]
pub struct Baselines(Vec<(Kind, BTreeMap<LayerId, LayerPredictions>)>);

impl Baselines {
    /// Fits the baseline kinds without each of at most `folds` groups of networks. A kind that cannot be fitted on a table has
    /// no predictions for it.
    #[must_use]
    pub fn of(data: &TrainingData, device: &str, folds: usize) -> Self {
        let kinds: Vec<Kind> = Kind::baselines().collect();
        Self(kinds.into_par_iter().map(|kind| (kind, predict(kind, data, device, folds))).collect())
    }

    /// Predictions of a layer, by kind.
    #[must_use]
    pub(super) fn of_layer(&self, id: &LayerId, quantity: Measurand) -> Vec<(&'static str, f64)> {
        self.of_network(std::slice::from_ref(id), quantity)
    }

    /// Predictions of a network with some layers, by kind: power is energy over run time.
    #[must_use]
    pub(super) fn of_network(&self, layers: &[LayerId], quantity: Measurand) -> Vec<(&'static str, f64)> {
        let value = |(kind, known): &(Kind, BTreeMap<LayerId, LayerPredictions>)| {
            let layers = || layers.iter().map(|id| known.get(id));
            let runtime = || layers().map(|layer| layer?.runtime_ms).sum::<Option<f64>>();
            let energy = || layers().map(|layer| Some(layer?.power_w? * layer?.runtime_ms?)).sum::<Option<f64>>();
            let value = match quantity {
                // A layer's power needs no run time.
                Measurand::Power if layers().len() == 1 => layers().next()??.power_w,
                Measurand::Power => energy().zip(runtime()).map(|(energy, runtime)| energy / runtime),
                Measurand::Runtime => runtime(),
                Measurand::Energy => energy(),
            };
            Some((kind.name(), value?))
        };
        self.0.iter().filter_map(value).collect()
    }
}

fn predict(kind: Kind, data: &TrainingData, device: &str, folds: usize) -> BTreeMap<LayerId, LayerPredictions> {
    let estimator = kind.estimator(&Plan::of(kind));
    let totals = data.totals_of(device);
    let (from_totals, from_layers): (Vec<Target>, Vec<Target>) =
        Target::ALL.into_iter().partition(|target| learns_from_totals(data, &totals, *target));
    let mut found = BTreeMap::new();
    for target in from_layers {
        for table in data.tables.keys() {
            of_table(estimator.as_ref(), data, device, (*table, target), folds, &mut found);
        }
    }
    if !from_totals.is_empty() {
        of_totals(estimator.as_ref(), data, device, &from_totals, folds, &mut found);
    }
    found
}

fn set(found: &mut BTreeMap<LayerId, LayerPredictions>, (table, number): LayerId, target: Target, value: f64) {
    let none = LayerPredictions { table, number, power_w: None, runtime_ms: None };
    let layer = found.entry((table, number)).or_insert(none);
    match target {
        Target::Power => layer.power_w = Some(value),
        Target::Runtime => layer.runtime_ms = Some(value),
    }
}

/// Layers of one table, from its measured layers.
fn of_table(
    estimator: &dyn Estimator,
    data: &TrainingData,
    device: &str,
    (table, target): (Table, Target),
    folds: usize,
    found: &mut BTreeMap<LayerId, LayerPredictions>,
) {
    let measured = |row: &Row| match target {
        Target::Power => row.power.is_some(),
        Target::Runtime => row.runtime.is_some(),
    };
    let of_device = data.tables[&table].iter().enumerate().filter(|(_, row)| row.is_of(device));
    let (known, rest): (Vec<(usize, &Row)>, Vec<_>) = of_device.partition(|(_, row)| measured(row));
    let (numbers, rows): (Vec<usize>, Vec<&Row>) = known.into_iter().unzip();
    let features = estimator.features(table, target);
    let layers = layer_dataset(table, target, &features, &rows);
    let Some(folds) = folds_by_network(&layers.networks, folds) else { return };
    let Ok(fitted) = fit_folds(&AboveFloor(estimator), &layers, &folds) else { return };
    for (number, value) in numbers.into_iter().zip(held_out_predictions(&layers, &fitted)) {
        set(found, (table, number), target, value);
    }
    // Layers that were not measured are in no fold; any fold that holds out their network may predict them.
    let fold_of: BTreeMap<&str, usize> =
        rows.iter().map(|row| row.network.as_str()).zip(folds.fold_of_row().iter().copied()).collect();
    let (numbers, rows): (Vec<usize>, Vec<&Row>) = rest.into_iter().unzip();
    let unmeasured = layer_dataset(table, target, &features, &rows);
    for (i, (number, row)) in numbers.into_iter().zip(rows).enumerate() {
        let models = &fitted[fold_of.get(row.network.as_str()).copied().unwrap_or(0)].models;
        if let Some(model) = models.0.first() {
            set(found, (table, number), target, model.predict(unmeasured.tables[0].row(i)));
        }
    }
}

/// Layers of all tables, from totals of networks.
fn of_totals(
    estimator: &dyn Estimator,
    data: &TrainingData,
    device: &str,
    targets: &[Target],
    folds: usize,
    found: &mut BTreeMap<LayerId, LayerPredictions>,
) {
    let evaluation = EvaluationSettings { folds, ..EvaluationSettings::default() };
    let job = FitJob::new(data, estimator, &evaluation);
    let Ok(outcome) = train(&job, device, &|_, _| ()) else { return };
    for layer in outcome.unseen {
        for target in targets {
            let value = match target {
                Target::Power => layer.power_w,
                Target::Runtime => layer.runtime_ms,
            };
            value.into_iter().for_each(|value| set(found, (layer.table, layer.number), *target, value));
        }
    }
}
