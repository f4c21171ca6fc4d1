//! Where a study's rows come from, so that workers read the same ones again.

use crate::objective::{LayerSettings, Metric};
use crate::studies::Specification;
use crate::subject::{LayerError, Subject};
use learn::fit::plan::Plan;
use learn::tabular::{self, Source, Tagged, Zeros};
use learn::training;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use shared::failure::Failure;
use std::path::{Path, PathBuf};
use toml::{Table, Value};

/// Where a study's rows come from. What is taken of them stands in the study's specification.
///
/// ```
/// use std::path::Path;
/// use tune::origin::Origin;
///
/// let rows = Origin::Layers { folder: "training_data".into() };
/// assert_eq!(rows.moved(Path::new("data/0af1")).folder(), Some(Path::new("data/0af1")));
/// assert_eq!(Origin::Sample.folder(), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "of", rename_all = "lowercase", deny_unknown_fields)]
pub enum Origin {
    /// Training tables of layers.
    Layers {
        /// Their folder.
        folder: PathBuf,
    },
    /// A table of SQLite databases.
    Table {
        /// The databases' folder.
        folder: PathBuf,
        /// The table.
        table: String,
        /// The column by whose values rows are told apart.
        tag_column: String,
        /// Whether rows with a zero are left out.
        drop_zeros: bool,
        /// Columns in which a zero is a value like any other.
        zero_is_a_value: Vec<String>,
    },
    /// Rows that are generated.
    Sample,
}

/// What the specification of a study about a table holds of it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TableSettings {
    #[serde(rename = "of")]
    _of: String,
    tag: String,
    metric: Metric,
    inputs: String,
    outputs: String,
}

impl From<&Source> for Origin {
    fn from(source: &Source) -> Self {
        Self::Table {
            folder: source.folder.clone(),
            table: source.table.clone(),
            tag_column: source.tag_column.clone(),
            drop_zeros: source.zeros == Zeros::Drop,
            zero_is_a_value: source.zero_is_a_value.clone(),
        }
    }
}

impl Origin {
    /// The folder of the files that are read; none where rows are generated.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        match self {
            Self::Layers { folder } | Self::Table { folder, .. } => Some(folder),
            Self::Sample => None,
        }
    }

    /// The same with the files in another folder.
    #[must_use]
    pub fn moved(&self, to: &Path) -> Self {
        let mut moved = self.clone();
        match &mut moved {
            Self::Layers { folder } | Self::Table { folder, .. } => *folder = to.to_owned(),
            Self::Sample => {}
        }
        moved
    }

    /// What a study is about, read again. Folders are relative to `root`.
    ///
    /// # Errors
    /// Data that cannot be read, or are not those of the specification.
    pub async fn subject(&self, specification: &Specification, root: &Path) -> Result<Subject, Failure> {
        let plan: Plan = read(&specification.plan, "plan")?;
        let subject = match self {
            Self::Layers { folder } => {
                let folder = root.join(folder);
                let LayerSettings { device, metric, target, kinds } = read(&specification.objective, "objective")?;
                let error = LayerError { device: Some(device), target, metric, kinds };
                Subject::layers(training::read(&folder)?, &folder, &plan, error)?
            }
            Self::Table { folder, table, tag_column, drop_zeros, zero_is_a_value } => {
                let told: TableSettings = read(&specification.objective, "objective")?;
                let columns = |names: &str| names.split(',').map(str::to_owned).collect();
                let source = Source {
                    folder: root.join(folder),
                    table: table.clone(),
                    inputs: columns(&told.inputs),
                    outputs: columns(&told.outputs),
                    tag_column: tag_column.clone(),
                    zeros: if *drop_zeros { Zeros::Drop } else { Zeros::Keep },
                    zero_is_a_value: zero_is_a_value.clone(),
                };
                let data = tabular::read(&source, &told.tag).await?;
                sampled(Tagged { name: told.tag, rows: data.len(), data }, &plan, told.metric)?
            }
            Self::Sample => {
                let told: TableSettings = read(&specification.objective, "objective")?;
                sampled(tabular::sample(), &plan, told.metric)?
            }
        };
        if subject.data_sha256 == specification.data_sha256 && subject.description == specification.objective {
            return Ok(subject);
        }
        let folder = self.folder().map_or_else(|| root.to_owned(), |folder| root.join(folder));
        Err(Failure::data("the data are not those that the study was begun with")
            .at(folder)
            .help("restore them, or run `tune --on` again with another --study-id"))
    }
}

fn sampled(mut tagged: Tagged, plan: &Plan, metric: Metric) -> Result<Subject, Failure> {
    if let Some(samples) = plan.samples {
        tagged.data.sample(samples);
    }
    Subject::table(vec![tagged], plan, metric)
}

fn read<T: DeserializeOwned>(table: &Table, what: &str) -> Result<T, Failure> {
    Value::Table(table.clone()).try_into().map_err(|e: toml::de::Error| {
        Failure::data(format!("the study's {what} cannot be read: {}", e.message())).caused_by(e)
    })
}
