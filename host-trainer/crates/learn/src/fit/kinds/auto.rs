//! The kind that cross-validation prefers, the simplest where others are hardly better.

use super::hybrid::INDISTINCT;
use crate::fit::cross_validation::{fit_folds, held_out_predictions, inner_folds};
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::{Candidate, Definition, Kind, Plan};
use crate::model::{Dataset, Predictor, Target};
use estimators::FitError;
use onnx::{GraphBuilder, Value};
use serde_json::Value as Json;
use shared::engine::Table;
use std::collections::BTreeMap;

pub(super) static DEFINITION: Definition = Definition {
    name: "auto",
    description: "Whichever of them does best on held-out networks, model by model, the simplest where it hardly matters",
    estimator: |plan, kinds| Box::new(AutoEstimator::new(plan, kinds)),
    search_space: &[],
    candidate: None,
    baseline: false,
};

pub(super) use crate::fit::kind_options::NoOptions as Options;

/// Fits whichever kind does best on held-out networks.
///
/// All candidates read the same features, so that a fold may choose another than the whole. The simplest candidate whose
/// error is within one standard error of the best one's is taken (Breiman et al., *Classification and Regression Trees*,
/// 1984, section 3.4.3). Each candidate says on which data it takes part, and learns one target at a time.
#[derive(Debug)]
pub struct AutoEstimator {
    /// The simplest first.
    candidates: Vec<Contender>,
    plan: Plan,
}

/// A candidate with its estimator.
struct Contender {
    kind: Kind,
    rules: &'static Candidate,
    estimator: Box<dyn Estimator>,
}

impl std::fmt::Debug for Contender {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.estimator.fmt(f)
    }
}

impl AutoEstimator {
    /// An estimator of a checked plan, which chooses between those of `kinds` that take part.
    pub(in crate::fit) fn new(plan: &Plan, kinds: &[Kind]) -> Self {
        let contender = |kind: &Kind| {
            let rules = kind.0.candidate.as_ref()?;
            Some(Contender { kind: *kind, rules, estimator: (rules.estimator)(plan) })
        };
        let mut candidates: Vec<Contender> = kinds.iter().filter_map(contender).collect();
        candidates.sort_by_key(|contender| contender.rules.complexity);
        Self { candidates, plan: plan.clone() }
    }

    /// The candidate that suits data, and the comparison behind the choice.
    fn choose(&self, data: &Dataset) -> Result<(&dyn Estimator, Json), FitError> {
        let simplest = self.candidates.first().ok_or_else(|| FitError::Options("auto has no candidates".to_owned()))?;
        let Some(folds) = inner_folds(data) else {
            let comparison = serde_json::json!({ "chosen": simplest.kind.name(), "compared": [] });
            return Ok((simplest.estimator.as_ref(), comparison));
        };
        let mut predictions: BTreeMap<&str, Vec<f64>> = BTreeMap::new();
        for contender in self.candidates.iter().filter(|one| (one.rules.takes_part)(&self.plan, data)) {
            let predicted = match contender.rules.combines {
                // What its two parts predict is known by now: both are simpler.
                Some(combination) => {
                    let [first, second] = combination.kinds.map(|kind| predictions.get(kind).map(Vec::as_slice));
                    first.zip(second).map(|(a, b)| (combination.combine)([a, b], &data.measured))
                }
                // A candidate that cannot be fitted does not take part.
                None => fit_folds(contender.estimator.as_ref(), data, &folds)
                    .ok()
                    .map(|fitted| held_out_predictions(data, &fitted)),
            };
            predictions.extend(predicted.map(|predicted| (contender.kind.name(), predicted)));
        }
        let score = |contender: &Contender| score(predictions.get(contender.kind.name())?, data);
        let scores: Vec<Option<(f64, f64)>> = self.candidates.iter().map(score).collect();
        let best = scores.iter().flatten().min_by(|a, b| a.0.total_cmp(&b.0)).copied();
        // One standard error of few networks would excuse anything.
        let within = |score: &Option<(f64, f64)>| {
            score
                .zip(best)
                .is_some_and(|((mean, _), (least, spread))| mean <= least + spread.min(0.1 * least).max(INDISTINCT))
        };
        let chosen = &self.candidates[scores.iter().position(within).unwrap_or(0)];
        let compared: Vec<_> = self
            .candidates
            .iter()
            .zip(&scores)
            .map(|(contender, score)| {
                serde_json::json!({
                    "kind": contender.kind.name(),
                    "mean_absolute_log_error": score.map(|s| s.0),
                    "standard_error": score.map(|s| s.1),
                })
            })
            .collect();
        let comparison = serde_json::json!({ "chosen": chosen.kind.name(), "compared": compared });
        Ok((chosen.estimator.as_ref(), comparison))
    }
}

/// Mean absolute log error of predictions, with its standard error over the networks; none where it is not finite.
fn score(predicted: &[f64], data: &Dataset) -> Option<(f64, f64)> {
    let errors: Vec<f64> = predicted.iter().zip(&data.measured).map(|(p, y)| (p / y).ln().abs()).collect();
    if errors.iter().any(|error| !error.is_finite()) {
        return None;
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let mut by_network: BTreeMap<usize, f64> = BTreeMap::new();
    for (network, error) in data.networks.iter().zip(&errors) {
        *by_network.entry(*network).or_default() += error - mean;
    }
    let spread = by_network.values().map(|sum| sum * sum).sum::<f64>().sqrt() / errors.len() as f64;
    Some((mean, spread))
}

impl Estimator for AutoEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, target: Target) -> Vec<String> {
        self.candidates.first().map(|simplest| simplest.estimator.features(table, target)).unwrap_or_default()
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        // Candidates are compared on one target, so none of them learns the other beside it.
        let data = Dataset { other_target: Vec::new(), ..data.clone() };
        let (estimator, comparison) = self.choose(&data)?;
        Ok(estimator.fit(&data)?.map(|predictor| Box::new(Chosen { predictor, comparison: comparison.clone() })))
    }

    fn configuration(&self, _table: Table, _target: Target) -> Json {
        let options = self.candidates.iter().filter_map(|contender| (contender.rules.options)(&self.plan));
        Json::Object(options.map(|(section, values)| (section.to_owned(), values)).collect())
    }
}

/// A predictor with the comparison that chose its kind.
#[derive(Debug)]
struct Chosen {
    predictor: Box<dyn Predictor>,
    comparison: Json,
}

impl Predictor for Chosen {
    fn predict(&self, features: &[f64]) -> f64 {
        self.predictor.predict(features)
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        self.predictor.export(graph, features)
    }

    fn describe(&self) -> Json {
        let mut description = self.predictor.describe();
        if let Some(fields) = description.as_object_mut() {
            fields.insert("auto".to_owned(), self.comparison.clone());
        }
        description
    }

    fn warnings(&self) -> Vec<String> {
        self.predictor.warnings()
    }
}
