//! Physics times exp(a small boosted residual): the physical model carries what lies beyond the training data, the trees
//! what it does not know within them.

use super::physics::{self, PhysicsPredictor, rounded};
use crate::fit::cross_validation::{cross_validate, inner_folds};
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::kind_options::within;
use crate::fit::plan::{Candidate, Definition};
use crate::model::{Dataset, LayerTable, Predictor, Target};
use estimators::FitError;
use estimators::boost::{Bins, Forest, Grower, Growth};
use estimators::formula::{Formula, FormulaExport};
use onnx::{GraphBuilder, Value};
use serde::{Deserialize, Serialize};
use shared::engine::Table;

/// Sums up to which the number of rounds is chosen by inner folds; with more, the residual is learnt safely.
const FEW_SUMS: usize = 1500;
/// Numbers of rounds between two that the inner folds compare.
const ROUNDS_STEP: usize = 20;
/// Share of the questions that each tree may ask of power measured layer by layer, unless told.
const POWER_QUESTIONS: f64 = 0.7;
/// What the residual must gain on inner folds, as a share of the physical model's error, to be kept.
const WORTH_IT: f64 = 0.02;
/// What it must gain in mean absolute log error besides: a tenth of a per cent is less than measurements repeat to.
pub(super) const INDISTINCT: f64 = 1e-3;

/// What `tune` searches of the residual.
pub(super) const SEARCH_SPACE: &str = r#"
hybrid.learning_rate = { low = 0.01, high = 0.3, log = true }
hybrid.leaves = { low = 4, high = 64, log = true }
hybrid.leaf_rows = { low = 2, high = 40, log = true }
hybrid.ridge = { low = 0.1, high = 30.0, log = true }
"#;

pub(super) static DEFINITION: Definition = Definition {
    name: "hybrid",
    description: "Physics times a small boosted residual; learns from the same",
    estimator: |plan, _| Box::new(HybridEstimator::new(plan.options())),
    search_space: &[SEARCH_SPACE],
    candidate: Some(Candidate {
        complexity: 2,
        estimator: |plan| Box::new(HybridEstimator::new(plan.options())),
        takes_part: |_, _| true,
        combines: None,
        options: |plan| Some(("hybrid", serde_json::json!(plan.options::<HybridOptions>()))),
    }),
    baseline: false,
};

pub(super) use HybridOptions as Options;

/// Options of the boosted residual that the hybrid kind multiplies its physical model by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HybridOptions {
    /// Trees; chosen by inner folds where the data are few, and `most_rounds` where they are many, unless given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rounds: Option<usize>,
    /// Trees at most.
    pub most_rounds: usize,
    /// Share of each tree's step that is taken.
    pub learning_rate: f64,
    /// Leaves a tree at most.
    pub leaves: usize,
    /// Rows a leaf at least.
    pub leaf_rows: usize,
    /// What pulls leaves of few rows to zero, in rows.
    pub ridge: f64,
    /// Share of what can be asked of a layer that each tree may ask; where none is given, 0.7 for power measured layer by
    /// layer, which no formula describes well, and all elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub question_share: Option<f64>,
    /// Where thresholds lie within the gaps between training values, and what each tree may ask.
    pub seed: u64,
}

impl Default for HybridOptions {
    fn default() -> Self {
        Self {
            rounds: None,
            most_rounds: 1000,
            learning_rate: 0.1,
            leaves: 31,
            leaf_rows: 6,
            ridge: 1.0,
            question_share: None,
            seed: 0,
        }
    }
}

impl crate::fit::kind_options::Options for HybridOptions {
    const SECTION: Option<&'static str> = Some("hybrid");

    fn check(&self) -> Result<(), String> {
        within("hybrid.rounds", self.rounds.is_none_or(|rounds| rounds <= 10_000), "at most 10,000")?;
        within("hybrid.most_rounds", (1..=10_000).contains(&self.most_rounds), "1 to 10,000")?;
        let rate = self.learning_rate;
        within("hybrid.learning_rate", rate > 0.0 && rate <= 1.0, "above 0 and at most 1")?;
        within("hybrid.leaves", (2..=1024).contains(&self.leaves), "2 to 1,024")?;
        within("hybrid.leaf_rows", self.leaf_rows >= 1, "at least 1")?;
        within("hybrid.ridge", self.ridge > 0.0, "positive")?;
        let share = self.question_share.unwrap_or(1.0);
        within("hybrid.question_share", share > 0.0 && share <= 1.0, "above 0 and at most 1")
    }
}

/// Fits hybrid models.
#[derive(Debug, Clone)]
pub struct HybridEstimator {
    options: HybridOptions,
}

impl HybridEstimator {
    /// An estimator with checked options.
    #[must_use]
    pub fn new(options: HybridOptions) -> Self {
        Self { options }
    }
}

impl Estimator for HybridEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, _target: Target) -> Vec<String> {
        physics::features(table).iter().map(|name| (*name).to_owned()).collect()
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        let rounds = match self.options.rounds {
            Some(rounds) => rounds,
            None if data.len() > FEW_SUMS => self.options.most_rounds,
            None => choose_rounds(data, &self.options)?,
        };
        Ok(FittedModels::of(boost(data, &self.options, rounds)?))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({ "hybrid": self.options })
    }
}

