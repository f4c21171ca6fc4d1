//! What columns are worth: to a model that reads them, and to a model kind that must do without.

use super::refit::{Refit, layers_of};
use crate::fit::cross_validation::held_out_predictions;
use crate::model::{Dataset, Target};
use crate::predict::Models;
use crate::training::TrainingData;
use estimators::metrics::Metrics;
use estimators::random::stream;
use rayon::prelude::*;
use serde::Serialize;
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeSet;

/// What becomes of the error of one model when it loses a column.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Effect {
    /// The layer kind.
    pub kind: &'static str,
    /// What is predicted.
    pub target: Target,
    /// The column, or several with ` = ` between them that hold the same value in every row: a square kernel's two sides.
    pub column: String,
    /// Rows judged.
    pub n: usize,
    /// Networks that these rows are from.
    pub networks: usize,
    /// Whether the rows are of networks that the model did not see (or, of data with one network, rows it did not see).
    pub held_out: bool,
    /// Mean absolute percentage error with the column.
    pub mape_percent: f64,
    /// The same without it; the mean, where it was taken away several times.
    pub mape_without_percent: f64,
    /// Least and greatest of those, where it was taken away several times.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mape_without_range_percent: Option<(f64, f64)>,
    /// How much the error rises, in percentage points. Near zero or below: the model does as well without.
    pub rise_points: f64,
}

/// What was found, and what could not be examined, in sentences.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Effects {
    /// By layer kind and target, the column that matters most first.
    pub effects: Vec<Effect>,
    /// What was left out, and why.
    pub notes: Vec<String>,
}

/// Columns that hold the same values in every row count as one; those that never change say nothing, and are left out.
fn distinct(data: &Dataset) -> (Vec<Vec<usize>>, Vec<String>) {
    let column = |feature: usize| (0..data.len()).map(move |row| data.tables[0].row(row)[feature].to_bits());
    let (mut groups, mut constant): (Vec<Vec<usize>>, Vec<String>) = (Vec::new(), Vec::new());
    for feature in 0..data.tables[0].features.len() {
        if column(feature).all(|value| value == data.tables[0].row(0)[feature].to_bits()) {
            constant.push(data.tables[0].features[feature].clone());
        } else if let Some(group) = groups.iter_mut().find(|group| column(group[0]).eq(column(feature))) {
            group.push(feature);
        } else {
            groups.push(vec![feature]);
        }
    }
    (groups, constant)
}

fn name(data: &Dataset, group: &[usize]) -> String {
    group.iter().map(|&feature| data.tables[0].features[feature].as_str()).collect::<Vec<_>>().join(" = ")
}

/// Rows with some columns shuffled among them: row `i` takes the values of row `order[i]`.
fn shuffled(data: &Dataset, group: &[usize], order: &[usize]) -> Vec<f64> {
    let width = data.tables[0].features.len();
    let mut rows = data.tables[0].rows.clone();
    for (row, &from) in order.iter().enumerate() {
        for &feature in group {
            rows[row * width + feature] = data.tables[0].rows[from * width + feature];
        }
    }
    rows
}

fn mape(measured: &[f64], predicted: &[f64]) -> f64 {
    Metrics::of(measured, predicted).mape_percent.unwrap_or(f64::NAN)
}

/// How often to shuffle, and by which random numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shuffles {
    /// How often each column is shuffled.
    pub repeats: usize,
    /// The seed.
    pub seed: u64,
}

/// Predicts rows of features, all of a data set's at once.
type Predict<'a> = dyn Fn(&[f64]) -> Result<Vec<f64>, Failure> + Sync + 'a;

/// The effects of shuffling each column in turn, by a function that predicts rows (permutation importance: Breiman, *Random
/// Forests*, 2001, section 10; here on held-out rows, and in percentage points).
fn importance(
    data: &Dataset,
    held_out: bool,
    shuffles: Shuffles,
    predict: &Predict<'_>,
) -> Result<Vec<Effect>, Failure> {
    let intact = mape(&data.measured, &predict(&data.tables[0].rows)?);
    let (groups, _) = distinct(data);
    let networks = data.network_count();
    let effect = |(number, group): (usize, &Vec<usize>)| -> Result<Effect, Failure> {
        let errors = (0..shuffles.repeats.max(1)).map(|repeat| {
            let mut order: Vec<usize> = (0..data.len()).collect();
            let purpose = (number as u64) << 32 | repeat as u64;
            stream(shuffles.seed, purpose).shuffle(&mut order);
            Ok(mape(&data.measured, &predict(&shuffled(data, group, &order))?))
        });
        let errors: Vec<f64> = errors.collect::<Result<_, Failure>>()?;
        let without = errors.iter().sum::<f64>() / errors.len() as f64;
        let range = errors.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), e| (a.min(*e), b.max(*e)));
        Ok(Effect {
            kind: data.tables[0].table.name(),
            target: data.target,
            column: name(data, group),
            n: data.len(),
            networks,
            held_out,
            mape_percent: intact,
            mape_without_percent: without,
            mape_without_range_percent: (errors.len() > 1).then_some(range),
            rise_points: without - intact,
        })
    };
    let mut effects: Vec<Effect> = groups.par_iter().enumerate().map(effect).collect::<Result<_, _>>()?;
    sort(&mut effects);
    Ok(effects)
}

/// Largest rise first; of equals, by name.
fn sort(effects: &mut [Effect]) {
    effects.sort_by(|a, b| b.rise_points.total_cmp(&a.rise_points).then_with(|| a.column.cmp(&b.column)));
}

