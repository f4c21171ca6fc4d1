//! The data of a batch: read and named by content when it is generated, checked against that name by every worker.

use crate::configuration::{
    DataKind, Dataset, DatasetContent, DatasetFile, LayerContent, Sampler, TableContent, Zeros,
};
use learn::fit::run::{UNNAMED_DEVICE, devices_of};
use learn::tabular::{self, Source, TableData};
use learn::training::{self, TrainingData};
use shared::failure::Failure;
use std::path::{Path, PathBuf};
use store::Store;
use store::work::WorkingCopy;

/// The column whose values divide the rows of a table, unless a configuration names another.
const TAG_COLUMN: &str = "image_tag";
/// The table that is read, unless a configuration names another.
const TABLE: &str = "training_data";
/// Requests under way at once where data come from a store.
const AT_ONCE: usize = 4;

/// What is learnt from, in memory.
#[derive(Debug)]
pub enum Data {
    /// Rows of a table.
    Table(TableData),
    /// Measured layers.
    Layers(TrainingData),
}

impl Data {
    /// Rows in all.
    #[must_use]
    pub fn rows(&self) -> u64 {
        match self {
            Self::Table(table) => table.len() as u64,
            Self::Layers(layers) => layers.tables.values().map(|rows| rows.len() as u64).sum(),
        }
    }

    fn sha256(&self) -> &str {
        match self {
            Self::Table(table) => &table.hash,
            Self::Layers(layers) => &layers.hash,
        }
    }
}

/// Reads a data set that a configuration describes. `samples_per_epoch` are rows that an epoch draws, where a caller says so.
///
/// # Errors
/// Data that cannot be read, are not those of the SHA-256 that is given, or several tags or devices of which none is chosen.
pub(crate) async fn describe(
    name: &str,
    file: &DatasetFile,
    folder: &Path,
    location: String,
) -> Result<(Dataset, Data), Failure> {
    let (content, data) = match file.kind {
        DataKind::Table => {
            let mut content = TableContent {
                data_sha256: String::new(),
                table: file.table.clone().unwrap_or_else(|| TABLE.to_owned()),
                tag_column: file.tag_column.clone().unwrap_or_else(|| TAG_COLUMN.to_owned()),
                tag: String::new(),
                inputs: file.inputs.clone(),
                outputs: file.outputs.clone(),
                zeros: file.zeros,
                zero_is_a_value: file.zero_is_a_value.clone(),
                split: file.split.unwrap_or_default(),
                samplers: file.samplers.clone().unwrap_or_default(),
                samples: file.samples,
            };
            content.tag = match &file.tag {
                Some(tag) => tag.clone(),
                None => only_tag(&content, folder).await?,
            };
            let table = read_table(&content, folder).await?;
            content.data_sha256.clone_from(&table.hash);
            content.samplers.rows(&content.split, &table).map_err(|e| Failure::usage(e).at(folder))?;
            (DatasetContent::Table(Box::new(content)), Data::Table(table))
        }
        DataKind::Layers => {
            let layers = read_layers(file.samples, folder)?;
            let known: Vec<String> = devices_of(&layers).into_iter().map(str::to_owned).collect();
            let device = match (&file.device, known.as_slice()) {
                (Some(device), _) if !known.is_empty() && !known.contains(device) => {
                    let known: Vec<&str> = known.iter().map(String::as_str).collect();
                    let near = shared::near::near(device, &known);
                    return Err(Failure::usage(format!("no row was measured on `{device}`{near}")).at(folder));
                }
                (Some(device), _) => device.clone(),
                (None, []) => UNNAMED_DEVICE.to_owned(),
                (None, [only]) => only.clone(),
                (None, several) => {
                    return Err(Failure::usage(format!("the data name several devices: {}", several.join(", ")))
                        .at(folder)
                        .help("choose one by `device`"));
                }
            };
            let default = || learn::fit::plan::Plan::default().test_models;
            let content = LayerContent {
                data_sha256: layers.hash.clone(),
                device,
                test_networks: file.test_networks.clone().unwrap_or_else(default),
                samples: file.samples,
            };
            (DatasetContent::Layers(content), Data::Layers(layers))
        }
    };
    if let Some(expected) = file.sha256.as_deref().filter(|expected| *expected != data.sha256()) {
        return Err(Failure::data(format!("the data have the SHA-256 {}, not {expected}", data.sha256()))
            .at(folder)
            .help("restore the data that were meant, or correct `sha256`"));
    }
    let shape = |names: &[String]| vec![names.len()];
    let (input_shape, output_shape) = match &content {
        DatasetContent::Table(table) => (shape(&table.inputs), shape(&table.outputs)),
        DatasetContent::Layers(_) => (Vec::new(), Vec::new()),
    };
    let dataset = Dataset { name: name.to_owned(), content, location, rows: data.rows(), input_shape, output_shape };
    Ok((dataset, data))
}