/// A fitted hybrid model of one table.
#[derive(Debug, Clone)]
struct HybridPredictor {
    physics: PhysicsPredictor,
    questions: Vec<Formula>,
    forest: Forest,
}

/// The number of rounds that does best on inner folds, by network; none at all unless it is worth it.
fn choose_rounds(sums: &Dataset, options: &HybridOptions) -> Result<usize, FitError> {
    let Some(folds) = inner_folds(sums) else { return Ok(0) };
    let checkpoints: Vec<usize> = (0..=options.most_rounds).step_by(ROUNDS_STEP).collect();
    let errors: Vec<Option<Vec<f64>>> = cross_validate(sums, &folds, |fold| {
        if fold.training.len() < 2 {
            return Ok(None);
        }
        let fitted = boost(&fold.training, options, options.most_rounds)?;
        Ok::<_, FitError>(Some(error_by_rounds(&fitted, &sums.subset(&fold.held_out), &checkpoints)))
    })?;
    let folds = folds.count();
    let total = |checkpoint: usize| errors.iter().flatten().map(|fold| fold[checkpoint]).sum::<f64>();
    let best = (0..checkpoints.len()).min_by(|&a, &b| total(a).total_cmp(&total(b))).unwrap_or(0);
    let judged = errors.iter().flatten().count().max(1) as f64 * sums.len() as f64 / folds as f64;
    let worth_it = total(best) < (1.0 - WORTH_IT) * total(0) && total(0) - total(best) > INDISTINCT * judged;
    Ok(if worth_it { checkpoints[best] } else { 0 })
}

/// Sum of absolute log errors after some numbers of rounds.
fn error_by_rounds(fitted: &[HybridPredictor], sums: &Dataset, checkpoints: &[usize]) -> Vec<f64> {
    let base: Vec<Vec<f64>> = fitted.iter().zip(&sums.tables).map(|(model, part)| model.physical(part)).collect();
    let questions: Vec<Vec<Vec<f32>>> = fitted
        .iter()
        .zip(&sums.tables)
        .map(|(model, part)| (0..part.len()).map(|i| model.ask(&rounded(part.row(i)))).collect())
        .collect();
    let mut residuals: Vec<Vec<f64>> = base.iter().map(|base| vec![0.0; base.len()]).collect();
    let mut done = 0;
    checkpoints
        .iter()
        .map(|&rounds| {
            for ((model, rows), residuals) in fitted.iter().zip(&questions).zip(&mut residuals) {
                for (row, residual) in rows.iter().zip(residuals) {
                    let trees = model.forest.0.iter().take(rounds).skip(done);
                    *residual += trees.map(|tree| f64::from(tree.value(row))).sum::<f64>();
                }
            }
            done = rounds;
            let totals = sums.sum(&multiplied(&base, &residuals));
            totals.iter().zip(&sums.measured).map(|(p, y)| (p / y).ln().abs()).sum()
        })
        .collect()
}

fn multiplied(base: &[Vec<f64>], residuals: &[Vec<f64>]) -> Vec<Vec<f64>> {
    let part =
        |(base, residuals): (&Vec<f64>, &Vec<f64>)| base.iter().zip(residuals).map(|(b, r)| b * r.exp()).collect();
    base.iter().zip(residuals).map(part).collect()
}

/// Fits the physical model and boosts its residual for a number of rounds.
///
/// The loss is the squared log ratio of each sum. A layer with the share `s` of a sum has the gradient `r·s`, and `s` bounds
/// its second derivative (Jensen): where all layers of a sum fall into one leaf, a full step corrects the sum exactly.
fn boost(sums: &Dataset, options: &HybridOptions, rounds: usize) -> Result<Vec<HybridPredictor>, FitError> {
    let mut models: Vec<HybridPredictor> = physics::fit(sums)?
        .into_iter()
        .zip(&sums.tables)
        .map(|(physics, part)| HybridPredictor {
            physics,
            questions: questions(part.table, sums),
            forest: Forest::default(),
        })
        .collect();
    if rounds == 0 {
        return Ok(models);
    }
    let base: Vec<Vec<f64>> = models.iter().zip(&sums.tables).map(|(model, part)| model.physical(part)).collect();
    let bins: Vec<Bins> = models.iter().zip(&sums.tables).map(|(model, part)| model.bins(part)).collect();
    let share = if sums.target == Target::Power && sums.are_layers() { POWER_QUESTIONS } else { 1.0 };
    let clip = if sums.target == Target::Power && !sums.are_layers() { Clip::TIGHT } else { Clip::WIDE };
    let growth = |rows: usize| Growth {
        learning_rate: options.learning_rate,
        leaves: options.leaves,
        leaf_rows: options.leaf_rows.min(rows / 20).max(2),
        ridge: options.ridge,
        feature_share: options.question_share.unwrap_or(share),
    };
    let mut growers: Vec<Grower<'_>> = bins
        .iter()
        .enumerate()
        .map(|(i, bins)| Grower::new(bins, growth(bins.rows()), options.seed.wrapping_add(i as u64)))
        .collect();
    let mut residuals: Vec<Vec<f64>> = base.iter().map(|base| vec![0.0; base.len()]).collect();
    for _ in 0..rounds {
        let values = multiplied(&base, &residuals);
        let totals = sums.sum(&values);
        let ratios = clip.apply(totals.iter().zip(&sums.measured).map(|(p, y)| (p / y).ln()).collect());
        for (i, part) in sums.tables.iter().enumerate().filter(|(_, part)| !part.is_empty()) {
            let (mut gradients, mut hessians) = (vec![0.0; part.len()], vec![0.0; part.len()]);
            for one in &part.occurrences {
                let share = one.weight * values[i][one.row] / totals[one.measurement];
                gradients[one.row] += share * ratios[one.measurement];
                hessians[one.row] += share;
            }
            let tree = growers[i].grow(&gradients, &hessians, &mut residuals[i]);
            models[i].forest.0.push(tree);
        }
    }
    Ok(models)
}

