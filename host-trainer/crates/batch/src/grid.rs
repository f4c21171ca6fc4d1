//! A grid of options as a batch: each combination is a model with a training.

use crate::configuration::{ConfigurationFile, DECIDED, DataKind, DatasetFile};
use crate::folder::Batch;
use crate::generate::Generate;
use learn::fit::kinds::Kind;
use shared::failure::{Failure, Kind as FailureKind};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use toml::{Table, Value};
use tune::space::Space;

/// Combinations of one grid.
pub const MOST_COMBINATIONS: u64 = 10_000;
/// Longest name that is made of options, in characters.
const NAME: usize = 56;

/// A grid of options, and what every combination is trained on.
#[derive(Debug, Clone)]
pub struct Grid {
    /// What messages call it.
    pub name: String,
    /// Its content, JSON or TOML: a value or a list of values for each option.
    pub text: String,
    /// The model kind; by default the one that all options belong to.
    pub kind: Option<Kind>,
    /// The data set by name.
    pub dataset: (String, DatasetFile),
    /// How often each combination is trained.
    pub repeats: u64,
    /// Epochs, where the grid does not say.
    pub epochs: Option<u64>,
    /// What the batch is for.
    pub description: String,
}

/// A grid that was checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GridBatch {
    /// The batch's configuration, in TOML.
    pub configuration: String,
    /// Tasks.
    pub tasks: u64,
}

/// Measured layers as a data set: a folder of training tables.
#[must_use]
pub fn layers(folder: &Path, device: Option<String>, samples: Option<usize>) -> DatasetFile {
    let path = std::path::absolute(folder).unwrap_or_else(|_| folder.to_owned());
    DatasetFile { device, samples, ..DatasetFile::at(DataKind::Layers, path.display().to_string()) }
}

/// A data set of a batch, to train others on the same data.
///
/// # Errors
/// A name that the batch has no data set of; a folder without its configuration.
pub fn dataset_of(batch: &Batch, name: &str) -> Result<DatasetFile, Failure> {
    let missing = || Failure::usage(format!("the batch has no data set `{name}`")).at(&batch.root);
    let dataset = batch.content.datasets.values().find(|dataset| dataset.name == name).ok_or_else(missing)?;
    let files = ["configuration.toml", "configuration.json"].map(|file| batch.root.join(file));
    let file = files.into_iter().find(|file| file.exists());
    let file = file.ok_or_else(|| Failure::data("has no configuration any more").at(&batch.root))?;
    let described = ConfigurationFile::read(&file)?.datasets.remove(name).ok_or_else(missing)?;
    let place = batch.root.join(&dataset.location);
    let path = std::path::absolute(&place).map_err(|e| Failure::io(&place, "find", &e))?;
    Ok(DatasetFile { path: path.display().to_string(), revision: None, ..described })
}

