//! What `fit` is to do: read from TOML, checked before any work begins.
//!
//! The defaults are the reference's pipeline with its known faults mended. Each fault is an option by its own name, so
//! that its effect can be measured; all of them together are the reference.

use super::kinds::Kind;
use crate::features::columns;
use crate::model::{Recipe, Target};
use crate::training::TrainingData;
use estimators::mlp;
use estimators::scaler::ScalerKind;
use serde::{Deserialize, Serialize};
use shared::engine::Table;
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::near::near;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Everything `fit` can be told in a file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Plan {
    /// Model kind.
    pub kind: Kind,
    /// Networks kept back for testing.
    pub test_models: Vec<String>,
    /// Rows used of each table, drawn once and for all; all of them where it is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
    /// How models are judged.
    pub evaluation: Evaluation,
    /// The reference's faults, by name; all off by default.
    pub reference_faults: ReferenceFaults,
    /// The Lasso.
    pub lasso: LassoPlan,
    /// The residual of the hybrid kind.
    pub hybrid: HybridPlan,
    /// The multi-layer perceptron.
    pub mlp: mlp::Settings,
}

impl Default for Plan {
    fn default() -> Self {
        Self {
            kind: Kind::default(),
            test_models: ["lenet", "resnet18", "vgg16"].map(str::to_owned).to_vec(),
            samples: None,
            evaluation: Evaluation::default(),
            reference_faults: ReferenceFaults::default(),
            lasso: LassoPlan::default(),
            hybrid: HybridPlan::default(),
            mlp: mlp::Settings::default(),
        }
    }
}

/// How models are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Evaluation {
    /// Folds of the cross-validation that judges the whole pipeline, cut by network; 0 leaves it out. Intervals are drawn from
    /// it: with fewer folds its models know less than the final one, and the intervals hold more than they promise.
    pub folds: usize,
    /// Probability that an interval is to hold the measurement.
    pub interval_level: f64,
}

impl Default for Evaluation {
    fn default() -> Self {
        Self { folds: 10, interval_level: 0.9 }
    }
}

/// The reference's faults. Each is `true` to have it back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ReferenceFaults {
    /// The special term that counts a convolution's operations multiplies by the output's width, not its channels.
    pub ops_by_output_width: bool,
    /// The penalty is chosen on folds that split networks, so that near-identical layers stand on both sides.
    pub ungrouped_folds: bool,
    /// Groups are ignored: a depthwise convolution counts as a dense one.
    pub ignore_groups: bool,
    /// Precision is ignored.
    pub ignore_precision: bool,
    /// Every pooling is taken to cover its whole input, and padding is no feature of a pooling.
    pub ignore_pool_window: bool,
    /// A dense layer's sizes count the batch, and the batch is a feature besides.
    pub dense_batch_twice: bool,
    /// Predictions may be negative.
    pub negative_predictions: bool,
}

impl ReferenceFaults {
    /// The reference, fault by fault.
    pub const ALL: Self = Self {
        ops_by_output_width: true,
        ungrouped_folds: true,
        ignore_groups: true,
        ignore_precision: true,
        ignore_pool_window: true,
        dense_batch_twice: true,
        negative_predictions: true,
    };
}

/// How rows are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weighting {
    /// All alike, as the reference does: absolute errors count.
    #[default]
    Equal,
    /// By the inverse square of the measurement: relative errors count.
    Relative,
}

/// Options of the Lasso; the names are scikit-learn's `LassoCV`'s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LassoPlan {
    /// Folds by which the penalty is chosen.
    pub folds: usize,
    /// Penalties tried.
    pub alphas: usize,
    /// Smallest penalty over largest.
    pub eps: f64,
    /// Sweeps over the coefficients at most, each penalty.
    pub max_iter: usize,
    /// Tolerance of the duality gap.
    pub tol: f64,
    /// How rows are weighted.
    pub weighting: Weighting,
    /// Differences from the defaults, by layer kind and target.
    pub models: BTreeMap<Table, BTreeMap<Target, LassoModel>>,
}