/// What the trees ask. Of networks' totals only sizes: there a product of them tells one training network from another, and
/// says nothing of the next.
fn questions(table: Table, sums: &Dataset) -> Vec<Formula> {
    let products = if sums.are_layers() { physics::products(table) } else { Vec::new() };
    physics::sizes(table).into_iter().chain(products).map(|question| question.formula).collect()
}

/// How far outliers among log ratios are drawn in.
#[derive(Debug, Clone, Copy)]
struct Clip {
    /// Ratios count at most this many times their median size.
    medians: f64,
    /// Ratios below this count in full, however small the median.
    always: f64,
}

impl Clip {
    const WIDE: Self = Self { medians: 4.0, always: 0.05 };
    /// For networks' powers: means of a few dozen readings of a rail, of which now and then one is far off.
    const TIGHT: Self = Self { medians: 2.0, always: 0.02 };

    fn apply(self, mut ratios: Vec<f64>) -> Vec<f64> {
        let mut sizes: Vec<f64> = ratios.iter().map(|r| r.abs()).collect();
        let middle = sizes.len() / 2;
        let (_, median, _) = sizes.select_nth_unstable_by(middle, f64::total_cmp);
        let bound = (self.medians * *median).max(self.always);
        ratios.iter_mut().for_each(|r| *r = r.clamp(-bound, bound));
        ratios
    }
}

impl HybridPredictor {
    /// What the trees are asked of a row that is rounded already.
    fn ask(&self, row: &[f64]) -> Vec<f32> {
        self.questions.iter().map(|question| question.value(row) as f32).collect()
    }

    fn physical(&self, part: &LayerTable) -> Vec<f64> {
        (0..part.len()).map(|i| self.physics.value(&rounded(part.row(i)))).collect()
    }

    fn bins(&self, part: &LayerTable) -> Bins {
        let rows: Vec<Vec<f32>> = (0..part.len()).map(|i| self.ask(&rounded(part.row(i)))).collect();
        let column = |j: usize| rows.iter().map(|row| row[j]).collect::<Vec<f32>>();
        Bins::of(&(0..self.questions.len()).map(column).collect::<Vec<_>>())
    }
}

impl Predictor for HybridPredictor {
    fn predict(&self, features: &[f64]) -> f64 {
        let row = rounded(features);
        self.physics.value(&row) * self.forest.value(&self.ask(&row)).exp()
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let mut formulas = FormulaExport::new(features);
        let physics = self.physics.write(graph, &mut formulas, features);
        if self.forest.0.is_empty() {
            return physics;
        }
        let questions: Vec<Value> = self.questions.iter().map(|q| formulas.write(graph, q)).collect();
        let questions = graph.beside(&questions.iter().collect::<Vec<_>>());
        let questions = graph.to_float(&questions);
        let residual = self.forest.export(graph, &questions);
        let factor = graph.apply("Exp", &[&residual], vec![]);
        graph.apply("Mul", &[&physics, &factor], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        let leaves = |tree: &estimators::boost::Tree| tree.0.len().div_ceil(2);
        serde_json::json!({
            "physics": self.physics.describe(),
            "residual": { "trees": self.forest.0.len(), "leaves": self.forest.0.iter().map(leaves).sum::<usize>() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outliers_are_drawn_in_to_multiples_of_the_median() {
        let ratios = vec![0.1, -0.1, 0.1, -3.0, 0.2];
        assert_eq!(Clip::TIGHT.apply(ratios.clone()), [0.1, -0.1, 0.1, -0.2, 0.2]);
        assert_eq!(Clip::WIDE.apply(ratios), [0.1, -0.1, 0.1, -0.4, 0.2]);
        assert_eq!(Clip::WIDE.apply(vec![1e-6, -2e-6, 0.04, -9.0, 0.0]), [1e-6, -2e-6, 0.04, -0.05, 0.0]);
    }
}
