//! Fits a kind again, without the networks that are then predicted.

use crate::fit::cross_validation::{HeldOut, fit_folds, folds_by_network};
use crate::fit::estimator::{AboveFloor, Estimator};
use crate::fit::train::{FEWEST_ROWS, layer_dataset};
use crate::model::{Dataset, Target};
use crate::training::{Row, TrainingData};
use estimators::FitError;
use shared::engine::Table;
use shared::failure::Failure;

/// A kind to fit again, and the data to fit it on.
#[derive(Debug, Clone, Copy)]
pub struct Refit<'a> {
    /// The data.
    pub data: &'a TrainingData,
    /// What they call the device.
    pub device: &'a str,
    /// The model kind with its options.
    pub estimator: &'a dyn Estimator,
    /// Groups of networks that are held out in turn, at most.
    pub folds: usize,
    /// Whether predictions may be negative.
    pub negative_predictions: bool,
}

impl Refit<'_> {
    /// The rows of a table whose target was measured; none, and a note, where they are too few.
    pub(super) fn dataset(&self, table: Table, target: Target, notes: &mut Vec<String>) -> Option<Dataset> {
        let features = self.estimator.features(table, target);
        let data = layers_of(self.data, self.device, table, target, &features, &|_| true);
        let found = data.as_ref().map_or(0, Dataset::len);
        if found < FEWEST_ROWS {
            let name = format!("{} {}", table.name(), target.name());
            notes.push(format!("{name}: {found} measured layers, {FEWEST_ROWS} are needed; left out"));
            return None;
        }
        data
    }

    /// Models of all folds. Folds never split a network; where there is but one, they split its layers.
    pub(super) fn folds(&self, data: &Dataset, notes: &mut Vec<String>) -> Result<Option<Vec<HeldOut>>, Failure> {
        let name = format!("{} {}", data.tables[0].table.name(), data.target.name());
        let Some(folds) = folds_by_network(&data.networks, self.folds.max(2)) else { return Ok(None) };
        let fitted = if self.negative_predictions {
            fit_folds(self.estimator, data, &folds)
        } else {
            fit_folds(&AboveFloor(self.estimator), data, &folds)
        };
        match fitted {
            Ok(fitted) => {
                if data.network_count() < 2 {
                    notes.push(format!("{name}: one network only, so that its layers are held out, not networks"));
                }
                Ok(Some(fitted))
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

/// The measured rows of a table on a device, of networks that are wanted; none where there are none.
pub(super) fn layers_of(
    data: &TrainingData,
    device: &str,
    table: Table,
    target: Target,
    features: &[String],
    wanted: &dyn Fn(&str) -> bool,
) -> Option<Dataset> {
    let measured = |row: &&Row| match target {
        Target::Power => row.power.is_some(),
        Target::Runtime => row.runtime.is_some(),
    };
    let of_table = data.tables.get(&table)?.iter();
    let rows: Vec<&Row> = of_table.filter(|row| row.is_of(device) && wanted(&row.network)).filter(measured).collect();
    (!rows.is_empty()).then(|| layer_dataset(table, target, features, &rows))
}
