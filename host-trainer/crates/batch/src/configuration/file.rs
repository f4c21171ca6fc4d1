//! The file that a batch is generated from.

use super::dataset::DatasetFile;
use super::model::Model;
use super::selection::Selection;
use super::training::Training;
use learn::fit::toml_failure;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use shared::failure::Failure;
use shared::limits;
use shared::near::near;
use shared::text::read_text;
use std::collections::BTreeMap;
use std::path::Path;
use toml::{Table, Value};

/// What a configuration file says.
#[derive(Debug, Clone, PartialEq)]
pub struct ConfigurationFile {
    /// What the batch is for.
    pub description: Option<String>,
    /// Data sets by name.
    pub datasets: BTreeMap<String, DatasetFile>,
    /// Models, sorted by class and architecture.
    pub models: Vec<Model>,
    /// Trainings by name.
    pub training: BTreeMap<String, Training>,
    /// Which of the product are tasks; empty for all of it, once.
    pub tasks: Vec<Selection>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    #[serde(default)]
    description: Option<String>,
    #[serde(default)]
    datasets: BTreeMap<String, Value>,
    #[serde(default)]
    models: BTreeMap<String, BTreeMap<String, Table>>,
    #[serde(default)]
    training: BTreeMap<String, Value>,
    #[serde(default)]
    tasks: Vec<Value>,
}

impl ConfigurationFile {
    /// Reads a file in TOML, or in JSON where its name ends in `.json`.
    ///
    /// # Errors
    /// A file that cannot be read or has another form; an unknown key, a value out of range or a model that is none, each with
    /// its place, and near names where a name is not known.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let text = read_text(path, limits::SMALL_FILE_BYTES)?;
        Self::parse(path, &text)
    }

    pub(crate) fn parse(path: &Path, text: &str) -> Result<Self, Failure> {
        let raw: Raw = if path.extension().is_some_and(|extension| extension == "json") {
            let wrong = |e: &serde_json::Error| {
                let failure = Failure::usage(e.to_string()).at(path).place(format!("line {}", e.line()));
                hinted(failure, &e.to_string())
            };
            serde_json::from_str(text).map_err(|e| wrong(&e))?
        } else {
            toml::from_str(text).map_err(|e| toml_failure(path, text, &e))?
        };
        let at = |place: &str, key: Option<&str>, message: String| {
            let place = match line_of(text, place, key) {
                Some(line) => format!("line {line}, {place}"),
                None => place.to_owned(),
            };
            hinted(Failure::usage(message.clone()).at(path).place(place), &message)
        };
        let mut datasets = BTreeMap::new();
        for (name, value) in raw.datasets {
            let place = format!("datasets.{name}");
            let file: DatasetFile = typed(value).map_err(|e| at(&place, unknown(&e), e.clone()))?;
            file.check().map_err(|e| at(&place, named(&e), e.clone()))?;
            datasets.insert(name, file);
        }
        let mut models = Vec::new();
        for (class, architectures) in raw.models {
            for (architecture, table) in architectures {
                let place = format!("models.{class}.{architecture}");
                let model =
                    Model::parse(&class, &architecture, &table).map_err(|e| at(&place, named(&e), e.clone()))?;
                models.push(model);
            }
        }
        let mut training = BTreeMap::new();
        for (name, value) in raw.training {
            let place = format!("training.{name}");
            let one: Training = typed(value).map_err(|e| at(&place, unknown(&e), e.clone()))?;
            one.check().map_err(|e| at(&place, named(&e), e.clone()))?;
            training.insert(name, one);
        }
        if training.is_empty() {
            training.insert("default".to_owned(), Training::default());
        }
        let mut tasks = Vec::new();
        for (number, value) in raw.tasks.into_iter().enumerate() {
            let place = format!("tasks, number {}", number + 1);
            tasks.push(typed::<Selection>(value).map_err(|e| at(&place, unknown(&e), e.clone()))?);
        }
        for (what, none) in [("datasets", datasets.is_empty()), ("models", models.is_empty())] {
            if none {
                return Err(Failure::usage(format!("has no `{what}`"))
                    .at(path)
                    .help("a batch needs at least [datasets.NAME] and [models.CLASS.ARCHITECTURE]"));
            }
        }
        Ok(Self { description: raw.description, datasets, models, training, tasks })
    }
}

fn typed<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    value.try_into().map_err(|e: toml::de::Error| e.message().to_owned())
}

/// The key that a message of serde's says is unknown.
fn unknown(message: &str) -> Option<&str> {
    message.starts_with("unknown").then(|| named(message)).flatten()
}

/// The first name that a message has in backticks, without the sections before it.
fn named(message: &str) -> Option<&str> {
    let name = message.split('`').nth(1)?;
    name.rsplit('.').next()
}

/// Adds the near or known names where a message says that a name is unknown.
fn hinted(failure: Failure, message: &str) -> Failure {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((unknown, known)) if message.starts_with("unknown") && !known.is_empty() => {
            failure.help(near(unknown, known).trim_start_matches([';', ' ']).to_owned())
        }
        _ => failure,
    }
}

