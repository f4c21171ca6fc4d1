//! Fits anew, without the networks that are then judged.

use crate::fit::train::{FEWEST_ROWS, fit_above_floor};
use crate::model::{Predictor, Problem, Recipe, Target};
use crate::training::TrainingData;
use estimators::FitError;
use estimators::fold_hashes;
use estimators::lasso::Folds;
use rayon::prelude::*;
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeSet;

/// What is fitted anew, on what.
#[derive(Debug, Clone, Copy)]
pub struct Refit<'a> {
    /// The data.
    pub data: &'a TrainingData,
    /// What they call the device.
    pub device: &'a str,
    /// The model kind with its options.
    pub recipe: &'a dyn Recipe,
    /// Groups of networks that are held out in turn, at most.
    pub folds: usize,
    /// Whether predictions may be negative.
    pub negative_predictions: bool,
}

/// Rows held out, with the model that was fitted without their networks.
pub(super) struct Held {
    pub(super) rows: Vec<usize>,
    pub(super) predictor: Box<dyn Predictor>,
}

impl Refit<'_> {
    /// The rows of a table whose target was measured; none, and a note, where they are too few.
    pub(super) fn problem(&self, table: Table, target: Target, notes: &mut Vec<String>) -> Option<Problem> {
        let features = self.recipe.features(table, target);
        let problem = hold_out::problem(self.data, self.device, table, target, &features, &|_| true);
        let found = problem.as_ref().map_or(0, Problem::len);
        if found < FEWEST_ROWS {
            let name = format!("{} {}", table.name(), target.name());
            notes.push(format!("{name}: {found} measured layers, {FEWEST_ROWS} are needed; left out"));
            return None;
        }
        problem
    }

    /// Models of all folds. Folds never split a network; where there is but one, they split its layers.
    pub(super) fn folds(&self, problem: &Problem, notes: &mut Vec<String>) -> Result<Option<Vec<Held>>, Failure> {
        let networks = problem.networks.iter().collect::<BTreeSet<_>>().len();
        let rows: Vec<usize> = (0..problem.len()).collect();
        let (labels, groups) = if networks >= 2 { (&problem.networks, networks) } else { (&rows, rows.len()) };
        let cut = Folds::grouped(&fold_hashes(labels), self.folds.clamp(2, groups))
            .map_err(|e| Failure::data(e.to_string()))?;
        let fitted: Result<Vec<Held>, FitError> = (0..cut.count())
            .into_par_iter()
            .map(|fold| {
                let kept = cut.training(fold);
                if kept.len() < 2 {
                    return Err(FitError::TooFewRows { found: kept.len(), needed: 2 });
                }
                let predictor = fit_above_floor(self.recipe, &problem.subset(&kept), self.negative_predictions)?;
                Ok(Held { rows: cut.held_out(fold), predictor })
            })
            .collect();
        let name = format!("{} {}", problem.table.name(), problem.target.name());
        match fitted {
            Ok(held) => {
                if networks < 2 {
                    notes.push(format!("{name}: one network only, so that its layers are held out, not networks"));
                }
                Ok(Some(held))
            }
            // One network may hold nearly all rows; then there is nothing to judge by.
            Err(FitError::TooFewRows { .. }) => {
                notes.push(format!(
                    "{name}: one network holds nearly all rows, so that nothing is left to fit on; left out"
                ));
                Ok(None)
            }
            Err(e) => Err(Failure::data(format!("{name}: {e}"))),
        }
    }
}

pub(super) mod hold_out {
    //! Rows of chosen networks as a problem.

    use super::{Problem, Table, Target, TrainingData};
    use crate::fit::train::pose;
    use crate::training::Row;

    /// The measured rows of a table on a device, of networks that are wanted; none where there are none.
    pub(in crate::evaluate) fn problem(
        data: &TrainingData,
        device: &str,
        table: Table,
        target: Target,
        features: &[String],
        wanted: &dyn Fn(&str) -> bool,
    ) -> Option<Problem> {
        let measured = |row: &&Row| match target {
            Target::Power => row.power.is_some(),
            Target::Runtime => row.runtime.is_some(),
        };
        let of_table = data.tables.get(&table)?.iter();
        let rows: Vec<&Row> =
            of_table.filter(|row| row.is_of(device) && wanted(&row.network)).filter(measured).collect();
        (!rows.is_empty()).then(|| pose(table, target, features, &rows))
    }
}