impl Default for LassoPlan {
    fn default() -> Self {
        Self {
            folds: 10,
            alphas: 500,
            eps: 1e-3,
            max_iter: 10_000,
            tol: 1e-4,
            weighting: Weighting::Equal,
            models: BTreeMap::new(),
        }
    }
}

/// Options of the boosted residual that the hybrid kind multiplies its physical model by.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HybridPlan {
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

impl Default for HybridPlan {
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

/// Options of one Lasso model; what is absent keeps the default of its layer kind and target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LassoModel {
    /// Largest total degree of the polynomial's terms, 1 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<u32>,
    /// Whether the polynomial is over log(1 + x) instead of x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<bool>,
    /// Whether products that count operations and bytes are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_terms: Option<bool>,
    /// How terms are scaled: `standard`, `robust` or `minmax`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaler: Option<ScalerKind>,
    /// Whether coefficients must not be negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive: Option<bool>,
    /// Whether there is a constant beside the terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intercept: Option<bool>,
    /// Columns read, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_cols: Option<Vec<String>>,
}

/// [`LassoModel`] with every option settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LassoSettings {
    /// Largest total degree.
    pub degree: u32,
    /// Polynomial over log(1 + x).
    pub log: bool,
    /// Special terms added.
    pub special_terms: bool,
    /// Scaler.
    pub scaler: ScalerKind,
    /// Non-negative coefficients.
    pub positive: bool,
    /// Intercept.
    pub intercept: bool,
    /// Columns read.
    pub input_cols: Vec<String>,
}

