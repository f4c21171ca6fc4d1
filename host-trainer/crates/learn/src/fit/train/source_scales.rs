//! Factors between sources of totals that did not record their clocks.

use crate::fit::cross_validation::{fit_folds, folds_by_network, held_out_predictions};
use crate::fit::estimator::Estimator;
use crate::model::Dataset;
use estimators::FitError;
use std::collections::{BTreeMap, BTreeSet};

/// Standard deviation of a source's log factor before anything was measured: power modes of one board differ by up to 2.6.
const PRIOR_LOG_SD: f64 = 0.35;
/// Folds by which factors are judged.
const FOLDS: usize = 5;
/// Models and factors are fitted in turn at most this often.
const ROUNDS: usize = 4;
/// A round that moves no factor by more than this is the last.
const SETTLED: f64 = 0.005;

/// By how much each source's totals exceed those of the source with the most of them, which the models then stand for.
#[derive(Debug, Default, PartialEq)]
pub(super) struct SourceScales {
    reference: String,
    log_factors: BTreeMap<String, f64>,
}

impl SourceScales {
    /// Fits models and factors in turn. A factor is the median ratio of a source's totals to what models say that did not see
    /// these networks, drawn towards 1 as far as few networks leave it open. Empty where the data name fewer than two sources.
    ///
    /// # Errors
    /// A fit that fails.
    pub(super) fn fit(estimator: &dyn Estimator, data: &Dataset, sources: &[Option<&str>]) -> Result<Self, FitError> {
        let named: BTreeSet<&str> = sources.iter().flatten().copied().collect();
        let count = |name: &str| sources.iter().flatten().filter(|source| **source == name).count();
        let Some(reference) = named.iter().max_by_key(|name| count(name)).filter(|_| named.len() > 1) else {
            return Ok(Self::default());
        };
        let Some(folds) = folds_by_network(&data.networks, FOLDS) else { return Ok(Self::default()) };
        let mut scales = Self { reference: (*reference).to_owned(), log_factors: BTreeMap::new() };
        for _ in 0..ROUNDS {
            let mut scaled = data.subset(&(0..data.len()).collect::<Vec<_>>());
            scales.apply(&mut scaled, sources);
            let predicted = held_out_predictions(&scaled, &fit_folds(estimator, &scaled, &folds)?);
            let residual = |i: usize| (data.measured[i] / predicted[i]).ln();
            let drawn = |name: &str| {
                let of_source: Vec<usize> = (0..data.len()).filter(|&i| sources[i] == Some(name)).collect();
                let networks = of_source.iter().map(|&i| data.networks[i]).collect::<BTreeSet<_>>().len();
                let mut residuals: Vec<f64> =
                    of_source.into_iter().map(residual).filter(|residual| residual.is_finite()).collect();
                residuals.sort_by(f64::total_cmp);
                let middle = residuals.get(residuals.len() / 2).copied().unwrap_or(0.0);
                let variance =
                    residuals.iter().map(|r| (r - middle) * (r - middle)).sum::<f64>() / residuals.len().max(1) as f64;
                let prior = PRIOR_LOG_SD * PRIOR_LOG_SD;
                middle * prior / (prior + variance / networks.max(1) as f64)
            };
            let of_reference = drawn(reference);
            let next: BTreeMap<String, f64> = named
                .iter()
                .filter(|name| name != &reference)
                .map(|name| ((*name).to_owned(), drawn(name) - of_reference))
                .collect();
            let moved = next
                .iter()
                .map(|(name, factor)| (factor - scales.log_factors.get(name).copied().unwrap_or(0.0)).abs())
                .fold(0.0, f64::max);
            scales.log_factors = next;
            if moved < SETTLED {
                break;
            }
        }
        Ok(scales)
    }

    /// Brings the measurements to the scale of the source with the most of them.
    pub(super) fn apply(&self, data: &mut Dataset, sources: &[Option<&str>]) {
        for (value, source) in data.measured.iter_mut().zip(sources) {
            if let Some(factor) = source.and_then(|name| self.log_factors.get(name)) {
                *value /= factor.exp();
            }
        }
    }

    /// What a card says of the factors.
    pub(super) fn note(&self) -> Option<String> {
        if self.log_factors.is_empty() {
            return None;
        }
        let factors: Vec<String> =
            self.log_factors.iter().map(|(name, factor)| format!("{name} {:.2}", factor.exp())).collect();
        Some(format!(
            "the sources did not record clocks; predictions stand for {}, and these exceed it by a factor: {}",
            self.reference,
            factors.join(", ")
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fit::kinds::Kind;
    use crate::fit::plan::Plan;
    use crate::model::{LayerTable, Target};
    use shared::engine::Table;

    /// Twenty networks of one dense layer each; those of the second source run slower by a factor.
    fn data(factor: f64) -> (Box<dyn Estimator>, Dataset, Vec<Option<&'static str>>) {
        let estimator = Plan::of("physics".parse::<Kind>().expect("a kind")).estimator();
        let mut layers = LayerTable::new(Table::Dense, estimator.features(Table::Dense, Target::Runtime));
        let (mut measured, mut sources) = (Vec::new(), Vec::new());
        for network in 0..20 {
            let width = 256.0 * f64::from(1 + network);
            layers.rows.extend([1.0, width, 10.0, 10.0 * width, 2.0]);
            let slow = network % 3 == 0;
            measured.push((0.01 + 1e-5 * width) * if slow { factor } else { 1.0 });
            sources.push(Some(if slow { "slow" } else { "usual" }));
        }
        (estimator, Dataset::of_layers(Target::Runtime, layers, measured, (0..20).collect()), sources)
    }

    #[test]
    fn a_source_at_other_clocks_is_found_and_taken_back() {
        let (estimator, mut data, sources) = data(1.5);
        let scales = SourceScales::fit(estimator.as_ref(), &data, &sources).expect("fits");
        let found = scales.log_factors["slow"].exp();
        assert!((found / 1.5 - 1.0).abs() < 0.05, "{found}");
        assert_eq!(scales.reference, "usual");
        let before = data.measured.clone();
        scales.apply(&mut data, &sources);
        assert!((data.measured[0] * found - before[0]).abs() < 1e-12);
        assert_eq!(data.measured[1], before[1]);
        assert!(scales.note().expect("a note").contains("usual, and these exceed it by a factor: slow 1."));
    }

    #[test]
    fn one_source_has_no_factor() {
        let (estimator, data, _) = data(1.5);
        let scales = SourceScales::fit(estimator.as_ref(), &data, &[Some("usual"); 20]).expect("fits");
        assert_eq!((scales.note(), scales), (None, SourceScales::default()));
    }
}