/// The line of a key in a section of a file, or of the section where the key is not found.
fn line_of(text: &str, section: &str, key: Option<&str>) -> Option<usize> {
    let begins = |line: &str| {
        let name = line.trim().trim_start_matches('[').split(']').next().unwrap_or_default();
        name == section || name.strip_prefix(section).is_some_and(|rest| rest.starts_with('.'))
    };
    let mut lines = text.lines().enumerate().skip_while(|(_, line)| !(line.trim().starts_with('[') && begins(line)));
    let (first, header) = lines.next()?;
    let is_key = |line: &str, key: &str| {
        line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '-' | '_'))).any(|word| word == key)
    };
    let inside =
        std::iter::once((first, header)).chain(lines.take_while(|(_, l)| !l.trim().starts_with('[') || begins(l)));
    let found = key.and_then(|key| inside.into_iter().find(|(_, line)| is_key(line, key)).map(|(number, _)| number));
    Some(found.unwrap_or(first) + 1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use estimators::mlp::Settings;

    pub(super) const GOOD: &str = r#"
description = "Initial training test"

[datasets.functions]
kind = "table"
path = "dbs"
inputs = ["a", "b"]
outputs = ["y"]

[models.classifier.clu_one]
mlp = { hidden = [10], members = 1 }

[models.autoencoder.classical]
kind = "mlp"
mlp.hidden = [45]

[training.short]
epochs = 5
"#;

    fn parse(text: &str) -> Result<ConfigurationFile, Failure> {
        ConfigurationFile::parse(Path::new("batch.toml"), text)
    }

    #[test]
    fn a_file_is_read_with_its_defaults() {
        let file = parse(GOOD).expect("a configuration");
        let labels: Vec<String> = file.models.iter().map(Model::label).collect();
        assert_eq!(labels, ["autoencoder.classical", "classifier.clu_one"]);
        assert_eq!(file.training["short"].batch_size, 64);
        let plan = file.models[1].plan().expect("a plan");
        assert_eq!((plan.options::<Settings>().hidden, plan.options::<Settings>().members), (vec![10], 1));
    }

    #[test]
    fn the_same_content_has_the_same_name_however_it_is_written() {
        let one = parse(GOOD).expect("a configuration");
        let text = GOOD
            .replace("mlp = { hidden = [10], members = 1 }", "kind = 'mlp'\nmlp.members = 1\nmlp.hidden = [10]")
            .replace("classifier.clu_one", "other.name");
        let other = parse(&text).expect("a configuration");
        assert_eq!(one.models[1].digest().expect("a name"), other.models[1].digest().expect("a name"));
        assert_ne!(one.models[0].digest().expect("a name"), one.models[1].digest().expect("a name"));
        let json = r#"{"datasets": {"functions": {"kind": "table", "path": "dbs", "inputs": ["a", "b"], "outputs": ["y"]}},
            "models": {"classifier": {"clu_one": {"mlp": {"hidden": [10], "members": 1}}}}, "training": {"short": {"epochs": 5}}}"#;
        let json = ConfigurationFile::parse(Path::new("batch.json"), json).expect("a configuration");
        assert_eq!(json.models[0].digest().expect("a name"), one.models[1].digest().expect("a name"));
        assert_eq!(json.training["short"].digest().expect("a name"), one.training["short"].digest().expect("a name"));
        let written_out = Training { epochs: 5, early_stop: true, ..Training::default() };
        assert_eq!(written_out.digest().expect("a name"), one.training["short"].digest().expect("a name"));
    }

    #[test]
    fn what_is_wrong_is_refused_with_its_place_and_a_near_name() {
        for (from, to, says) in [
            ("description", "descripton", "did you mean `description`?"),
            ("inputs = [", "input = [", "line 7, datasets.functions"),
            ("inputs = [", "input = [", "did you mean `inputs`?"),
            ("outputs = [\"y\"]", "outputs = [\"a\"]", "both an input and an output"),
            ("hidden = [10]", "hiden = [10]", "line 11, models.classifier.clu_one"),
            ("hidden = [10]", "hiden = [10]", "did you mean `hidden`?"),
            ("hidden = [10]", "hidden = [0]", "1 to 4,096"),
            ("hidden = [10]", "hidden = [10], epochs = 3", "`mlp.epochs` is a matter of a training"),
            ("classifier.clu_one", "classifier.\"clu:one\"", "is no name for a model"),
            ("kind = \"mlp\"", "kind = \"mlpp\"", "did you mean `mlp`?"),
            ("epochs = 5", "epoch = 5", "did you mean `epochs`?"),
            ("epochs = 5", "precision = \"float16\"", "float32"),
            ("epochs = 5", "epochs = 0", "`epochs` must be 1 to 100,000"),
            ("[training.short]", "[[tasks]]\nmodel = [\"*\"]\n[training.short]", "did you mean `models`?"),
            ("path = \"dbs\"", "path = \"dbs\"\ntest_networks = []", "no meaning for data of the kind `table`"),
            ("path = \"dbs\"", "path = \"s3://bucket\"", "needs a `revision`"),
        ] {
            let text = GOOD.replace(from, to);
            let failure = parse(&text).expect_err(to).report(false);
            assert!(failure.contains(says) && failure.contains("batch.toml"), "{to}: {failure}");
        }
        assert!(parse("[models.a.b]").expect_err("no data").report(false).contains("has no `datasets`"));
        let json = ConfigurationFile::parse(Path::new("b.json"), r#"{"datsets": {}}"#).expect_err("a typo");
        assert!(json.report(false).contains("did you mean `datasets`?"), "{}", json.report(false));
    }
}
