//! A model's card: what it is, what it was trained on, how good it is, and what it does not know.

use super::{Target, Widening};
use crate::features::Extraction;
use estimators::metrics::Metrics;
use serde::{Deserialize, Serialize};
use shared::device::Hardware;
use shared::engine::Table;
use shared::failure::{Failure, Kind};
use std::collections::{BTreeMap, BTreeSet};

/// The program whose name cards, reports and answers carry.
pub const PROGRAM: &str = "host-trainer";

/// The card's own version.
pub(super) const SCHEMA_VERSION: u32 = 1;

/// Everything about a model that its ONNX file does not say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// `SCHEMA_VERSION`.
    pub schema_version: u32,
    /// What fitted it.
    pub program: Program,
    /// The device it predicts.
    pub device: String,
    /// Board, mode, clocks and software behind its training data, as recorded.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hardware: Option<Hardware>,
    /// The table whose layers it predicts.
    pub layer_kind: Table,
    /// What it predicts.
    pub target: Target,
    /// The unit of its predictions.
    pub unit: String,
    /// The model kind.
    pub model_kind: String,
    /// Raw features in the order of the ONNX input, each with the range seen in training.
    pub features: Vec<FeatureRange>,
    /// Ranges seen in training of what follows from the features and shows best whether a layer is like those trained on:
    /// operations, weights, elements.
    pub derived_ranges: Vec<FeatureRange>,
    /// How layers of an engine are read for it.
    pub extraction: Extraction,
    /// Rows it was trained on.
    pub training_rows: usize,
    /// Networks those rows came from.
    pub training_networks: Vec<String>,
    /// Networks kept back for testing.
    pub test_networks: Vec<String>,
    /// SHA-256 of the training data.
    pub data_sha256: String,
    /// SHA-256 of the ONNX file.
    pub onnx_sha256: String,
    /// The options it was fitted with.
    pub configuration: serde_json::Value,
    /// What the fit found: penalty, number of terms, convergence.
    pub fit: serde_json::Value,
    /// How good it is.
    pub scores: Scores,
    /// Bounds for a prediction, from networks that were held out; none where the data are too thin for them.
    pub interval: Option<Interval>,
    /// How the bounds widen at values of features that training lacks.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub widening: Vec<Widening>,
    /// Inputs with their expected outputs.
    pub self_test: SelfTest,
    /// What a user should know before trusting it.
    pub notes: Vec<String>,
}

impl Card {
    /// The card as its file holds it.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn to_file(&self) -> Result<Vec<u8>, Failure> {
        let mut json = serde_json::to_vec_pretty(self).map_err(|e| Failure::from_error(Kind::Data, e))?;
        json.push(b'\n');
        Ok(json)
    }
}

/// The program that fitted a model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Program {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

impl Program {
    /// This program.
    #[must_use]
    pub fn this() -> Self {
        Self { name: PROGRAM.to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// A feature and what training saw of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FeatureRange {
    /// Column name.
    pub name: String,
    /// Unit: `pixels`, `channels`, `elements`, `bytes`, `1`.
    pub unit: String,
    /// Smallest value in training.
    pub min: f64,
    /// Largest value in training.
    pub max: f64,
}

impl FeatureRange {
    /// Whether a value lies in the range, rounding aside.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        let slack = 1e-6 * self.max.abs().max(self.min.abs());
        value >= self.min - slack && value <= self.max + slack
    }
}

/// Figures on rows the model saw, on folds it did not see, and on networks kept back altogether.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct Scores {
    /// On its training rows.
    pub training: Metrics,
    /// On the held-out folds of cross-validation.
    pub cross_validation: Option<Metrics>,
    /// How the folds were cut: `by network`, or `by layer` where there is but one network.
    pub folds: Option<String>,
    /// On the test networks.
    pub test: Option<Metrics>,
    /// On each test network.
    pub test_by_network: BTreeMap<String, Metrics>,
    /// Of simple kinds, by their names, on the same held-out folds: what the model is worth.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub baselines: BTreeMap<String, Metrics>,
}

/// A prediction `p` is followed by a measurement between `p · lower_ratio` and `p · upper_ratio` with the given
/// probability, as far as new networks are like those held out.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The probability.
    pub level: f64,
    /// Lower bound over prediction.
    pub lower_ratio: f64,
    /// Upper bound over prediction.
    pub upper_ratio: f64,
    /// Held-out rows behind it.
    pub rows: usize,
    /// Networks those rows came from.
    pub networks: usize,
}

impl Interval {
    /// The split-conformal interval of measured-to-predicted ratios: symmetric in the logarithm, at the rank
    /// ⌈(n + 1) · level⌉ of the absolute log ratios (Lei et al., 2018, doi:10.1080/01621459.2017.1307116). None for fewer
    /// rows than that rank needs, or fewer than three networks, or a ratio that is not positive.
    #[must_use]
    pub fn conformal(level: f64, measured: &[f64], predicted: &[f64], networks: usize) -> Option<Self> {
        let mut scores: Vec<f64> = measured.iter().zip(predicted).map(|(y, p)| (y / p).ln().abs()).collect();
        let rank = ((scores.len() + 1) as f64 * level).ceil() as usize;
        if networks < 3 || rank > scores.len() || scores.iter().any(|s| !s.is_finite()) {
            return None;
        }
        scores.sort_by(f64::total_cmp);
        let bound = scores[rank - 1].exp();
        Some(Self { level, lower_ratio: 1.0 / bound, upper_ratio: bound, rows: scores.len(), networks })
    }

