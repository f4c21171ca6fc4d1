//! Evaluation of options without making models of them: cross-validation fold by fold, which may stop after any of them.

use super::job::{FEWEST_ROWS, FitJob};
use super::layer_data::{layer_dataset, measured};
use super::layers::evaluation_folds;
use super::total_data::learns_from_totals;
use crate::fit::cross_validation::{Fold, HeldOut};
use crate::model::{Dataset, Target};
use crate::training::Row;
use estimators::metrics::Metrics;
use estimators::{FitError, Folds};
use rayon::prelude::*;
use shared::engine::Table;
use std::ops::ControlFlow;

/// Cross-validates some models of a device. After each fold `after_fold` gets its number from 1 and
/// figures of each model on the rows held out so far; the last ones are those of [`super::train`]'s cards, bit for bit.
/// None where it breaks off.
///
/// # Errors
/// A model that cannot be fitted or evaluated, or that is learnt from whole networks' totals, whose folds are others.
pub fn validate(
    job: &FitJob<'_>,
    device: &str,
    wanted: &[(Table, Target)],
    after_fold: &mut dyn FnMut(u32, &[Metrics]) -> ControlFlow<()>,
) -> Result<Option<Vec<Metrics>>, FitError> {
    let known_totals = job.data.totals_of(device);
    let of_model =
        |table: Table, target: Target| move |e: FitError| e.of(format!("{} {}", table.name(), target.name()));
    let mut models = wanted
        .iter()
        .map(|&(table, target)| {
            if learns_from_totals(job.data, &known_totals, target) {
                let message = "some layers were measured only within totals; judge whole networks instead";
                return Err(of_model(table, target)(FitError::Data(message.to_owned())));
            }
            let rows = job.data.tables.get(&table).map(Vec::as_slice).unwrap_or_default();
            let of_device: Vec<&Row> = rows.iter().filter(|row| row.is_of(device)).collect();
            Validation::new(job, table, target, &of_device).map_err(of_model(table, target))
        })
        .collect::<Result<Vec<Validation>, FitError>>()?;
    let folds = models.iter().map(|model| model.folds.count()).max().unwrap_or(0);
    for fold in 0..folds {
        models
            .par_iter_mut()
            .zip(wanted)
            .filter(|(model, _)| fold < model.folds.count())
            .map(|(model, (table, target))| model.evaluate(job, fold).map_err(of_model(*table, *target)))
            .collect::<Result<Vec<()>, FitError>>()?;
        let so_far: Vec<Metrics> = models.iter().map(Validation::metrics).collect();
        if after_fold(fold as u32 + 1, &so_far).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(models.iter().map(Validation::metrics).collect()))
}

/// One model's cross-validation, a fold at a time: the same folds, fits and figures as when a model is trained.
struct Validation {
    data: Dataset,
    folds: Folds,
    predictions: Vec<f64>,
}

impl Validation {
    fn new(job: &FitJob<'_>, table: Table, target: Target, rows: &[&Row]) -> Result<Self, FitError> {
        let is_training = |row: &&Row| measured(row, target).is_some() && !job.test_networks.contains(&row.network);
        let rows: Vec<&Row> = rows.iter().copied().filter(is_training).collect();
        if rows.len() < FEWEST_ROWS {
            return Err(FitError::TooFewRows { found: rows.len(), needed: FEWEST_ROWS });
        }
        let data = layer_dataset(table, target, &job.estimator.features(table, target), &rows);
        let Some(folds) = evaluation_folds(job, &data) else {
            return Err(FitError::Data("there are no folds to judge by".to_owned()));
        };
        let predictions = vec![f64::NAN; data.len()];
        Ok(Self { data, folds, predictions })
    }

    fn evaluate(&mut self, job: &FitJob<'_>, fold: usize) -> Result<(), FitError> {
        let fold = Fold::of(&self.data, &self.folds, fold);
        let held_out = job.with_estimator(|estimator| HeldOut::fit(estimator, fold))?;
        held_out.predict_into(&self.data, &mut self.predictions);
        Ok(())
    }

    /// Figures on the rows of the folds evaluated so far.
    fn metrics(&self) -> Metrics {
        let known = |i: &usize| !self.predictions[*i].is_nan();
        let pick = |values: &[f64]| (0..values.len()).filter(known).map(|i| values[i]).collect::<Vec<f64>>();
        Metrics::of(&pick(&self.data.measured), &pick(&self.predictions))
    }
}
