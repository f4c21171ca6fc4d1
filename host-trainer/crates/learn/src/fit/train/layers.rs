//! Models of one table, from its measured layers.

use super::artefact::{Making, make, metrics_by_network};
use super::{FEWEST_ROWS, Order};
use crate::features::Column;
use crate::model::{Artefact, Interval, Predictor, Problem, Recipe, Scores, Target};
use crate::training::Row;
use estimators::FitError;
use estimators::fold_hashes;
use estimators::lasso::Folds;
use estimators::metrics::Metrics;
use onnx::{GraphBuilder, Value};
use rayon::prelude::*;
use shared::engine::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Rows of a single network from which an interval is drawn, cut by layer.
const ENOUGH_LAYERS: usize = 100;

/// A fitted model with the predictions that judged it.
pub(super) struct Fitted {
    pub(super) artefact: Artefact,
    /// Predictions by models that had not seen the layer's network: the layer's number in its table, and the value.
    pub(super) unseen: Vec<(usize, f64)>,
}

pub(super) fn measured(row: &Row, target: Target) -> Option<f64> {
    match target {
        Target::Power => row.power.map(|p| p.0),
        Target::Runtime => row.runtime.map(|t| t.0),
    }
}

/// Fits one target of one table; `rows` are the device's, each with its number in the table.
pub(super) fn train(
    order: &Order<'_>,
    device: &str,
    table: Table,
    target: Target,
    rows: &[(usize, &Row)],
) -> Result<Fitted, FitError> {
    let with_target = rows.iter().filter(|(_, row)| measured(row, target).is_some());
    let (test, train): (Vec<(usize, &Row)>, Vec<_>) =
        with_target.partition(|(_, row)| order.test_networks.contains(&row.network));
    let (test_numbers, test_rows): (Vec<usize>, Vec<&Row>) = test.into_iter().unzip();
    let (train_numbers, train_rows): (Vec<usize>, Vec<&Row>) = train.into_iter().unzip();
    if train_rows.len() < FEWEST_ROWS {
        return Err(FitError::TooFewRows { found: train_rows.len(), needed: FEWEST_ROWS });
    }
    let features = order.recipe.features(table, target);
    let problem = pose(table, target, &features, &train_rows);
    let networks: BTreeSet<&str> = train_rows.iter().map(|row| row.network.as_str()).collect();

    let (held_out, grouped) = cross_validate(order, &problem, networks.len())?;
    let predictor = fit(order, &problem)?;
    let predict_all =
        |problem: &Problem| -> Vec<f64> { (0..problem.len()).map(|i| predictor.predict(problem.row(i))).collect() };
    let test = pose(table, target, &features, &test_rows);
    let test_predictions = predict_all(&test);
    let scores = Scores {
        training: Metrics::of(&problem.measured, &predict_all(&problem)),
        cross_validation: held_out.as_ref().map(|predictions| Metrics::of(&problem.measured, predictions)),
        folds: held_out.as_ref().map(|_| if grouped { "by network".to_owned() } else { "by layer".to_owned() }),
        test: (!test.is_empty()).then(|| Metrics::of(&test.measured, &test_predictions)),
        test_by_network: metrics_by_network(
            test_rows
                .iter()
                .map(|row| row.network.as_str())
                .zip(test.measured.iter().copied().zip(test_predictions.iter().copied())),
        ),
    };
    // One network's layers stand for themselves where there are many: a sweep.
    let groups = if grouped { networks.len() } else { problem.len() / ENOUGH_LAYERS * 3 };
    let interval = held_out.as_ref().and_then(|predictions| {
        Interval::conformal(order.evaluation.interval_level, &problem.measured, predictions, groups)
    });
    let mut notes = notes(&problem, &networks, interval.is_some());
    notes.extend(predictor.warnings());
    let artefact = make(
        order,
        device,
        Making {
            predictor: predictor.as_ref(),
            problem: &problem,
            rows: &train_rows,
            networks: &networks,
            scores,
            interval,
            notes,
        },
    )?;
    let mut unseen: Vec<(usize, f64)> = test_numbers.into_iter().zip(test_predictions).collect();
    if let Some(predictions) = held_out.filter(|_| grouped) {
        unseen.extend(train_numbers.into_iter().zip(predictions));
    }
    Ok(Fitted { artefact, unseen })
}

