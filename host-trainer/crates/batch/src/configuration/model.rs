//! What is trained.

use super::canonical::digest;
use super::training::DECIDED;
use learn::fit::plan::Plan;
use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use toml::{Table, Value};

/// Keys of a plan that decide how models are judged: data sets and trainings say so.
const JUDGING: [&str; 3] = ["test_models", "samples", "evaluation"];

/// A model of a batch: a class, an architecture, and what that is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Model {
    /// The group that it belongs to.
    pub class: String,
    /// Its name in the group.
    pub architecture: String,
    /// What it is: a plan with every option, defaults included.
    pub content: serde_json::Value,
}

impl Model {
    /// A model from its table in a configuration file: a kind with its options, as a file for `fit --config` has them.
    ///
    /// # Errors
    /// A sentence that names an option which is not known, has a value out of range, or belongs elsewhere.
    pub(crate) fn parse(class: &str, architecture: &str, table: &Table) -> Result<Self, String> {
        for name in [class, architecture] {
            let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
            if name.is_empty() || name.len() > 64 || !name.chars().all(plain) {
                return Err(format!("`{name}` is no name for a model; use up to 64 letters, digits, `-` and `_`"));
            }
        }
        if let Some(key) = table.keys().find(|key| JUDGING.contains(&key.as_str())) {
            return Err(format!("`{key}` is a matter of data sets and trainings, not of a model"));
        }
        let of_training = table.get("mlp").and_then(Value::as_table).into_iter().flat_map(Table::keys);
        if let Some(key) = of_training.into_iter().find(|key| DECIDED.contains(&key.as_str())) {
            return Err(format!("`mlp.{key}` is a matter of a training, not of a model"));
        }
        let mut table = table.clone();
        table.entry("kind").or_insert_with(|| "mlp".into());
        let plan: Plan = Value::Table(table).try_into().map_err(|e: toml::de::Error| e.message().to_owned())?;
        plan.check()?;
        let mut content = serde_json::to_value(&plan).map_err(|e| format!("the options cannot be written: {e}"))?;
        if let Some(members) = content.as_object_mut() {
            members.retain(|key, _| !JUDGING.contains(&key.as_str()));
            if let Some(mlp) = members.get_mut("mlp").and_then(serde_json::Value::as_object_mut) {
                mlp.retain(|key, _| !DECIDED.contains(&key.as_str()));
            }
        }
        Ok(Self { class: class.to_owned(), architecture: architecture.to_owned(), content })
    }

    /// Class and architecture in one word: `classifier.clu_one`.
    #[must_use]
    pub fn label(&self) -> String {
        format!("{}.{}", self.class, self.architecture)
    }

    /// The name by content. What a model is called is no part of it.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn digest(&self) -> Result<String, Failure> {
        digest("model", &self.content)
    }

    /// The plan of a fit.
    ///
    /// # Errors
    /// Options that this version does not know.
    pub(crate) fn plan(&self) -> Result<Plan, Failure> {
        let wrong = |reason: String| {
            Failure::data(format!("the model {} has options that this version does not know: {reason}", self.label()))
                .help("use the program that generated the batch")
        };
        serde_json::from_value(self.content.clone()).map_err(|e| wrong(e.to_string()))
    }
}
