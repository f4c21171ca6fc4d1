//! The kind that cross-validation prefers, the simplest where others are hardly better.

use super::blend::{blended, hybrid_weight};
use super::hybrid::INDISTINCT;
use super::physics::FEW_NETWORKS;
use super::{BlendRecipe, HybridRecipe, LassoRecipe, MlpRecipe, PhysicsRecipe, inner_folds};
use crate::fit::plan::{Plan, Weighting};
use crate::model::{Predictor, Problem, Recipe, Sums, Target};
use estimators::FitError;
use estimators::lasso::Folds;
use onnx::{GraphBuilder, Value};
use rayon::prelude::*;
use shared::engine::Table;
use std::collections::BTreeMap;

/// Rows up to which the Lasso is tried: with more it takes long, and trees know more.
const LASSO_ROWS: usize = 500;

/// Fits whichever kind does best on held-out networks.
///
/// All kinds read the same features, so that a fold may choose another than the whole; the Lasso takes part with relative
/// weighting. The simplest kind whose error is within one standard error of the best one's is taken (Breiman et al.,
/// *Classification and Regression Trees*, 1984, section 3.4.3); simple to less so: physics, hybrid, Lasso, perceptron, blend,
/// from the most to the least safe beyond the data. Perceptron and blend take part where rows are few enough
/// (`mlp.auto_rows`), and as the others one target at a time. Below `FEW_NETWORKS` networks only physics and hybrid
/// compete: that another kind did well on so few is chance, and it may be anything on the next.
#[derive(Debug, Clone)]
pub struct AutoRecipe {
    candidates: Vec<Candidate>,
    plan: Plan,
}

#[derive(Debug, Clone)]
enum Candidate {
    Physics(PhysicsRecipe),
    Hybrid(HybridRecipe),
    Lasso(Box<LassoRecipe>),
    Mlp(MlpRecipe),
    Blend(BlendRecipe),
}

impl Candidate {
    fn recipe(&self) -> &dyn Recipe {
        match self {
            Self::Physics(recipe) => recipe,
            Self::Hybrid(recipe) => recipe,
            Self::Lasso(recipe) => recipe.as_ref(),
            Self::Mlp(recipe) => recipe,
            Self::Blend(recipe) => recipe,
        }
    }
}

impl AutoRecipe {
    /// A recipe of a checked plan.
    #[must_use]
    pub fn new(plan: &Plan) -> Self {
        let mut relative = plan.clone();
        relative.lasso.weighting = Weighting::Relative;
        let candidates = vec![
            Candidate::Physics(PhysicsRecipe),
            Candidate::Hybrid(HybridRecipe::new(plan.hybrid.clone())),
            Candidate::Lasso(Box::new(LassoRecipe::new(relative))),
            Candidate::Mlp(MlpRecipe::new(plan.mlp.clone())),
            Candidate::Blend(BlendRecipe::new(plan)),
        ];
        Self { candidates, plan: plan.clone() }
    }

    /// What a kind predicts of each sum without having seen its network; none where it cannot be fitted.
    fn unseen(recipe: &dyn Recipe, sums: &Sums, cut: &Folds) -> Option<Vec<f64>> {
        let folds: Option<Vec<Vec<(usize, f64)>>> = (0..cut.count())
            .into_par_iter()
            .map(|fold| {
                let fitted = fit_sums(recipe, &sums.subset(&cut.training(fold))).ok()?;
                let held_out = cut.held_out(fold);
                let part = sums.subset(&held_out);
                let values: Vec<Vec<f64>> = fitted
                    .iter()
                    .zip(&part.parts)
                    .map(|(model, rows)| (0..rows.len()).map(|i| model.predict(rows.row(i))).collect())
                    .collect();
                Some(held_out.into_iter().zip(part.add_up(&values)).collect())
            })
            .collect();
        let mut predicted = vec![f64::NAN; sums.len()];
        folds?.into_iter().flatten().for_each(|(sum, value)| predicted[sum] = value);
        Some(predicted)
    }

    /// Mean absolute log error of predictions, with its standard error over the networks; none where they cannot be.
    fn score(predicted: &[f64], sums: &Sums) -> Option<(f64, f64)> {
        let errors: Vec<f64> = predicted.iter().zip(&sums.measured).map(|(p, y)| (p / y).ln().abs()).collect();
        if errors.iter().any(|error| !error.is_finite()) {
            return None;
        }
        let mean = errors.iter().sum::<f64>() / errors.len() as f64;
        let mut by_network: BTreeMap<usize, f64> = BTreeMap::new();
        for (network, error) in sums.networks.iter().zip(&errors) {
            *by_network.entry(*network).or_default() += error - mean;
        }
        let spread = by_network.values().map(|sum| sum * sum).sum::<f64>().sqrt() / errors.len() as f64;
        Some((mean, spread))
    }