impl Plan {
    /// Reads a plan from a TOML file.
    ///
    /// # Errors
    /// A file that cannot be read, is no TOML, or has an unknown key or a value out of range; each is named.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
        let text = String::from_utf8(content).map_err(|_| Failure::usage("is not UTF-8 text").at(path))?;
        let plan: Self = toml::from_str(&text).map_err(|e| toml_failure(path, &text, &e))?;
        plan.check().map_err(|message| Failure::usage(message).at(path))?;
        Ok(plan)
    }

    /// The test networks that data hold; none where they hold no other, since then there would be nothing to train on.
    #[must_use]
    pub fn known_test_networks(&self, data: &TrainingData) -> BTreeSet<String> {
        let known = data.networks();
        let found: BTreeSet<String> =
            self.test_models.iter().filter(|name| known.contains(name.as_str())).cloned().collect();
        if found.len() == known.len() { BTreeSet::new() } else { found }
    }

    /// The recipe of the plan's kind, with the plan's options.
    #[must_use]
    pub fn recipe(&self) -> Box<dyn Recipe> {
        self.kind.recipe(self)
    }

    /// Checks the ranges that types cannot.
    ///
    /// # Errors
    /// A sentence that names the option.
    pub fn check(&self) -> Result<(), String> {
        let within =
            |name: &str, ok: bool, range: &str| if ok { Ok(()) } else { Err(format!("`{name}` must be {range}")) };
        within("samples", self.samples != Some(0), "at least 1")?;
        within("evaluation.folds", self.evaluation.folds != 1, "0 or at least 2")?;
        let level = self.evaluation.interval_level;
        within("evaluation.interval_level", level > 0.0 && level < 1.0, "between 0 and 1")?;
        within("lasso.folds", self.lasso.folds >= 2, "at least 2")?;
        within("lasso.alphas", (1..=10_000).contains(&self.lasso.alphas), "1 to 10,000")?;
        within("lasso.eps", self.lasso.eps > 0.0 && self.lasso.eps < 1.0, "between 0 and 1")?;
        within("lasso.tol", self.lasso.tol > 0.0, "positive")?;
        within("lasso.max_iter", self.lasso.max_iter >= 1, "at least 1")?;
        let hybrid = &self.hybrid;
        within("hybrid.rounds", hybrid.rounds.is_none_or(|rounds| rounds <= 10_000), "at most 10,000")?;
        within("hybrid.most_rounds", (1..=10_000).contains(&hybrid.most_rounds), "1 to 10,000")?;
        let rate = hybrid.learning_rate;
        within("hybrid.learning_rate", rate > 0.0 && rate <= 1.0, "above 0 and at most 1")?;
        within("hybrid.leaves", (2..=1024).contains(&hybrid.leaves), "2 to 1,024")?;
        within("hybrid.leaf_rows", hybrid.leaf_rows >= 1, "at least 1")?;
        within("hybrid.ridge", hybrid.ridge > 0.0, "positive")?;
        let share = hybrid.question_share.unwrap_or(1.0);
        within("hybrid.question_share", share > 0.0 && share <= 1.0, "above 0 and at most 1")?;
        self.mlp.check().map_err(|message| message.replacen('`', "`mlp.", 1))?;
        for (table, targets) in &self.lasso.models {
            for (target, model) in targets {
                let name = format!("lasso.models.{}.{}", table.name(), target.name());
                within(&format!("{name}.degree"), model.degree.is_none_or(|d| (1..=4).contains(&d)), "1 to 4")?;
                check_columns(*table, model.input_cols.as_deref().unwrap_or_default())
                    .map_err(|e| format!("{name}.input_cols: {e}"))?;
            }
        }
        Ok(())
    }

    /// The settled options of one Lasso model: the plan's, else the defaults of the reference's pipeline.
    #[must_use]
    pub fn lasso_settings(&self, table: Table, target: Target) -> LassoSettings {
        let told = self.lasso.models.get(&table).and_then(|targets| targets.get(&target)).cloned().unwrap_or_default();
        let convolution_power = table == Table::Convolutional && target == Target::Power;
        let pooling = table == Table::Pooling;
        let reference_kind = matches!(table, Table::Convolutional | Table::Pooling | Table::Dense);
        LassoSettings {
            degree: told.degree.unwrap_or(if reference_kind { 3 } else { 2 }),
            log: told.log.unwrap_or(convolution_power),
            special_terms: told.special_terms.unwrap_or(true),
            scaler: told.scaler.unwrap_or(if pooling && target == Target::Power {
                ScalerKind::Robust
            } else {
                ScalerKind::Standard
            }),
            positive: told.positive.unwrap_or(!(pooling && target == Target::Runtime)),
            intercept: told.intercept.unwrap_or(true),
            input_cols: told.input_cols.unwrap_or_else(|| self.default_columns(table)),
        }
    }

    /// The columns a table's models read when none are named.
    #[must_use]
    pub fn default_columns(&self, table: Table) -> Vec<String> {
        let faults = &self.reference_faults;
        let mut names: Vec<&str> = columns::reference_columns(table).to_vec();
        match table {
            Table::Convolutional if !faults.ignore_groups => names.push("group_channels"),
            Table::Pooling if !faults.ignore_pool_window => names.extend(["padding_0", "padding_1"]),
            Table::Dense if !faults.dense_batch_twice => {
                names = vec!["batch_size", "input_features", "output_features", "weights"];
            }
            _ => {}
        }
        if !faults.ignore_precision {
            names.push("element_bytes");
        }
        names.into_iter().map(str::to_owned).collect()
    }

    /// Special terms of a table: products of columns, as the reference has them, with its fault mended unless wanted.
    #[must_use]
    pub fn special_terms(&self, table: Table) -> Vec<Vec<&'static str>> {
        match table {
            Table::Convolutional => {
                let operations: &[&str] = if self.reference_faults.ops_by_output_width {
                    &["input_size_0", "input_size_1", "input_size_2", "kernel_0", "kernel_1", "output_size_2"]
                } else if self.reference_faults.ignore_groups {
                    &["input_size_0", "output_size_0", "output_size_1", "output_size_2", "kernel_0", "kernel_1"]
                } else {
                    &["group_channels", "output_size_0", "output_size_1", "output_size_2", "kernel_0", "kernel_1"]
                };
                vec![operations.to_vec(), [operations, &["batch_size"]].concat()]
            }
            Table::Pooling => vec![
                vec!["batch_size", "input_size_0", "input_size_1", "input_size_2"],
                vec!["batch_size", "output_size_0", "output_size_1", "output_size_2"],
                vec!["batch_size", "input_size_0", "input_size_1", "input_size_2", "kernel_0", "kernel_1"],
            ],
            _ => Vec::new(),
        }
    }
}