/// The problem that rows pose. Networks are numbered in the order of their names.
pub(crate) fn pose(table: Table, target: Target, features: &[String], rows: &[&Row]) -> Problem {
    let columns: Vec<Column> = features.iter().filter_map(|name| Column::resolve(table, name)).collect();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.network.as_str()).collect();
    let numbers: BTreeMap<&str, usize> = names.into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    Problem {
        table,
        target,
        features: features.to_vec(),
        rows: rows.iter().flat_map(|row| columns.iter().map(|column| column.value(&row.spec))).collect(),
        measured: rows.iter().map(|row| measured(row, target).unwrap_or(f64::NAN)).collect(),
        networks: rows.iter().map(|row| numbers[row.network.as_str()]).collect(),
        companion: rows.iter().map(|row| measured(row, target.other()).unwrap_or(f64::NAN)).collect(),
    }
}

fn fit(order: &Order<'_>, problem: &Problem) -> Result<Box<dyn Predictor>, FitError> {
    fit_above_floor(order.recipe, problem, order.negative_predictions)
}

/// Fits, and keeps predictions at or above the smallest positive measurement: a layer takes time and power.
pub(crate) fn fit_above_floor(
    recipe: &dyn Recipe,
    problem: &Problem,
    negative_predictions: bool,
) -> Result<Box<dyn Predictor>, FitError> {
    let predictor = recipe.fit(problem)?;
    let smallest = problem.measured.iter().copied().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min);
    if negative_predictions || !smallest.is_finite() {
        return Ok(predictor);
    }
    Ok(Box::new(Floored { predictor, floor: smallest }))
}

/// A predictor that never falls below a floor.
#[derive(Debug)]
struct Floored {
    predictor: Box<dyn Predictor>,
    floor: f64,
}

