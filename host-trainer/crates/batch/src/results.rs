//! Results: what each task came to, as documents and as rows.

use crate::folder::Batch;
use crate::queue::Queue;
use crate::training::Curve;
use engines::ProgramStamp;
use estimators::metrics::Metrics;
use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::path::Path;
use tables::{ColumnData, write_table};

/// The version of a result's form.
pub(crate) const SCHEMA: u32 = 1;

/// The result of a task. It is written once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
pub struct TaskResult {
    /// The version of this form.
    pub schema_version: u32,
    /// The task, by name.
    pub task: String,
    /// `class.architecture`.
    pub label: String,
    /// The data set, by content.
    pub dataset: String,
    /// The model, by content.
    pub model: String,
    /// The training, by content.
    pub training: String,
    /// Which of several trainings of the same it is.
    pub repeat: u64,
    /// The seed.
    pub seed: u64,
    /// The score; the lower, the better.
    pub score: f64,
    /// Which figure it is.
    pub score_of: String,
    /// On what it was measured.
    pub judged_on: String,
    /// Metrics by output, or by layer kind and target.
    pub metrics: BTreeMap<String, Metrics>,
    /// Losses of each network, epoch by epoch.
    pub losses: Vec<Curve>,
    /// Rows trained on, validated on and tested on.
    pub rows: [Option<usize>; 3],
    /// Files of the model: SHA-256 by path.
    pub files: BTreeMap<String, String>,
    /// Copies of the weights that were kept: SHA-256 by epoch.
    pub weights: BTreeMap<usize, String>,
    /// Seconds that training took, over all workers that had a part in it.
    pub seconds: f64,
    /// Energy of the processor packages during the last worker's part, joules, whatever else ran on the machine; none where it
    /// cannot be read.
    pub package_joules: Option<f64>,
    /// The machine that finished it.
    pub machine: String,
    /// The program that finished it.
    pub program: ProgramStamp,
    /// What happened, line by line.
    pub log: Vec<String>,
}

impl TaskResult {
    /// What depends on the task alone, and not on who worked on it, where and how often.
    #[must_use]
    pub fn essence(&self) -> String {
        let Self { task, score, metrics, losses, rows, files, weights, .. } = self;
        serde_json::json!([task, score, metrics, losses, rows, files, weights]).to_string()
    }
}

/// All results of a batch, by task number, with what cannot be read told.
///
/// # Errors
/// A queue that cannot be read, or a result of another form.
pub async fn read(batch: &Batch, queue: &dyn Queue) -> Result<Vec<TaskResult>, Failure> {
    let documents = queue.results().await?;
    let read = |(id, text): &(String, String)| {
        let result: TaskResult = serde_json::from_str(text).map_err(|e| {
            let name = &id[..id.len().min(12)];
            Failure::data(format!("the result of {name} cannot be read: {e}")).at(&batch.root).caused_by(e)
        })?;
        Ok(result)
    };
    documents.iter().map(read).collect()
}

/// The best results first, those of equal score by task.
#[must_use]
pub fn ranked(results: &[TaskResult]) -> Vec<&TaskResult> {
    let mut ranked: Vec<&TaskResult> = results.iter().collect();
    ranked.sort_by(|a, b| a.score.total_cmp(&b.score).then_with(|| a.task.cmp(&b.task)));
    ranked
}

/// Columns of the table of results.
pub const COLUMNS: [&str; 17] = [
    "task",
    "class",
    "architecture",
    "dataset",
    "training",
    "repeat",
    "seed",
    "score",
    "score_of",
    "judged_on",
    "training_loss",
    "validation_loss",
    "epochs",
    "seconds",
    "package_joules",
    "machine",
    "model_sha256",
];

/// The rows of the table of results: names where the batch has them.
#[must_use]
pub fn rows(batch: &Batch, results: &[TaskResult]) -> Vec<Vec<String>> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| value.to_string());
    let row = |result: &TaskResult| {
        let (class, architecture) = result.label.split_once('.').unwrap_or((&result.label, ""));
        let dataset = batch.content.datasets.get(&result.dataset).map_or(&result.dataset, |dataset| &dataset.name);
        let training = batch.content.training_names.get(&result.training).unwrap_or(&result.training);
        let best = |of: fn(&Curve) -> Option<f64>| {
            let values: Vec<f64> = result.losses.iter().filter_map(of).collect();
            (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
        };
        let training_loss = best(|curve| curve.training.get(curve.best_epoch.wrapping_sub(1)).copied());
        let validation_loss = best(|curve| curve.validation.get(curve.best_epoch.wrapping_sub(1)).copied().flatten());
        let epochs = result.losses.iter().map(|curve| curve.training.len()).max();
        let onnx = result.files.iter().filter(|(name, _)| name.ends_with(".onnx")).map(|(_, sha256)| sha256.as_str());
        vec![
            result.task.clone(),
            class.to_owned(),
            architecture.to_owned(),
            dataset.clone(),
            training.clone(),
            result.repeat.to_string(),
            result.seed.to_string(),
            result.score.to_string(),
            result.score_of.clone(),
            result.judged_on.clone(),
            number(training_loss),
            number(validation_loss),
            epochs.map_or_else(String::new, |epochs| epochs.to_string()),
            result.seconds.to_string(),
            number(result.package_joules),
            result.machine.clone(),
            onnx.collect::<Vec<_>>().join(" "),
        ]
    };
    results.iter().map(row).collect()
}

/// Writes the table of results as CSV or Parquet, by the file's name.
///
/// # Errors
/// A file that cannot be written.
pub fn write(path: &Path, batch: &Batch, results: &[TaskResult]) -> Result<(), Failure> {
    const NUMBERS: [&str; 5] = ["score", "training_loss", "validation_loss", "seconds", "package_joules"];
    const INTEGERS: [&str; 2] = ["repeat", "epochs"];
    let rows = rows(batch, results);
    let column = |(place, name): (usize, &'static &'static str)| {
        let cells = rows.iter().map(|row| row[place].as_str());
        let data = if NUMBERS.contains(name) {
            ColumnData::Numbers(cells.map(|cell| cell.parse().ok()).collect())
        } else if INTEGERS.contains(name) {
            ColumnData::Integers(cells.map(|cell| cell.parse().ok()).collect())
        } else {
            ColumnData::Texts(cells.map(|cell| (!cell.is_empty()).then_some(cell)).collect())
        };
        (*name, data)
    };
    write_table(path, COLUMNS.iter().enumerate().map(column).collect())
}
