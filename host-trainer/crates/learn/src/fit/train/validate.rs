//! Judging options without making models of them: cross-validation fold by fold, which may be left after any of them.

use super::layers::Validation;
use super::{Order, totals};
use crate::model::Target;
use crate::training::Row;
use estimators::FitError;
use estimators::metrics::Metrics;
use rayon::prelude::*;
use shared::engine::Table;
use std::ops::ControlFlow;

/// Cross-validates some models of a device. After each fold `after_fold` gets its number from 1 and
/// figures of each model on the rows held out so far; the last ones are those of [`super::train`]'s cards, bit for bit.
/// None where it breaks off.
///
/// # Errors
/// A model that cannot be fitted or judged, or that is learnt from whole networks' totals, whose folds are others.
pub fn validate(
    order: &Order<'_>,
    device: &str,
    wanted: &[(Table, Target)],
    after_fold: &mut dyn FnMut(u32, &[Metrics]) -> ControlFlow<()>,
) -> Result<Option<Vec<Metrics>>, FitError> {
    let known_totals = order.data.totals_of(device);
    let named = |table: Table, target: Target, e: FitError| match e {
        FitError::Failed(message) => FitError::Failed(format!("{} {}: {message}", table.name(), target.name())),
        e => FitError::Failed(format!("{} {}: {e}", table.name(), target.name())),
    };
    let mut models = wanted
        .iter()
        .map(|&(table, target)| {
            if totals::wanted(order, &known_totals, target) {
                let message = "some layers were measured only within totals; judge whole networks instead";
                return Err(named(table, target, FitError::Failed(message.to_owned())));
            }
            let rows = order.data.tables.get(&table).map(Vec::as_slice).unwrap_or_default();
            let of_device: Vec<(usize, &Row)> = rows.iter().enumerate().filter(|(_, row)| row.is_of(device)).collect();
            Validation::new(order, table, target, &of_device).map_err(|e| named(table, target, e))
        })
        .collect::<Result<Vec<Validation>, FitError>>()?;
    let folds = models.iter().map(Validation::folds).max().unwrap_or(0);
    for fold in 0..folds {
        models
            .par_iter_mut()
            .zip(wanted)
            .filter(|(model, _)| fold < model.folds())
            .map(|(model, (table, target))| model.judge(order, fold).map_err(|e| named(*table, *target, e)))
            .collect::<Result<Vec<()>, FitError>>()?;
        let so_far: Vec<Metrics> = models.iter().map(Validation::metrics).collect();
        if after_fold(fold as u32 + 1, &so_far).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(models.iter().map(Validation::metrics).collect()))
}
