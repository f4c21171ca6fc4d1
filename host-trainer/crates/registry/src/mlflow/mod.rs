//! A registry's models shown in an MLflow tracking server, for those who have one.
//!
//! The store stays what counts: this copies to MLflow what it lacks, and can be run again at any time. Each model becomes a
//! finished run of the experiment `host-trainer/<device>` with parameters, metrics and files, and a version of the
//! registered model `<device>.<kind>.<target>`; the alias `deployed` and the tag `host_trainer.status` say what it is here.

mod client;

use self::client::Client;
use super::{Error, Listed, Registry, Status};
use crate::Alias;
use estimators::metric_columns::{MAE, MAPE, R2, RMSE, RMSPE, WITHIN_10};
use estimators::metrics::Metrics;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{SystemTime, UNIX_EPOCH};

/// The tag by which a model is found again: its name.
const MODEL_TAG: &str = "host_trainer.model";
/// The tag that says what a model is to its alias.
const STATUS_TAG: &str = "host_trainer.status";
/// The alias of the deployed version.
const DEPLOYED: &str = "deployed";
/// MLflow refuses longer parameters and tags.
const LONGEST_VALUE: usize = 500;
/// MLflow takes this many parameters a request.
const MOST_PARAMETERS: usize = 100;

/// What was copied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Synced {
    /// Models that MLflow did not have.
    pub new: usize,
    /// All models looked at.
    pub models: usize,
    /// What MLflow could not be given, in sentences for people.
    pub notes: Vec<String>,
}

/// Copies the models of a device, or of all, and what is deployed, to the MLflow server at a URL. A token, or user and
/// password, come from `MLFLOW_TRACKING_TOKEN`, `MLFLOW_TRACKING_USERNAME` and `MLFLOW_TRACKING_PASSWORD`.
///
/// # Errors
/// A server that cannot be reached or refuses; what the store says. What was copied until then stays.
pub async fn sync(registry: &Registry, device: Option<&str>, url: &str) -> Result<Synced, Error> {
    let mut copy = Copy { registry, client: Client::new(url)?, experiments: HashMap::new(), synced: Synced::default() };
    for listed in registry.list(device).await? {
        copy.model(&listed).await?;
    }
    Ok(copy.synced)
}

struct Copy<'a> {
    registry: &'a Registry,
    client: Client,
    /// Experiments' numbers by device.
    experiments: HashMap<String, String>,
    synced: Synced,
}

