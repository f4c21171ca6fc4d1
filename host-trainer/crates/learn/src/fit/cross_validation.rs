//! Cross-validation: the one place where models are fitted without some of the rows, and predict those.
//!
//! Folds never split a network where there are several: near-identical layers of one network on both sides of a fold would
//! make any model look good.

use super::estimator::{Estimator, FittedModels};
use crate::model::Dataset;
use estimators::{FitError, Folds, fold_hashes};
use rayon::prelude::*;
use std::collections::HashSet;

/// Folds within the training data, by which an estimator chooses between options.
const INNER_FOLDS: usize = 5;

/// Data of which a part can be taken.
pub trait Subset: Sync {
    /// The rows or measurements of some indices, in their order.
    #[must_use]
    fn subset(&self, indices: &[usize]) -> Self;
}

impl Subset for Dataset {
    fn subset(&self, indices: &[usize]) -> Self {
        Self::subset(self, indices)
    }
}

/// One split of the data.
#[derive(Debug, Clone, PartialEq)]
pub struct Fold<D> {
    /// The data to fit on.
    pub training: D,
    /// Indices of the training rows, ascending.
    pub training_rows: Vec<usize>,
    /// Indices of the rows held out, ascending.
    pub held_out: Vec<usize>,
}

impl<D: Subset> Fold<D> {
    /// One of the splits that `folds` make of the data.
    #[must_use]
    pub fn of(data: &D, folds: &Folds, number: usize) -> Self {
        let training_rows = folds.training(number);
        Self { training: data.subset(&training_rows), training_rows, held_out: folds.held_out(number) }
    }
}

/// Runs `fit` on every fold, side by side; results are in the order of the folds.
///
/// ```
/// use learn::fit::cross_validation::{cross_validate, folds_by_network};
/// use learn::model::{Dataset, LayerTable, Target};
/// use shared::engine::Table;
///
/// let mut layers = LayerTable::new(Table::Dense, vec!["macs".to_owned()]);
/// layers.rows = vec![1e6, 2e6, 3e6, 4e6];
/// let data = Dataset::of_layers(Target::Runtime, layers, vec![0.1, 0.2, 0.3, 0.4], vec![0, 0, 1, 1]);
/// let folds = folds_by_network(&data.networks, 10).ok_or("one network only")?;
/// let means = cross_validate(&data, &folds, |fold| {
///     Ok::<f64, String>(fold.training.measured.iter().sum::<f64>() / fold.training.len() as f64)
/// })?;
/// assert_eq!(means.len(), 2);
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// The first error of a fit.
pub fn cross_validate<D: Subset, T: Send, E: Send>(
    data: &D,
    folds: &Folds,
    fit: impl Fn(Fold<D>) -> Result<T, E> + Sync,
) -> Result<Vec<T>, E> {
    (0..folds.count()).into_par_iter().map(|number| fit(Fold::of(data, folds, number))).collect()
}

/// Models fitted without the measurements held out.
#[derive(Debug)]
pub struct HeldOut {
    /// Indices of the measurements held out, ascending.
    pub held_out: Vec<usize>,
    /// The models that did not see them.
    pub models: FittedModels,
}

impl HeldOut {
    /// Fits an estimator on the training part of a fold.
    ///
    /// # Errors
    /// A fit that fails, or a training part of fewer than two measurements.
    pub fn fit(estimator: &dyn Estimator, fold: Fold<Dataset>) -> Result<Self, FitError> {
        if fold.training.len() < 2 {
            return Err(FitError::TooFewRows { found: fold.training.len(), needed: 2 });
        }
        Ok(Self { models: estimator.fit(&fold.training)?, held_out: fold.held_out })
    }

    /// Writes the predictions of the measurements held out to their places in `predicted`.
    pub fn predict_into(&self, data: &Dataset, predicted: &mut [f64]) {
        let values = self.models.predict(&data.subset(&self.held_out));
        self.held_out.iter().zip(values).for_each(|(&i, value)| predicted[i] = value);
    }
}

/// Fits an estimator once for each fold.
///
/// # Errors
/// The first fit that fails.
pub fn fit_folds(estimator: &dyn Estimator, data: &Dataset, folds: &Folds) -> Result<Vec<HeldOut>, FitError> {
    cross_validate(data, folds, |fold| HeldOut::fit(estimator, fold))
}

/// Predictions of all measurements, each by the models that did not see it.
#[must_use]
pub fn held_out_predictions(data: &Dataset, folds: &[HeldOut]) -> Vec<f64> {
    let mut predicted = vec![f64::NAN; data.len()];
    folds.iter().for_each(|fold| fold.predict_into(data, &mut predicted));
    predicted
}

/// At most so many folds that split no network; of a single network, folds by measurement. None where fewer than two can be
/// made.
#[must_use]
pub fn folds_by_network(networks: &[usize], most: usize) -> Option<Folds> {
    let count = networks.iter().collect::<HashSet<_>>().len();
    if count >= 2 { grouped(networks, most.min(count)) } else { folds_by_row(networks.len(), most) }
}

/// At most so many folds of single rows. None where fewer than two can be made.
#[must_use]
pub fn folds_by_row(rows: usize, most: usize) -> Option<Folds> {
    grouped(&(0..rows).collect::<Vec<_>>(), most.min(rows))
}

/// The folds by which an estimator chooses between options, within its training data.
#[must_use]
pub fn inner_folds(data: &Dataset) -> Option<Folds> {
    folds_by_network(&data.networks, INNER_FOLDS)
}

fn grouped(labels: &[usize], folds: usize) -> Option<Folds> {
    Folds::grouped(&fold_hashes(labels), folds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folds_split_no_network_unless_there_is_but_one() {
        let networks = [0, 0, 1, 1, 2, 2];
        let folds = folds_by_network(&networks, 10).expect("three networks");
        assert_eq!(folds.count(), 3);
        for fold in 0..3 {
            let held_out = folds.held_out(fold);
            assert!(held_out.len() == 2 && networks[held_out[0]] == networks[held_out[1]]);
        }
        assert_eq!(folds_by_network(&[7; 4], 3).expect("four rows").count(), 3);
        assert!(folds_by_network(&networks, 1).is_none() && folds_by_network(&[0], 5).is_none());
        assert!(folds_by_network(&[], 5).is_none());
    }
}
