//! Models of one table, from its measured layers.

use super::artefact::{FittedModel, metrics_by_network, write};
use super::gaps;
use super::job::{FEWEST_ROWS, FitJob};
use super::layer_data::{layer_dataset, measured};
use crate::fit::cross_validation::{fit_folds, folds_by_network, held_out_predictions};
use crate::fit::estimator::AboveFloor;
use crate::fit::kinds::Kind;
use crate::fit::plan::Plan;
use crate::model::{Artefact, Dataset, Interval, Scores, Target};
use crate::training::Row;
use estimators::metrics::Metrics;
use estimators::{FitError, Folds};
use shared::engine::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of a single network from which an interval is drawn, by folds of layers.
const ENOUGH_LAYERS: usize = 100;
/// A power that varies less than this within each network is not a measurement of its layers.
const CONSTANT_POWER: f64 = 0.02;

/// A fitted model with the predictions that it was evaluated by.
pub(super) struct LayerModel {
    pub(super) artefact: Artefact,
    /// Predictions by models that had not seen the layer's network: the layer's index in its table, and the value.
    pub(super) unseen: Vec<(usize, f64)>,
}

/// Fits one target of one table; `rows` are the device's, each with its index in the table.
pub(super) fn train(
    job: &FitJob<'_>,
    device: &str,
    table: Table,
    target: Target,
    rows: &[(usize, &Row)],
) -> Result<LayerModel, FitError> {
    let with_target = rows.iter().filter(|(_, row)| measured(row, target).is_some());
    let (test, train): (Vec<(usize, &Row)>, Vec<_>) =
        with_target.partition(|(_, row)| job.test_networks.contains(&row.network));
    let (test_numbers, test_rows): (Vec<usize>, Vec<&Row>) = test.into_iter().unzip();
    let (train_numbers, train_rows): (Vec<usize>, Vec<&Row>) = train.into_iter().unzip();
    if train_rows.len() < FEWEST_ROWS {
        return Err(FitError::TooFewRows { found: train_rows.len(), needed: FEWEST_ROWS });
    }
    let features = job.estimator.features(table, target);
    let data = layer_dataset(table, target, &features, &train_rows);
    let networks: BTreeSet<&str> = train_rows.iter().map(|row| row.network.as_str()).collect();

    let grouped = networks.len() >= 2;
    let folds = evaluation_folds(job, &data);
    let held_out = folds.as_ref().map(|folds| held_out(job, &data, folds)).transpose()?.flatten();
    let models = job.with_estimator(|estimator| estimator.fit(&data))?;
    let test = layer_dataset(table, target, &features, &test_rows);
    let test_predictions = models.predict(&test);
    let scores = Scores {
        training: Metrics::of(&data.measured, &models.predict(&data)),
        cross_validation: held_out.as_ref().map(|predictions| Metrics::of(&data.measured, predictions)),
        folds: held_out.as_ref().map(|_| if grouped { "by network".to_owned() } else { "by layer".to_owned() }),
        test: (!test.is_empty()).then(|| Metrics::of(&test.measured, &test_predictions)),
        test_by_network: metrics_by_network(
            test_rows
                .iter()
                .map(|row| row.network.as_str())
                .zip(test.measured.iter().copied().zip(test_predictions.iter().copied())),
        ),
        baselines: match &folds {
            Some(folds) if held_out.is_some() => baseline_scores(job.baselines, &train_rows, &data, folds),
            _ => BTreeMap::new(),
        },
    };
    // One network's layers stand for themselves where there are many: a sweep.
    let groups = if grouped { networks.len() } else { data.len() / ENOUGH_LAYERS * 3 };
    let interval = held_out.as_ref().and_then(|predictions| {
        Interval::conformal(job.evaluation.interval_level, &data.measured, predictions, groups)
    });
    let (interval, widening) = match (interval, &folds, &held_out) {
        (Some(interval), Some(folds), Some(predictions)) => {
            let (interval, widening) = gaps::widened(job, &data, folds, predictions, interval)?;
            (Some(interval), widening)
        }
        _ => (None, Vec::new()),
    };
    let mut notes = notes(&data, &networks, interval.is_some());
    notes.extend(models.0.iter().flat_map(|model| model.warnings()));
    let Some(predictor) = models.0.first() else { return Err(FitError::TooFewRows { found: 0, needed: 1 }) };
    let fitted = FittedModel {
        predictor: predictor.as_ref(),
        target,
        layers: &data.tables[0],
        rows: &train_rows,
        networks: &networks,
        scores,
        interval,
        widening,
        notes,
    };
    let artefact = write(job, device, fitted)?;
    let mut unseen: Vec<(usize, f64)> = test_numbers.into_iter().zip(test_predictions).collect();
    if let Some(predictions) = held_out.filter(|_| grouped) {
        unseen.extend(train_numbers.into_iter().zip(predictions));
    }
    Ok(LayerModel { artefact, unseen })
}

/// The folds by which a model is evaluated, by network where there are several; none where none are wanted or the data allow
/// none.
pub(super) fn evaluation_folds(job: &FitJob<'_>, data: &Dataset) -> Option<Folds> {
    folds_by_network(&data.networks, job.evaluation.folds)
}

/// Predictions of every row by models that did not see the row's network, or, where there is but one network, the row.
fn held_out(job: &FitJob<'_>, data: &Dataset, folds: &Folds) -> Result<Option<Vec<f64>>, FitError> {
    match job.with_estimator(|estimator| fit_folds(estimator, data, folds)) {
        Ok(fitted) => Ok(Some(held_out_predictions(data, &fitted))),
        // One network may hold nearly all rows; then there is nothing to evaluate by.
        Err(FitError::TooFewRows { .. }) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Figures of simple kinds on the same folds. A kind that cannot be fitted is left out.
fn baseline_scores(kinds: &[Kind], rows: &[&Row], data: &Dataset, folds: &Folds) -> BTreeMap<String, Metrics> {
    let table = data.tables[0].table;
    let scores = kinds.iter().filter_map(|kind| {
        let estimator = kind.estimator(&Plan::of(*kind));
        let data = layer_dataset(table, data.target, &estimator.features(table, data.target), rows);
        let fitted = fit_folds(&AboveFloor(estimator.as_ref()), &data, folds).ok()?;
        Some((kind.name().to_owned(), Metrics::of(&data.measured, &held_out_predictions(&data, &fitted))))
    });
    scores.collect()
}

/// What the data alone say about how far a model can be trusted.
fn notes(data: &Dataset, networks: &BTreeSet<&str>, has_interval: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if let [only] = networks.iter().collect::<Vec<_>>().as_slice() {
        notes.push(format!("trained on one network, {only}: nothing is known of its accuracy on others"));
    }
    if !has_interval {
        notes.push("the data are too thin for an interval".to_owned());
    }
    if data.target == Target::Power {
        let spread = (0..networks.len()).map(|network| {
            let powers: Vec<f64> =
                (0..data.len()).filter(|&i| data.networks[i] == network).map(|i| data.measured[i]).collect();
            coefficient_of_variation(&powers)
        });
        // A network of one layer tells nothing of the spread within networks.
        let widest = spread.flatten().fold(None, |widest: Option<f64>, cv| Some(widest.map_or(cv, |w| w.max(cv))));
        if let Some(widest) = widest.filter(|widest| *widest < CONSTANT_POWER) {
            notes.push(format!(
                "power varies by less than {:.0} % within each network: it is one constant a network, not a \
                 measurement of its layers",
                (100.0 * widest).floor() + 1.0
            ));
        }
    }
    notes
}

fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() - 1) as f64;
    Some(variance.sqrt() / mean.abs())
}
