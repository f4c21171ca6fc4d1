//! What is learnt from.

use super::canonical::digest;
use super::samplers::{Samplers, Split};
use serde::{Deserialize, Serialize};
use shared::failure::Failure;

/// What data are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DataKind {
    /// Rows of a table in SQLite files.
    Table,
    /// Measured layers: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column.
    Layers,
}

/// What becomes of rows with a zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Zeros {
    /// They stay.
    #[default]
    Keep,
    /// They are left out: in some data a zero marks a missing measurement.
    Drop,
}

/// A data set as a configuration file describes it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatasetFile {
    /// What it is.
    pub kind: DataKind,
    /// A folder: of SQLite files, or of training tables. Relative to the configuration file.
    pub path: String,
    /// Where `path` is a store of `data`: the branch, tag or snapshot that is taken from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// SHA-256 of the data, if they are to be checked against one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<String>,
    /// Of a table: its name in the SQLite files.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub table: Option<String>,
    /// Of a table: the column whose values divide the rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag_column: Option<String>,
    /// Of a table: the value of that column whose rows are taken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    /// Of a table: the columns that are read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub inputs: Vec<String>,
    /// Of a table: the columns that are predicted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub outputs: Vec<String>,
    /// Of a table: what becomes of rows with a zero.
    #[serde(default)]
    pub zeros: Zeros,
    /// Of a table: columns in which zero is a value.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub zero_is_a_value: Vec<String>,
    /// Of a table: shares of its rows for validation and test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split: Option<Split>,
    /// Of a table: how the rows of each part are drawn.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samplers: Option<Samplers>,
    /// Of layers: the device whose rows are taken; by default the only one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<String>,
    /// Of layers: networks that judge the models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_networks: Option<Vec<String>>,
    /// Rows that are used, always the same ones; all by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub samples: Option<usize>,
}

impl DatasetFile {
    /// Everything in a folder.
    pub(crate) fn at(kind: DataKind, path: String) -> Self {
        Self {
            kind,
            path,
            revision: None,
            sha256: None,
            table: None,
            tag_column: None,
            tag: None,
            inputs: Vec::new(),
            outputs: Vec::new(),
            zeros: Zeros::default(),
            zero_is_a_value: Vec::new(),
            split: None,
            samplers: None,
            device: None,
            test_networks: None,
            samples: None,
        }
    }
}

/// Rows of a table, with all that decides what is learnt from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TableContent {
    /// SHA-256 over names and numbers.
    pub data_sha256: String,
    /// The table.
    pub table: String,
    /// The column whose values divide the rows.
    pub tag_column: String,
    /// The value whose rows are taken.
    pub tag: String,
    /// Input columns.
    pub inputs: Vec<String>,
    /// Output columns.
    pub outputs: Vec<String>,
    /// What becomes of rows with a zero.
    pub zeros: Zeros,
    /// Columns in which zero is a value.
    pub zero_is_a_value: Vec<String>,
    /// Shares of the rows.
    pub split: Split,
    /// How they are drawn.
    pub samplers: Samplers,
    /// Rows that are used; all where it is none.
    pub samples: Option<usize>,
}

/// Measured layers, with all that decides what is learnt from them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LayerContent {
    /// SHA-256 over names and contents of the files.
    pub data_sha256: String,
    /// The device.
    pub device: String,
    /// Networks that judge the models.
    pub test_networks: Vec<String>,
    /// Rows of each table that are used; all where it is none.
    pub samples: Option<usize>,
}

/// What is learnt from, by content: where the data lie is no part of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DatasetContent {
    /// Rows of a table.
    Table(Box<TableContent>),
    /// Measured layers.
    Layers(LayerContent),
}

impl DatasetContent {
    /// The name by content.
    ///
    /// # Errors
    /// A figure that JSON cannot hold.
    pub fn digest(&self) -> Result<String, Failure> {
        digest("dataset", self)
    }

    /// SHA-256 of the data.
    #[must_use]
    pub fn data_sha256(&self) -> &str {
        match self {
            Self::Table(table) => &table.data_sha256,
            Self::Layers(layers) => &layers.data_sha256,
        }
    }
}

/// A data set of a batch.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dataset {
    /// Its name in the configuration file.
    pub name: String,
    /// What it is.
    pub content: DatasetContent,
    /// Where it lies: below the batch folder where it is a relative path.
    pub location: String,
    /// Rows in all.
    pub rows: u64,
    /// Shape of one input, derived from the data; empty where each model has its own.
    pub input_shape: Vec<usize>,
    /// Shape of one output, derived from the data; empty where each model has its own.
    pub output_shape: Vec<usize>,
}

impl DatasetFile {
    /// Checks what types cannot. It names the key.
    ///
    /// # Errors
    /// A sentence.
    pub(crate) fn check(&self) -> Result<(), String> {
        let of_table = [
            ("table", self.table.is_some()),
            ("tag_column", self.tag_column.is_some()),
            ("tag", self.tag.is_some()),
            ("inputs", !self.inputs.is_empty()),
            ("outputs", !self.outputs.is_empty()),
            ("zeros", self.zeros != Zeros::Keep),
            ("zero_is_a_value", !self.zero_is_a_value.is_empty()),
            ("split", self.split.is_some()),
            ("samplers", self.samplers.is_some()),
        ];
        let of_layers = [("device", self.device.is_some()), ("test_networks", self.test_networks.is_some())];
        let foreign: &[(&str, bool)] = if self.kind == DataKind::Table { &of_layers } else { &of_table };
        if let Some((key, _)) = foreign.iter().find(|(_, given)| *given) {
            let kind = if self.kind == DataKind::Table { "table" } else { "layers" };
            return Err(format!("`{key}` has no meaning for data of the kind `{kind}`"));
        }
        if self.kind == DataKind::Table {
            if self.inputs.is_empty() || self.outputs.is_empty() {
                return Err("a table needs `inputs` and `outputs`".into());
            }
            if let Some(both) = self.inputs.iter().find(|name| self.outputs.contains(name)) {
                return Err(format!("`{both}` is both an input and an output"));
            }
            self.split.unwrap_or_default().check()?;
            self.samplers.clone().unwrap_or_default().check(&self.inputs)?;
        }
        if self.samples == Some(0) {
            return Err("`samples` must be at least 1".into());
        }
        if self.revision.is_some() != self.path.contains("://") {
            return Err("a store of data needs a `revision`, and a folder has none".into());
        }
        Ok(())
    }
}