impl Grid {
    /// The configuration of the batch, checked as far as it can be without the data.
    ///
    /// # Errors
    /// What is no grid, an option that no model has, a value out of range, and more combinations than a grid may have.
    pub fn check(&self) -> Result<GridBatch, Failure> {
        let wrong = |why: String| Failure::usage(why).at(&self.name);
        let json = self.text.trim_start().starts_with('{');
        let space = Space::from_grid(&self.text, json).map_err(wrong)?;
        let grid = space.grid().map_err(wrong)?;
        if grid.len() > MOST_COMBINATIONS {
            return Err(wrong(format!("{} combinations are more than the {MOST_COMBINATIONS} of a grid", grid.len())));
        }
        let (mut models, mut trainings, mut tasks) = (Named::default(), Named::default(), Vec::new());
        for number in 0..grid.len() {
            let (mut model, mut training) = (Table::new(), Table::new());
            for (option, value) in grid.parameters(number) {
                match option.strip_prefix("mlp.").filter(|key| DECIDED.contains(key)) {
                    Some(key) => decide(&mut training, key, value).map_err(wrong)?,
                    None => set(&mut model, &option, value),
                }
            }
            let kind = self.kind.or_else(|| kind_of(&space)).unwrap_or_default();
            model.entry("kind").or_insert_with(|| kind.name().into());
            if let Some(epochs) = self.epochs {
                training.entry("epochs").or_insert(Value::Integer(epochs as i64));
            }
            let class = model.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
            let architecture = models.name(&class, model);
            let training = trainings.name("", training);
            let mut task = Table::new();
            task.insert("models".into(), Value::Array(vec![format!("{class}.{architecture}").into()]));
            task.insert("training".into(), Value::Array(vec![training.into()]));
            task.insert("repeats".into(), Value::Integer(self.repeats as i64));
            tasks.push(Value::Table(task));
        }
        let count = self.repeats.saturating_mul(tasks.len() as u64);
        let unwritten = |e: toml::ser::Error| Failure::data(format!("the configuration cannot be written: {e}"));
        let (dataset, file) = &self.dataset;
        let mut document = Table::new();
        document.insert("description".into(), self.description.clone().into());
        document.insert("tasks".into(), Value::Array(tasks));
        let datasets = Table::from_iter([(dataset.clone(), Value::try_from(file).map_err(unwritten)?)]);
        document.insert("datasets".into(), Value::Table(datasets));
        let mut of_class: BTreeMap<String, Table> = BTreeMap::new();
        for ((class, architecture), model) in models.tables {
            of_class.entry(class).or_default().insert(architecture, Value::Table(model));
        }
        let of_class = of_class.into_iter().map(|(class, models)| (class, Value::Table(models)));
        document.insert("models".into(), Value::Table(Table::from_iter(of_class)));
        let trainings = trainings.tables.into_iter().map(|((_, name), table)| (name, Value::Table(table)));
        document.insert("training".into(), Value::Table(Table::from_iter(trainings)));
        let configuration = toml::to_string(&document).map_err(unwritten)?;
        ConfigurationFile::parse(Path::new(&self.name), &configuration).map_err(|mut failure| {
            // The line is one of a file that nobody wrote.
            failure.place = None;
            failure
        })?;
        Ok(GridBatch { configuration, tasks: count })
    }
}

impl GridBatch {
    /// Generates the batch, for workers of this machine.
    ///
    /// # Errors
    /// As [`Generate::run`].
    pub async fn generate(&self, batches: PathBuf) -> Result<Batch, Failure> {
        let folder =
            tempfile::tempdir().map_err(|e| Failure::new(FailureKind::Io, format!("a temporary folder: {e}")))?;
        let file = folder.path().join("batch.toml");
        std::fs::write(&file, &self.configuration).map_err(|e| Failure::io(&file, "write", &e))?;
        Generate { trial: true, ..Generate::here(file, batches) }.run().await
    }
}

/// The kind that all options of a space belong to.
fn kind_of(space: &Space) -> Option<Kind> {
    let of = |kind: &Kind| space.domains().keys().all(|name| name.starts_with(&format!("{}.", kind.name())));
    Kind::ALL.iter().copied().find(of)
}

/// Sets what a training decides of a perceptron.
fn decide(training: &mut Table, key: &str, value: Value) -> Result<(), String> {
    match key {
        "seed" | "validation_share" => Err(format!("`mlp.{key}` follows from the task and its data in a batch")),
        // A study says so by a patience of 0.
        "patience" if value.as_integer() == Some(0) => {
            training.insert("early_stop".into(), Value::Boolean(false));
            Ok(())
        }
        _ => {
            let key = if key == "target_scale" { "loss" } else { key };
            training.insert(key.into(), value);
            Ok(())
        }
    }
}

/// Sets an option by its dotted name.
fn set(table: &mut Table, name: &str, value: Value) {
    match name.split_once('.') {
        None => drop(table.insert(name.to_owned(), value)),
        Some((first, rest)) => {
            if let Value::Table(inner) = table.entry(first).or_insert_with(|| Value::Table(Table::new())) {
                set(inner, rest, value);
            }
        }
    }
}

/// Tables by group and name, each once.
#[derive(Default)]
struct Named {
    tables: BTreeMap<(String, String), Table>,
    names: BTreeMap<String, String>,
}

