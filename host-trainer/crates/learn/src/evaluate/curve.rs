//! Learning curves: how far predictions are off by how much there was to learn from.

use super::baselines::Baselines;
use super::measurand::Measurand;
use super::refit::Refit;
use super::report::evaluate_held_out;
use crate::fit::plan::EvaluationSettings;
use crate::fit::train::{FitJob, train};
use crate::training::TrainingData;
use estimators::FitError;
use estimators::random::stream;
use rayon::prelude::*;
use serde::Serialize;
use shared::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};

/// Sizes of training sets that a curve has at most.
const MOST_SIZES: usize = 8;

/// One point of a learning curve.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CurvePoint {
    /// A layer kind, or `network`.
    pub kind: &'static str,
    /// What is predicted.
    pub target: Measurand,
    /// What `size` counts: `networks`, or `rows` where the data hold one network only.
    pub unit: &'static str,
    /// How many were trained on.
    pub size: usize,
    /// Repetitions with other networks, those that could be fitted.
    pub repeats: usize,
    /// Layers or networks evaluated, mean over the repetitions.
    pub n: f64,
    /// Mean absolute percentage error on what was kept back, mean over the repetitions.
    pub mape_percent: f64,
    /// Least and greatest of them.
    pub mape_range_percent: (f64, f64),
}

/// A learning curve's points, by kind, target and size, and what could not be fitted, in sentences.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// The points.
    pub points: Vec<CurvePoint>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// How a learning curve is drawn up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CurvePlan {
    /// Repetitions, each with a fifth of the networks kept back for evaluation, others in each.
    pub repeats: usize,
    /// Seed of who is kept back and who comes first.
    pub seed: u64,
}

/// Sizes of training sets: about evenly spaced on a logarithmic scale, the largest last.
#[must_use]
fn sizes(most: usize) -> Vec<usize> {
    if most < 2 {
        return (0..most).map(|_| 1).collect();
    }
    let first = if most >= 10 { 2.0f64 } else { 1.0 };
    let steps = MOST_SIZES - 1;
    let at = |i: usize| (first * (most as f64 / first).powf(i as f64 / steps as f64)).round() as usize;
    let sizes: BTreeSet<usize> = (0..=steps).map(|i| at(i).clamp(1, most)).collect();
    sizes.into_iter().collect()
}

/// How many fits a learning curve takes.
#[must_use]
pub fn fits(data: &TrainingData, plan: CurvePlan) -> usize {
    let groups = groups(data).0;
    sizes(groups - kept_back(groups)).len() * plan.repeats.max(1)
}

/// Networks, or rows where there is but one network.
fn groups(data: &TrainingData) -> (usize, bool) {
    let networks = data.networks().len();
    if networks > 1 { (networks, false) } else { (data.tables.values().map(Vec::len).sum(), true) }
}

fn kept_back(groups: usize) -> usize {
    groups.div_ceil(5).clamp(1, groups.max(1))
}

/// Every row a network of its own, so that folds and sizes count rows.
fn row_by_row(data: &TrainingData) -> TrainingData {
    let mut data = data.clone();
    data.totals.clear();
    for (i, row) in data.tables.values_mut().flatten().enumerate() {
        row.network = format!("row {i}");
    }
    data
}

fn only(data: &TrainingData, networks: &BTreeSet<String>) -> TrainingData {
    let mut part = data.clone();
    part.tables.values_mut().for_each(|rows| rows.retain(|row| networks.contains(&row.network)));
    part.tables.retain(|_, rows| !rows.is_empty());
    part.totals.retain(|total| networks.contains(&total.network));
    part
}