/// Checks that columns exist in a table.
///
/// # Errors
/// A sentence that names the first that does not, and what there is.
pub fn check_columns(table: Table, names: &[String]) -> Result<(), String> {
    match names.iter().find(|name| columns::Column::resolve(table, name).is_none()) {
        None => Ok(()),
        Some(name) => {
            let known = columns::names(table);
            Err(format!("{} layers have no column `{name}`{}", table.name(), near(name, &known)))
        }
    }
}

/// What is wrong with a TOML file of ours: file, line, and for an unknown key the near or known ones.
#[must_use]
pub fn toml_failure(path: &Path, text: &str, error: &toml::de::Error) -> Failure {
    let failure = Failure::usage(error.message().to_owned()).at(path);
    let failure = match error.span() {
        Some(span) => failure.place(format!("line {}", text[..span.start.min(text.len())].matches('\n').count() + 1)),
        None => failure,
    };
    // serde names the unknown key and the known ones in backticks.
    let quoted: Vec<&str> = error.message().split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((unknown, known)) if error.message().starts_with("unknown") => {
            failure.help(near(unknown, known).trim_start_matches([';', ' ']).to_owned())
        }
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Plan, Failure> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("plan.toml");
        std::fs::write(&path, text).expect("plan");
        Plan::read(&path)
    }

    #[test]
    fn an_empty_plan_is_the_reference_with_its_faults_mended() {
        let plan = read("").expect("plan");
        assert_eq!(plan, Plan::default());
        let power = plan.lasso_settings(Table::Convolutional, Target::Power);
        assert!(power.log && power.positive && power.degree == 3);
        let pooling = plan.lasso_settings(Table::Pooling, Target::Runtime);
        assert!(!pooling.positive && !pooling.log);
    }

    #[test]
    fn a_plan_may_name_its_kind() {
        assert_eq!(read("kind = \"physics\"\n").expect("plan").recipe().kind(), "physics");
        for kind in Kind::ALL {
            assert_eq!(kind.name().parse(), Ok(*kind));
            assert_eq!(kind.recipe(&Plan::default()).kind(), kind.name());
        }
        assert!("hybird".parse::<Kind>().expect_err("no such kind").contains("did you mean `hybrid`?"));
    }

    #[test]
    fn one_model_can_be_told_apart() {
        let plan = read("[lasso.models.dense.runtime]\ndegree = 1\ninput_cols = [\"macs\"]\n").expect("plan");
        let settings = plan.lasso_settings(Table::Dense, Target::Runtime);
        assert_eq!((settings.degree, settings.input_cols), (1, vec!["macs".to_owned()]));
        assert_eq!(plan.lasso_settings(Table::Dense, Target::Power).degree, 3);
    }

    #[test]
    fn wrong_plans_are_refused_with_place_and_near_name() {
        for (text, expected) in [
            ("kind = \"hybird\"\n", "did you mean `hybrid`?"),
            ("test_modls = []\n", "did you mean `test_models`?"),
            ("\n[lasso]\nalpha = 3\n", "line 3"),
            ("[lasso.models.convolutionl.power]\n", "did you mean `convolutional`?"),
            ("[lasso.models.dense.runtime]\ninput_cols = [\"mac\"]\n", "did you mean `macs`?"),
            ("[lasso.models.dense.runtime]\ndegree = 9\n", "1 to 4"),
            ("[evaluation]\nfolds = 1\n", "at least 2"),
            ("[lasso\n", "line 1"),
        ] {
            let failure = read(text).expect_err(text).report(false);
            assert!(failure.contains(expected), "{failure}");
        }
    }
}