impl Named {
    /// The name of a table, which is made of its options.
    fn name(&mut self, group: &str, table: Table) -> String {
        let content = format!("{group} {}", toml::to_string(&table).unwrap_or_default());
        if let Some(name) = self.names.get(&content) {
            return name.clone();
        }
        let mut words = Vec::new();
        collect(&table, &mut words);
        let all = words.join("_").chars().take(NAME).collect::<String>();
        let plain = if all.is_empty() { "default".to_owned() } else { all };
        let with = |number: usize| if number == 1 { plain.clone() } else { format!("{plain}-{number}") };
        let free = |name: &String| !self.tables.contains_key(&(group.to_owned(), name.clone()));
        let name = (1..).map(with).find(free).unwrap_or_default();
        self.tables.insert((group.to_owned(), name.clone()), table);
        self.names.insert(content, name.clone());
        name
    }
}

/// `hidden-16-16` for each option, in letters, digits, `-` and `_`.
fn collect(table: &Table, words: &mut Vec<String>) {
    for (key, value) in table {
        match value {
            Value::Table(inner) => collect(inner, words),
            _ if key == "kind" => {}
            value => {
                let text = value.to_string();
                let parts: Vec<&str> =
                    text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|part| !part.is_empty()).collect();
                words.push(format!("{key}-{}", parts.join("-")));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(text: &str) -> Grid {
        Grid {
            name: "grid.toml".into(),
            text: text.into(),
            kind: None,
            dataset: ("layers".into(), layers(Path::new("/data"), None, None)),
            repeats: 2,
            epochs: Some(7),
            description: "a grid".into(),
        }
    }

    #[test]
    fn each_combination_is_a_model_with_a_training() {
        let text = "mlp.hidden = [[16], [8, 8]]\nmlp.learning_rate = [0.001, 0.01]\nmlp.patience = 0\nmlp.target_scale = \"log\"";
        let checked = grid(text).check().expect("a batch");
        assert_eq!(checked.tasks, 8);
        let file = ConfigurationFile::parse(Path::new("batch.toml"), &checked.configuration).expect("a configuration");
        let labels: Vec<String> = file.models.iter().map(crate::configuration::Model::label).collect();
        assert_eq!(labels, ["mlp.hidden-16", "mlp.hidden-8-8"]);
        assert_eq!(file.training.len(), 2);
        let first = &file.training["early_stop-false_epochs-7_learning_rate-0-001_loss-log"];
        assert_eq!((first.learning_rate, first.early_stop, first.epochs), (0.001, false, 7), "{:?}", file.training);
        assert_eq!((file.tasks.len(), file.tasks[0].repeats), (4, 2));
        let json = grid(r#"{"DENSE_WIDTH": [16, 32, 64], "EPOCHS": 3}"#).check().expect("a batch");
        assert_eq!(json.tasks, 6);
        assert!(json.configuration.contains("epochs = 3"), "the grid says more than the form: {}", json.configuration);
        let other = grid("lasso.eps = [0.001, 0.01]").check().expect("a batch");
        assert!(other.configuration.contains("kind = \"lasso\""), "{}", other.configuration);
    }

    #[test]
    fn what_no_batch_can_have_is_refused_by_name() {
        for (text, says) in [
            ("mlp.hiden = [[3]]", "hiden"),
            ("mlp.hidden = [[0]]", "1 to 4,096"),
            ("mlp.seed = [1, 2]", "`mlp.seed` follows from the task"),
            ("mlp.learning_rate = { low = 0.1, high = 0.2 }", "no countable values"),
            ("mlp.epochs = [0]", "`epochs` must be 1 to 100,000"),
            ("= 3", ""),
        ] {
            let failure = grid(text).check().expect_err(text).report(false);
            assert!(failure.contains(says) && failure.contains("grid.toml"), "{text}: {failure}");
        }
        let many: Vec<String> = (1..=200).map(|width| format!("[{width}]")).collect();
        let text = format!(
            "mlp.hidden = [{0}]\nmlp.members = [{1}]",
            many.join(", "),
            (1..=60).map(|n| n.to_string()).collect::<Vec<_>>().join(", ")
        );
        assert!(grid(&text).check().expect_err("too many").report(false).contains("more than the 10000"));
    }
}