/// A kind's name with what its repetitions judged: how many rows, and how far off.
type Cell = (&'static str, Vec<(usize, f64)>);

/// Draws up a learning curve: a fifth of the networks is kept back, models are fitted on more and more of the others, and
/// judged on those kept back; several times with others kept back. The same networks are kept back for all sizes of a
/// repetition, and a larger training set holds the smaller ones.
///
/// # Errors
/// Data of which no fit comes about, or a fit that fails for another reason than too few rows.
pub fn learning_curve(refit: &Refit<'_>, plan: CurvePlan, done: &(dyn Fn() + Sync)) -> Result<Curve, Failure> {
    let (_, by_rows) = groups(refit.data);
    let relabelled = by_rows.then(|| row_by_row(refit.data));
    let data = relabelled.as_ref().unwrap_or(refit.data);
    let of_device = data.tables.values().flatten().filter(|row| row.is_of(refit.device));
    let names: Vec<String> = of_device.map(|row| row.network.clone()).collect::<BTreeSet<_>>().into_iter().collect();
    if names.len() < 2 {
        return Err(Failure::data("holds too little for a learning curve").help("measure a second network"));
    }
    let kept = kept_back(names.len());
    let sizes = sizes(names.len() - kept);
    let jobs: Vec<(usize, usize)> =
        (0..plan.repeats.max(1)).flat_map(|repeat| sizes.iter().map(move |size| (repeat, *size))).collect();
    let results: Vec<Option<Vec<_>>> = jobs
        .par_iter()
        .map(|&(repeat, size)| {
            let mut order: Vec<&String> = names.iter().collect();
            stream(plan.seed, repeat as u64).shuffle(&mut order);
            let test: BTreeSet<String> = order[..kept].iter().map(|name| (*name).clone()).collect();
            let mut taken = test.clone();
            taken.extend(order[kept..kept + size].iter().map(|name| (*name).clone()));
            let part = only(data, &taken);
            let evaluation = EvaluationSettings { folds: 0, ..EvaluationSettings::default() };
            let job = FitJob {
                test_networks: &test,
                negative_predictions: refit.negative_predictions,
                ..FitJob::new(&part, refit.estimator, &evaluation)
            };
            let outcome = train(&job, refit.device, &|_, _| ());
            done();
            match outcome {
                Ok(outcome) => Ok(Some(evaluate_held_out(&part, &outcome, false, &Baselines::default()).rows)),
                Err(FitError::TooFewRows { .. }) => Ok(None),
                Err(e) => Err(Failure::data(format!("fitting {size}: {e}"))),
            }
        })
        .collect::<Result<_, Failure>>()?;
    let unit = if by_rows { "rows" } else { "networks" };
    let mut curve = Curve::default();
    let fitted = results.iter().flatten().count();
    if fitted < jobs.len() {
        curve.notes.push(format!("{} of {} fits had too few rows, and are left out", jobs.len() - fitted, jobs.len()));
    }
    if by_rows {
        curve.notes.push("one network only: the curve is over its rows, and says nothing of other networks".to_owned());
    }
    let mut cells: BTreeMap<(usize, Measurand, usize), Cell> = BTreeMap::new();
    for (line, size) in results
        .into_iter()
        .zip(&jobs)
        .flat_map(|(lines, (_, size))| lines.into_iter().flatten().map(|line| (line, *size)))
    {
        let Some(error) = line.metrics.mape_percent.filter(|_| !(by_rows && line.kind == "network")) else { continue };
        let position = shared::engine::Table::ALL.iter().position(|t| t.name() == line.kind).unwrap_or(usize::MAX);
        let cell = cells.entry((position, line.target, size)).or_insert((line.kind, Vec::new()));
        cell.1.push((line.metrics.n, error));
    }
    for ((_, target, size), (kind, found)) in cells {
        let count = found.len() as f64;
        let errors = || found.iter().map(|(_, error)| *error);
        curve.points.push(CurvePoint {
            kind,
            target,
            unit,
            size,
            repeats: found.len(),
            n: found.iter().map(|(n, _)| *n as f64).sum::<f64>() / count,
            mape_percent: errors().sum::<f64>() / count,
            mape_range_percent: errors().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), e| (a.min(e), b.max(e))),
        });
    }
    if curve.points.is_empty() {
        return Err(Failure::data("holds too few rows for a learning curve").help("measure more networks"));
    }
    Ok(curve)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_grow_to_all_there_is() {
        assert_eq!(sizes(1), [1]);
        assert_eq!(sizes(4), [1, 2, 3, 4]);
        let many = sizes(1000);
        assert_eq!((many.first(), many.last()), (Some(&2), Some(&1000)));
        assert!(many.len() <= MOST_SIZES && many.windows(2).all(|pair| pair[0] < pair[1]), "{many:?}");
        assert_eq!(sizes(0), Vec::<usize>::new());
    }

    #[test]
    fn a_fifth_is_kept_back_and_never_all() {
        assert_eq!((kept_back(2), kept_back(10), kept_back(11)), (1, 2, 3));
    }
}
