//! What a fit is to do, and what a model kind is.
//!
//! The defaults are the reference's pipeline with its known faults mended. Each fault is an option by its own name, so
//! that its effect can be measured; all of them together are the reference.

use super::estimator::Estimator;
use super::kind_options::{Options, Sections, within};
use crate::model::Dataset;
use crate::training::TrainingData;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Everything `fit` can be told in a file.
///
/// ```
/// use learn::fit::kinds::HybridOptions;
/// use learn::fit::plan::Plan;
///
/// let mut plan: Plan = toml::from_str("kind = 'hybrid'\n[hybrid]\nleaves = 8")?;
/// assert_eq!(plan.options::<HybridOptions>().leaves, 8);
/// plan.change_options(|options: &mut HybridOptions| options.leaves = 1);
/// assert_eq!(plan.check(), Err("`hybrid.leaves` must be 2 to 1,024".to_owned()));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// Model kind.
    pub kind: Kind,
    /// Networks kept back for testing.
    pub test_models: Vec<String>,
    /// Rows used of each table, always the same ones; all of them where it is none.
    pub samples: Option<usize>,
    /// How models are evaluated.
    pub evaluation: EvaluationSettings,
    /// The reference's faults, by name; all off by default.
    pub reference_faults: ReferenceFaults,
    /// Options of the model kinds.
    sections: Sections,
}

impl Plan {
    /// The default plan of a kind.
    #[must_use]
    pub fn of(kind: Kind) -> Self {
        Self {
            kind,
            test_models: ["lenet", "resnet18", "vgg16"].map(str::to_owned).to_vec(),
            samples: None,
            evaluation: EvaluationSettings::default(),
            reference_faults: ReferenceFaults::default(),
            sections: Sections::default(),
        }
    }

    /// The options of a model kind, by their type.
    #[must_use]
    pub fn options<T: Options>(&self) -> T {
        self.sections.get()
    }

    /// Sets the options of a model kind.
    pub fn set_options<T: Options>(&mut self, options: T) {
        self.sections.set(options);
    }

    /// Changes some options of a model kind.
    pub fn change_options<T: Options>(&mut self, change: impl FnOnce(&mut T)) {
        let mut options = self.options();
        change(&mut options);
        self.set_options(options);
    }

    /// The test networks that data hold; none where they hold no other, since then there would be nothing to train on.
    #[must_use]
    pub fn known_test_networks(&self, data: &TrainingData) -> BTreeSet<String> {
        let known = data.networks();
        let found: BTreeSet<String> =
            self.test_models.iter().filter(|name| known.contains(name.as_str())).cloned().collect();
        if found.len() == known.len() { BTreeSet::new() } else { found }
    }

    /// Checks the ranges that types cannot.
    ///
    /// # Errors
    /// A sentence that names the option.
    pub fn check(&self) -> Result<(), String> {
        within("samples", self.samples != Some(0), "at least 1")?;
        within("evaluation.folds", self.evaluation.folds != 1, "0 or at least 2")?;
        let level = self.evaluation.interval_level;
        within("evaluation.interval_level", level > 0.0 && level < 1.0, "between 0 and 1")?;
        self.sections.check()
    }
}

/// How models are evaluated.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct EvaluationSettings {
    /// Folds of the cross-validation that evaluates the whole pipeline, by network; 0 leaves it out. Intervals are drawn from
    /// it: with fewer folds its models know less than the final one, and the intervals hold more than they promise.
    pub folds: usize,
    /// Probability that an interval is to hold the measurement.
    pub interval_level: f64,
}

impl Default for EvaluationSettings {
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

/// A model kind. [`super::kinds`] lists them.
#[derive(Clone, Copy)]
pub struct Kind(pub(super) &'static Definition);

/// What makes a model kind, written down in the kind's own file.
pub(super) struct Definition {
    /// The name that the command line, plans and cards have.
    pub(super) name: &'static str,
    /// What it is, in a line for people.
    pub(super) description: &'static str,
    /// Makes the estimator with a plan's options; the list of all kinds is for kinds that choose between others.
    pub(super) estimator: fn(&Plan, &[Kind]) -> Box<dyn Estimator>,
    /// What `tune` searches where nobody says: TOML, by options of a plan. Empty where the kind has nothing to search.
    pub(super) search_space: &'static [&'static str],
    /// How it takes part where the kind is chosen automatically; none where it does not.
    pub(super) candidate: Option<Candidate>,
    /// Whether evaluations print it beside the model, to show what the model is worth.
    pub(super) baseline: bool,
}

/// How a kind takes part where the kind is chosen automatically.
pub(super) struct Candidate {
    /// The simplest kind, which is the safest beyond the data, has the lowest.
    pub(super) complexity: u32,
    /// Makes the estimator that takes part.
    pub(super) estimator: fn(&Plan) -> Box<dyn Estimator>,
    /// Whether it takes part on data.
    pub(super) takes_part: fn(&Plan, &Dataset) -> bool,
    /// The kinds that it combines, where its predictions follow from theirs; it is fitted by itself where it combines none.
    pub(super) combines: Option<Combination>,
    /// Its options, for the card of the chosen model: name of the section, and values.
    pub(super) options: fn(&Plan) -> Option<(&'static str, serde_json::Value)>,
}

/// A combination of two kinds' predictions.
#[derive(Clone, Copy)]
pub(super) struct Combination {
    /// Names of the two kinds.
    pub(super) kinds: [&'static str; 2],
    /// Combines the predictions of both, given the measured values.
    pub(super) combine: fn([&[f64]; 2], &[f64]) -> Vec<f64>,
}

impl Kind {
    /// The name that the command line, plans and cards have.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.0.name
    }

    /// What it is, in a line for people.
    #[must_use]
    pub fn description(self) -> &'static str {
        self.0.description
    }

    /// What is searched where nobody says: TOML fragments by options of a plan. Empty where there is nothing to search.
    #[must_use]
    pub fn search_space(self) -> &'static [&'static str] {
        self.0.search_space
    }

    /// Whether evaluations print it beside the model.
    #[must_use]
    pub fn is_baseline(self) -> bool {
        self.0.baseline
    }
}

impl std::fmt::Debug for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Kind {}