    fn choose(&self, sums: &Sums) -> Result<(&dyn Recipe, serde_json::Value), FitError> {
        let networks = sums.network_count();
        let Some(cut) = inner_folds(sums)? else {
            let simplest = self.candidates[0].recipe();
            return Ok((simplest, serde_json::json!({ "chosen": simplest.kind(), "compared": [] })));
        };
        let mut unseen: Vec<Option<Vec<f64>>> = Vec::new();
        for candidate in &self.candidates {
            let predicted = match candidate {
                Candidate::Lasso(_) | Candidate::Mlp(_) | Candidate::Blend(_) if networks < FEW_NETWORKS => None,
                Candidate::Lasso(_) if sums.len() > LASSO_ROWS => None,
                Candidate::Mlp(_) | Candidate::Blend(_) if sums.len() > self.plan.mlp.auto_rows => None,
                // What its two parts predict is known by now.
                Candidate::Blend(_) => {
                    let parts = self.of_kind("hybrid", &unseen).zip(self.of_kind("mlp", &unseen));
                    parts.map(|(hybrid, mlp)| blend(hybrid, mlp, &sums.measured))
                }
                candidate => Self::unseen(candidate.recipe(), sums, &cut),
            };
            unseen.push(predicted);
        }
        let score = |predicted: &Option<Vec<f64>>| Self::score(predicted.as_ref()?, sums);
        let scores: Vec<Option<(f64, f64)>> = unseen.iter().map(score).collect();
        let best = scores.iter().flatten().min_by(|a, b| a.0.total_cmp(&b.0)).copied();
        // One standard error of few networks would excuse anything.
        let within = |score: &Option<(f64, f64)>| {
            score
                .zip(best)
                .is_some_and(|((mean, _), (least, spread))| mean <= least + spread.min(0.1 * least).max(INDISTINCT))
        };
        let chosen = scores.iter().position(within).unwrap_or(0);
        let compared: Vec<_> = self
            .candidates
            .iter()
            .zip(&scores)
            .map(|(candidate, score)| {
                serde_json::json!({
                    "kind": candidate.recipe().kind(),
                    "mean_absolute_log_error": score.map(|s| s.0),
                    "standard_error": score.map(|s| s.1),
                })
            })
            .collect();
        let recipe = self.candidates[chosen].recipe();
        Ok((recipe, serde_json::json!({ "chosen": recipe.kind(), "compared": compared })))
    }

    fn of_kind<'a>(&self, kind: &str, unseen: &'a [Option<Vec<f64>>]) -> Option<&'a [f64]> {
        let mut known = self.candidates.iter().zip(unseen);
        known.find(|(candidate, _)| candidate.recipe().kind() == kind)?.1.as_deref()
    }

    fn fit_chosen(&self, sums: &Sums) -> Result<Vec<Box<dyn Predictor>>, FitError> {
        let (recipe, comparison) = self.choose(sums)?;
        let chosen = |predictor| Box::new(Chosen { predictor, comparison: comparison.clone() }) as Box<dyn Predictor>;
        Ok(fit_sums(recipe, sums)?.into_iter().map(chosen).collect())
    }
}

/// What a blend of two kinds predicts, by what both predict; none where one of two is not above zero.
fn blend(hybrid: &[f64], mlp: &[f64], measured: &[f64]) -> Vec<f64> {
    let weight = hybrid_weight(hybrid, mlp, measured);
    hybrid.iter().zip(mlp).map(|(h, m)| blended(*h, *m, weight)).collect()
}

/// Fits sums by any kind; one that knows only layers takes part where every sum is one.
fn fit_sums(recipe: &dyn Recipe, sums: &Sums) -> Result<Vec<Box<dyn Predictor>>, FitError> {
    if let Some(fitted) = recipe.fit_sums(sums) {
        return fitted;
    }
    let [part] = sums.parts.as_slice() else {
        return Err(FitError::Failed(format!("{} learns from layers alone", recipe.kind())));
    };
    let mut place = vec![None; sums.len()];
    for one in &part.uses {
        if place[one.sum].replace(one.row).is_some() || one.weight != 1.0 {
            return Err(FitError::Failed(format!("{} learns from layers alone", recipe.kind())));
        }
    }
    let rows = place.iter().flatten().flat_map(|&row| part.row(row).iter().copied()).collect();
    let problem = Problem {
        table: part.table,
        target: sums.target,
        features: part.features.clone(),
        rows,
        measured: sums.measured.clone(),
        networks: sums.networks.clone(),
        companion: Vec::new(),
    };
    Ok(vec![recipe.fit(&problem)?])
}

impl Recipe for AutoRecipe {
    fn kind(&self) -> &'static str {
        "auto"
    }

    fn features(&self, table: Table, target: Target) -> Vec<String> {
        self.candidates[0].recipe().features(table, target)
    }

    fn fit(&self, problem: &Problem) -> Result<Box<dyn Predictor>, FitError> {
        self.fit_chosen(&Sums::of_layers(problem))?.pop().ok_or(FitError::TooFewRows { found: 0, needed: 1 })
    }

    fn fit_sums(&self, sums: &Sums) -> Option<Result<Vec<Box<dyn Predictor>>, FitError>> {
        Some(self.fit_chosen(sums))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({ "hybrid": self.plan.hybrid, "lasso": self.plan.lasso, "mlp": self.plan.mlp })
    }
}

/// A predictor with the comparison that chose its kind.
#[derive(Debug)]
struct Chosen {
    predictor: Box<dyn Predictor>,
    comparison: serde_json::Value,
}

impl Predictor for Chosen {
    fn predict(&self, features: &[f64]) -> f64 {
        self.predictor.predict(features)
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        self.predictor.export(graph, features)
    }

    fn describe(&self) -> serde_json::Value {
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