/// Reads a data set of a batch, and checks that it is the one that the batch was generated with.
///
/// # Errors
/// Data that cannot be read or have another SHA-256.
pub(crate) async fn load(dataset: &Dataset, batch: &Path) -> Result<Data, Failure> {
    let folder = batch.join(&dataset.location);
    let data = match &dataset.content {
        DatasetContent::Table(content) => Data::Table(read_table(content, &folder).await?),
        DatasetContent::Layers(content) => Data::Layers(read_layers(content.samples, &folder)?),
    };
    if data.sha256() == dataset.content.data_sha256() {
        return Ok(data);
    }
    Err(Failure::data(format!("the data of `{}` are not those that the batch was generated with", dataset.name))
        .at(folder)
        .help("restore them, or generate another batch"))
}

fn source(content: &TableContent, folder: &Path) -> Source {
    Source {
        folder: folder.to_owned(),
        table: content.table.clone(),
        inputs: content.inputs.clone(),
        outputs: content.outputs.clone(),
        tag_column: content.tag_column.clone(),
        zeros: match content.zeros {
            Zeros::Keep => tabular::Zeros::Keep,
            Zeros::Drop => tabular::Zeros::Drop,
        },
        zero_is_a_value: content.zero_is_a_value.clone(),
    }
}

async fn read_table(content: &TableContent, folder: &Path) -> Result<TableData, Failure> {
    let mut data = tabular::read(&source(content, folder), &content.tag).await?;
    if let Some(samples) = content.samples {
        data.sample(samples);
    }
    Ok(data)
}

async fn only_tag(content: &TableContent, folder: &Path) -> Result<String, Failure> {
    let tags = tabular::tags(&source(content, folder), &mut Vec::new()).await?;
    match tags.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::data(format!("no row has a `{}`", content.tag_column)).at(folder)),
        several => {
            let named: Vec<&str> = several.iter().take(20).map(String::as_str).collect();
            Err(Failure::usage(format!("`{}` has {} values: {}", content.tag_column, several.len(), named.join(", ")))
                .at(folder)
                .help("choose one by `tag`; several data sets may read the same folder"))
        }
    }
}

fn read_layers(samples: Option<usize>, folder: &Path) -> Result<TrainingData, Failure> {
    let mut data = training::read(folder)?;
    if let Some(samples) = samples {
        data.sample(samples).map_err(|e| Failure::usage(e).at(folder))?;
    }
    Ok(data)
}

/// The folder that a data set lies in; what lies in a store of `data` is fetched into `cache` first.
///
/// # Errors
/// A store or branch that is not there.
pub(crate) async fn local(file: &DatasetFile, base: &Path, cache: &Path) -> Result<PathBuf, Failure> {
    let Some(branch) = &file.revision else { return Ok(base.join(&file.path)) };
    let store = Store::open(&file.path)?;
    std::fs::create_dir_all(cache).map_err(|e| Failure::io(cache, "create", &e))?;
    let mut copy = WorkingCopy::init(cache, &file.path, store, "", branch)?;
    copy.pull(false, AT_ONCE).await?;
    Ok(cache.to_owned())
}

/// Draws so many rows an epoch instead of each once.
pub(crate) fn with_samples_per_epoch(content: &mut DatasetContent, samples: usize) {
    if let DatasetContent::Table(table) = content {
        table.samplers.train = match std::mem::replace(&mut table.samplers.train, Sampler::Shuffle) {
            Sampler::Weighted { column, .. } => Sampler::Weighted { column, samples },
            Sampler::Random { replacement, .. } => Sampler::Random { samples, replacement },
            _ => Sampler::Random { samples, replacement: false },
        };
    }
}