impl Predictor for Floored {
    fn predict(&self, features: &[f64]) -> f64 {
        self.predictor.predict(features).max(self.floor)
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let prediction = self.predictor.export(graph, features);
        let floor = graph.doubles(&[self.floor], &[1, 1]);
        graph.apply("Max", &[&prediction, &floor], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        let mut description = self.predictor.describe();
        if let Some(fields) = description.as_object_mut() {
            fields.insert("floor".to_owned(), self.floor.into());
        }
        description
    }

    fn warnings(&self) -> Vec<String> {
        self.predictor.warnings()
    }
}

/// Predictions for every row by models that did not see the row's network, or, where there is but one network, the row.
/// The flag says which of the two it was.
fn cross_validate(order: &Order<'_>, problem: &Problem, networks: usize) -> Result<(Option<Vec<f64>>, bool), FitError> {
    let grouped = networks >= 2;
    let Some(cut) = cut(order, problem, networks)? else { return Ok((None, grouped)) };
    let predictions: Result<Vec<Vec<(usize, f64)>>, FitError> =
        (0..cut.count()).into_par_iter().map(|fold| hold_out(order, problem, &cut, fold)).collect();
    let predictions = match predictions {
        Ok(predictions) => predictions,
        // One network may hold nearly all rows; then there is nothing to judge by.
        Err(FitError::TooFewRows { .. }) => return Ok((None, grouped)),
        Err(e) => return Err(e),
    };
    let mut all = vec![f64::NAN; problem.len()];
    for (i, prediction) in predictions.into_iter().flatten() {
        all[i] = prediction;
    }
    Ok((Some(all), grouped))
}

/// The folds that judge, by network where there are several; none where the plan wants none or the data allow none.
fn cut(order: &Order<'_>, problem: &Problem, networks: usize) -> Result<Option<Folds>, FitError> {
    let grouped = networks >= 2;
    let folds = order.evaluation.folds.min(if grouped { networks } else { problem.len() });
    if folds < 2 {
        return Ok(None);
    }
    let rows: Vec<usize> = (0..problem.len()).collect();
    let cut = Folds::grouped(&fold_hashes(if grouped { &problem.networks } else { &rows }), folds);
    cut.map(Some).map_err(|e| FitError::Failed(e.to_string()))
}

/// Predictions for the rows of one fold by a model fitted on the others.
fn hold_out(order: &Order<'_>, problem: &Problem, cut: &Folds, fold: usize) -> Result<Vec<(usize, f64)>, FitError> {
    let kept = cut.training(fold);
    if kept.len() < 2 {
        return Err(FitError::TooFewRows { found: kept.len(), needed: 2 });
    }
    let predictor = fit(order, &problem.subset(&kept))?;
    Ok(cut.held_out(fold).into_iter().map(|i| (i, predictor.predict(problem.row(i)))).collect())
}

/// One model's cross-validation, a fold at a time: the same folds, fits and figures as when a model is trained.
pub(super) struct Validation {
    problem: Problem,
    cut: Folds,
    predictions: Vec<f64>,
}

impl Validation {
    pub(super) fn new(
        order: &Order<'_>,
        table: Table,
        target: Target,
        rows: &[(usize, &Row)],
    ) -> Result<Self, FitError> {
        let rows: Vec<&Row> = rows
            .iter()
            .map(|(_, row)| *row)
            .filter(|row| measured(row, target).is_some() && !order.test_networks.contains(&row.network))
            .collect();
        if rows.len() < FEWEST_ROWS {
            return Err(FitError::TooFewRows { found: rows.len(), needed: FEWEST_ROWS });
        }
        let problem = pose(table, target, &order.recipe.features(table, target), &rows);
        let networks = rows.iter().map(|row| row.network.as_str()).collect::<BTreeSet<_>>().len();
        let Some(cut) = cut(order, &problem, networks)? else {
            return Err(FitError::Failed("there are no folds to judge by".to_owned()));
        };
        let predictions = vec![f64::NAN; problem.len()];
        Ok(Self { problem, cut, predictions })
    }

    pub(super) fn folds(&self) -> usize {
        self.cut.count()
    }

    pub(super) fn judge(&mut self, order: &Order<'_>, fold: usize) -> Result<(), FitError> {
        for (i, prediction) in hold_out(order, &self.problem, &self.cut, fold)? {
            self.predictions[i] = prediction;
        }
        Ok(())
    }

    /// Figures on the rows of the folds judged so far.
    pub(super) fn metrics(&self) -> Metrics {
        let judged = |i: &usize| !self.predictions[*i].is_nan();
        let pick = |values: &[f64]| (0..values.len()).filter(judged).map(|i| values[i]).collect::<Vec<f64>>();
        Metrics::of(&pick(&self.problem.measured), &pick(&self.predictions))
    }
}

/// What the data alone say about how far a model can be trusted.
fn notes(problem: &Problem, networks: &BTreeSet<&str>, has_interval: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if let [only] = networks.iter().collect::<Vec<_>>().as_slice() {
        notes.push(format!("trained on one network, {only}: nothing is known of its accuracy on others"));
    }
    if !has_interval {
        notes.push("the data are too thin for an interval".to_owned());
    }
    if problem.target == Target::Power {
        let spread = (0..networks.len()).map(|network| {
            let powers: Vec<f64> =
                (0..problem.len()).filter(|&i| problem.networks[i] == network).map(|i| problem.measured[i]).collect();
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

/// A power that varies less than this within each network is no measurement of its layers.
const CONSTANT_POWER: f64 = 0.02;

fn coefficient_of_variation(values: &[f64]) -> Option<f64> {
    if values.len() < 2 {
        return None;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() - 1) as f64;
    Some(variance.sqrt() / mean.abs())
}