fn note_constant(notes: &mut Vec<String>, data: &Dataset) {
    let (_, constant) = distinct(data);
    if !constant.is_empty() {
        notes.push(format!(
            "{} {}: {} never changes in these rows, so that nothing can be said of it",
            data.tables[0].table.name(),
            data.target.name(),
            constant.join(", ")
        ));
    }
}

/// What each feature is worth to the models of a folder: each is shuffled among the rows of networks that the model did not
/// see, or among all rows where it saw every network, which is told.
///
/// # Errors
/// A model that cannot be loaded or run, or no row to judge by.
pub fn importance_of_models(
    models: &Models,
    data: &TrainingData,
    device: &str,
    shuffles: Shuffles,
    done: &(dyn Fn() + Sync),
) -> Result<Effects, Failure> {
    let mut found = Effects::default();
    models.load(&data.tables.keys().copied().collect())?;
    for (table, target) in models_of(data) {
        done();
        let Some(card) = models.cards().find(|card| (card.layer_kind, card.target) == (table, target)).cloned() else {
            continue;
        };
        let features: Vec<String> = card.features.iter().map(|feature| feature.name.clone()).collect();
        let seen: BTreeSet<&str> = card.training_networks.iter().map(String::as_str).collect();
        let unseen = layers_of(data, device, table, target, &features, &|network| !seen.contains(network));
        let held_out = unseen.is_some();
        let all = || layers_of(data, device, table, target, &features, &|_| true);
        let Some(layers) = unseen.or_else(all) else { continue };
        if !held_out {
            found.notes.push(format!(
                "{} {}: training saw every network of these data, so that its importances are those of rows it may know",
                table.name(),
                target.name()
            ));
        }
        note_constant(&mut found.notes, &layers);
        let predict = |rows: &[f64]| models.predict_features(table, target, rows);
        found.effects.extend(importance(&layers, held_out, shuffles, &predict)?);
    }
    finish(found)
}

/// What each feature is worth to a model kind: models are fitted without some of the networks, and judged on those.
///
/// # Errors
/// A fit that fails, or no row to judge by.
pub fn importance_of_kind(refit: &Refit<'_>, shuffles: Shuffles, done: &(dyn Fn() + Sync)) -> Result<Effects, Failure> {
    let mut found = Effects::default();
    for (table, target) in models_of(refit.data) {
        done();
        let Some(data) = refit.dataset(table, target, &mut found.notes) else { continue };
        let Some(folds) = refit.folds(&data, &mut found.notes)? else { continue };
        note_constant(&mut found.notes, &data);
        let predict = |rows: &[f64]| {
            let mut shuffled = data.clone();
            shuffled.tables[0].rows = rows.to_vec();
            Ok(held_out_predictions(&shuffled, &folds))
        };
        found.effects.extend(importance(&data, true, shuffles, &predict)?);
    }
    finish(found)
}

/// What a model kind loses when it is fitted without a column: each in turn is held at its median in all rows, so that
/// nothing can be learnt from it, and models are fitted and judged anew, by folds that never split a network.
///
/// # Errors
/// A fit that fails, or no row to judge by.
pub fn leave_one_column_out(refit: &Refit<'_>, done: &(dyn Fn() + Sync)) -> Result<Effects, Failure> {
    let mut found = Effects::default();
    for (table, target) in models_of(refit.data) {
        done();
        let Some(data) = refit.dataset(table, target, &mut found.notes) else { continue };
        let error_of = |data: &Dataset, notes: &mut Vec<String>| -> Result<Option<f64>, Failure> {
            let Some(folds) = refit.folds(data, notes)? else { return Ok(None) };
            Ok(Some(mape(&data.measured, &held_out_predictions(data, &folds))))
        };
        let Some(intact) = error_of(&data, &mut found.notes)? else { continue };
        note_constant(&mut found.notes, &data);
        let (groups, _) = distinct(&data);
        let networks = data.network_count();
        let effect = |group: &Vec<usize>| -> Result<Option<Effect>, Failure> {
            let Some(without) = error_of(&held_at_median(&data, group), &mut Vec::new())? else { return Ok(None) };
            Ok(Some(Effect {
                kind: table.name(),
                target,
                column: name(&data, group),
                n: data.len(),
                networks,
                held_out: true,
                mape_percent: intact,
                mape_without_percent: without,
                mape_without_range_percent: None,
                rise_points: without - intact,
            }))
        };
        let effects: Vec<Option<Effect>> = groups.par_iter().map(effect).collect::<Result<_, _>>()?;
        let mut effects: Vec<Effect> = effects.into_iter().flatten().collect();
        sort(&mut effects);
        found.effects.extend(effects);
    }
    finish(found)
}

fn held_at_median(data: &Dataset, group: &[usize]) -> Dataset {
    let width = data.tables[0].features.len();
    let mut held = data.clone();
    for &feature in group {
        let mut values: Vec<f64> = (0..data.len()).map(|row| data.tables[0].row(row)[feature]).collect();
        values.sort_by(f64::total_cmp);
        // A value that occurs: half a channel would be nothing that a model ever sees.
        let median = values[values.len() / 2];
        (0..data.len()).for_each(|row| held.tables[0].rows[row * width + feature] = median);
    }
    held
}

/// Tables and targets, in order.
fn models_of(data: &TrainingData) -> impl Iterator<Item = (Table, Target)> {
    data.tables.keys().flat_map(|table| Target::ALL.map(|target| (*table, target)))
}

fn finish(found: Effects) -> Result<Effects, Failure> {
    if found.effects.is_empty() {
        let mut failure = Failure::data("holds no model's worth of measured layers whose columns could be judged");
        if let Some(note) = found.notes.first() {
            failure = failure.help(note.clone());
        }
        return Err(failure);
    }
    Ok(found)
}