impl Copy<'_> {
    async fn model(&mut self, listed: &Listed) -> Result<(), Error> {
        let record = &listed.version.record;
        self.synced.models += 1;
        let experiment = self.experiment(record.alias.device()).await?;
        let filter = format!("tags.`{MODEL_TAG}` = '{}' and attributes.status = 'FINISHED'", record.model);
        let found = self
            .client
            .post("runs/search", &json!({ "experiment_ids": [experiment], "filter": filter, "max_results": 1 }))
            .await?;
        let run = match found.pointer("/runs/0/info") {
            Some(run) => run.clone(),
            None => self.run(listed, &experiment).await?,
        };
        let version = self.version(listed, &run).await?;
        let name = registered_name(&record.alias);
        let status = json!({ "name": name, "version": version, "key": STATUS_TAG, "value": listed.status.name() });
        self.client.post("model-versions/set-tag", &status).await?;
        if listed.status == Status::Deployed {
            let alias = json!({ "name": name, "alias": DEPLOYED, "version": version });
            self.client.post("registered-models/alias", &alias).await?;
        }
        Ok(())
    }

    async fn experiment(&mut self, device: &str) -> Result<String, Error> {
        if let Some(number) = self.experiments.get(device) {
            return Ok(number.clone());
        }
        let name = format!("host-trainer/{device}");
        let created = self.client.create("experiments/create", &json!({ "name": name })).await?;
        let number = match created {
            Some(created) => created["experiment_id"].clone(),
            None => {
                let known = self.client.get("experiments/get-by-name", &[("experiment_name", &name)]).await?;
                known["experiment"]["experiment_id"].clone()
            }
        };
        let number = text(&number, "an experiment's number")?;
        self.experiments.insert(device.to_owned(), number.clone());
        Ok(number)
    }

    /// Makes the run of a model. Its status is set last: a run that a broken connection left half-way is not found again,
    /// and the next attempt makes another.
    async fn run(&mut self, listed: &Listed, experiment: &str) -> Result<Value, Error> {
        let record = &listed.version.record;
        let now = now_ms();
        let created = self
            .client
            .post(
                "runs/create",
                &json!({
                    "experiment_id": experiment,
                    "run_name": format!("{}@{}", record.alias, listed.version.version),
                    "start_time": now,
                    "tags": [
                        { "key": MODEL_TAG, "value": record.model.to_string() },
                        { "key": "host_trainer.registered", "value": record.registered.when },
                        { "key": "host_trainer.registered_by", "value": shortened(&record.registered.who) },
                    ],
                }),
            )
            .await?;
        let run = created["run"]["info"].clone();
        let id = text(&run["run_id"], "a run's number")?;
        let metrics: Vec<Value> = record.metrics.iter().flat_map(|(set, m)| metrics(set, m, now)).collect();
        let mut parameters = parameters(listed);
        parameters.truncate(MOST_PARAMETERS);
        let batch = json!({ "run_id": id, "metrics": metrics, "params": parameters, "tags": [] });
        self.client.post("runs/log-batch", &batch).await?;
        let files = self.registry.files(record.into(), None).await?;
        for (name, content) in [("model.onnx", files.onnx), ("card.json", files.card), ("device.json", files.device)] {
            if !self.client.upload(&run["artifact_uri"], name, content).await? {
                let note = "the server does not take files: its store of artefacts is not served by itself";
                self.synced.notes.retain(|known| known != note);
                self.synced.notes.push(note.into());
            }
        }
        let finished = json!({ "run_id": id, "status": "FINISHED", "end_time": now_ms() });
        self.client.post("runs/update", &finished).await?;
        self.synced.new += 1;
        Ok(run)
    }

    /// The version of the registered model that belongs to a run.
    async fn version(&self, listed: &Listed, run: &Value) -> Result<String, Error> {
        let record = &listed.version.record;
        let name = registered_name(&record.alias);
        let id = text(&run["run_id"], "a run's number")?;
        self.client.create("registered-models/create", &json!({ "name": name })).await?;
        let filter = format!("name = '{name}' and run_id = '{id}'");
        let found = self.client.get("model-versions/search", &[("filter", &filter)]).await?;
        if let Some(version) = found.pointer("/model_versions/0/version") {
            return text(version, "a version's number");
        }
        let source = text(&run["artifact_uri"], "a run's folder")?;
        let tags = json!([{ "key": MODEL_TAG, "value": record.model.to_string() }]);
        let version = json!({ "name": name, "source": source, "run_id": id, "tags": tags });
        let created = self.client.post("model-versions/create", &version).await?;
        text(&created["model_version"]["version"], "a version's number")
    }
}

/// MLflow's names hold neither `/` nor `:`.
fn registered_name(alias: &Alias) -> String {
    alias.to_string().replace('/', ".")
}

fn parameters(listed: &Listed) -> Vec<Value> {
    let record = &listed.version.record;
    let parameter = |key: &str, value: String| json!({ "key": key, "value": shortened(&value) });
    let mut parameters = vec![
        parameter("model_kind", record.model_kind.clone()),
        parameter("data_sha256", record.data_sha256.clone()),
        parameter("data_revision", record.data_revision.clone().unwrap_or_default()),
        parameter("program", format!("{} {}", record.program.name, record.program.version)),
    ];
    if let Value::Object(options) = &record.configuration {
        parameters.extend(options.iter().map(|(name, value)| {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            parameter(&format!("configuration.{}", permitted(name)), value)
        }));
    }
    parameters
}

fn metrics(set: &str, metrics: &Metrics, now: i64) -> Vec<Value> {
    let columns = [MAPE, RMSPE, WITHIN_10, R2, MAE, RMSE].map(|column| (column.name, column.value(metrics)));
    let figures = columns.into_iter().chain([("rows", Some(metrics.n as f64))]);
    let figure = |(name, value): (&str, Option<f64>)| {
        let value = value.filter(|value| value.is_finite())?;
        let key = format!("{}/{name}", permitted(set));
        Some(json!({ "key": key, "value": value, "timestamp": now, "step": 0 }))
    };
    figures.into_iter().filter_map(figure).collect()
}

/// Names of metrics and parameters are letters, digits, `_`, `-`, `.`, spaces; at most 250 of them.
fn permitted(name: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | ' ') { c } else { '_' };
    name.chars().take(200).map(plain).collect()
}

fn shortened(value: &str) -> String {
    value.chars().take(LONGEST_VALUE).collect()
}

fn text(value: &Value, what: &str) -> Result<String, Error> {
    match value {
        Value::String(text) => Ok(text.clone()),
        Value::Number(number) => Ok(number.to_string()),
        _ => Err(shared::failure::Failure::data(format!("MLflow's answer lacks {what}")).into()),
    }
}

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}