    /// The interval for a network of a new family, from networks held out family by family: pairs of measured and predicted, and the
    /// family of each. Networks of one family err alike, so that the families' number counts. Where they are so few that no rank among
    /// them holds the level, the family with the widest interval of its own stands for the new one; else all rows count alike, as they do
    /// where every network is a family of its own. None as for [`Self::conformal`].
    #[must_use]
    pub fn of_families(level: f64, pairs: &[(f64, f64)], families: &[usize]) -> Option<Self> {
        let (measured, predicted): (Vec<f64>, Vec<f64>) = pairs.iter().copied().unzip();
        let pooled = Self::conformal(level, &measured, &predicted, pairs.len())?;
        let known: BTreeSet<usize> = families.iter().copied().collect();
        if known.len() == pairs.len() || ((known.len() + 1) as f64 * level).ceil() as usize <= known.len() {
            return Some(pooled);
        }
        let own = |family: usize| {
            let of_family = pairs.iter().zip(families).filter(move |(_, of)| **of == family);
            let mut scores: Vec<f64> = of_family.map(|((y, p), _)| (y / p).ln().abs()).collect();
            scores.sort_by(f64::total_cmp);
            let rank = ((scores.len() + 1) as f64 * level).ceil() as usize;
            scores.get(rank.min(scores.len()).saturating_sub(1)).copied().unwrap_or(0.0)
        };
        let widest = known.into_iter().map(own).fold(pooled.upper_ratio.ln(), f64::max);
        Some(Self { lower_ratio: (-widest).exp(), upper_ratio: widest.exp(), ..pooled })
    }

    /// The interval for a layer whose half-width in the logarithm is larger by so much.
    #[must_use]
    pub fn widened(self, addition: f64) -> Self {
        let ratio = addition.exp();
        Self { lower_ratio: self.lower_ratio / ratio, upper_ratio: self.upper_ratio * ratio, ..self }
    }

    /// Whether a measurement lies within the bounds of its prediction.
    #[must_use]
    pub fn holds(&self, measured: f64, predicted: f64) -> bool {
        measured >= predicted * self.lower_ratio && measured <= predicted * self.upper_ratio
    }
}

/// A few rows with their predictions, by which a copy of the model proves itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SelfTest {
    /// Raw features, row by row.
    pub inputs: Vec<Vec<f32>>,
    /// The predictions that belong to them.
    pub outputs: Vec<f32>,
    /// Relative difference that is still agreement.
    pub tolerance: f64,
}

impl SelfTest {
    /// Whether predictions agree with the expected ones.
    #[must_use]
    pub fn passes(&self, outputs: &[f32]) -> bool {
        outputs.len() == self.outputs.len()
            && outputs.iter().zip(&self.outputs).all(|(&got, &want)| {
                let (got, want) = (f64::from(got), f64::from(want));
                (got - want).abs() <= self.tolerance * want.abs().max(f64::MIN_POSITIVE)
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn few_families_are_as_far_off_as_the_worst_of_them() {
        // Three families of 20 networks, whose largest errors are 2, 4 and 20 %.
        let off = |family: usize, i: usize| 1.0 + [0.001, 0.002, 0.01][family] * (i as f64 + 1.0);
        let pairs: Vec<(f64, f64)> = (0..60).map(|i| (off(i / 20, i % 20), 1.0)).collect();
        let families: Vec<usize> = (0..60).map(|i| i / 20).collect();
        let few = Interval::of_families(0.9, &pairs, &families).expect("enough");
        assert!((few.upper_ratio - off(2, 18)).abs() < 1e-12, "{few:?}");
        let alone: Vec<usize> = (0..60).collect();
        let pooled = Interval::of_families(0.9, &pairs, &alone).expect("enough");
        assert!(pooled.upper_ratio < few.upper_ratio, "{pooled:?}");
        assert_eq!(Interval::of_families(0.9, &pairs[..5], &families[..5]), None);
    }

    #[test]
    fn a_conformal_interval_needs_enough_rows_and_networks() {
        let ones = [1.0; 20];
        let predicted: Vec<f64> = (0..20).map(|i| 1.0 + f64::from(i) / 20.0).collect();
        let interval = Interval::conformal(0.9, &ones, &predicted, 3).expect("enough");
        assert!((interval.upper_ratio - predicted[18]).abs() < 1e-12);
        assert_eq!(Interval::conformal(0.9, &ones, &predicted, 2), None);
        assert_eq!(Interval::conformal(0.9, &ones[..8], &predicted[..8], 3), None);
        assert_eq!(Interval::conformal(0.9, &ones, &[-1.0; 20], 3), None);
    }
}
