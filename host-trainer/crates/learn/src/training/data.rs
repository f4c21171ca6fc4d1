//! Measured layers and measured totals of networks.

use crate::features::LayerSpec;
use shared::device::Hardware;
use shared::engine::Table;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::{BTreeMap, BTreeSet};

/// One measured layer.
#[derive(Debug, Clone, PartialEq)]
pub struct Row {
    /// The network it belongs to.
    pub network: String,
    /// Its name; empty where the data do not give it.
    pub layer: String,
    /// The device it ran on, where the data name it.
    pub device: Option<String>,
    /// Its sizes and precision.
    pub spec: LayerSpec,
    /// Mean power while it ran, where measured.
    pub power: Option<Watts>,
    /// Mean run time, where measured.
    pub runtime: Option<Millis>,
}

impl Row {
    /// Whether it was measured on a device; a row that names none belongs to every device.
    #[must_use]
    pub fn is_of(&self, device: &str) -> bool {
        self.device.as_deref().is_none_or(|name| name == device)
    }
}

/// Measured totals of one network at one batch size; any of the three may be absent.
#[derive(Debug, Clone, PartialEq)]
pub struct NetworkTotal {
    /// The network, by the name its layers carry.
    pub network: String,
    /// The device it ran on, where the data name it.
    pub device: Option<String>,
    /// The networks that it is a variant of, another size of the same architecture, say: folds never split a family. The network by
    /// itself where the data name none.
    pub family: Option<String>,
    /// Who measured it, where the data name it. Sources that do not record clocks differ by a factor, which is fitted.
    pub source: Option<String>,
    /// Images an inference.
    pub batch_size: f64,
    /// Time of one inference.
    pub runtime: Option<Millis>,
    /// Mean power during inference.
    pub power: Option<Watts>,
    /// Energy of one inference.
    pub energy: Option<Millijoules>,
}

/// All training data of a folder.
#[derive(Debug, Clone, Default)]
pub struct TrainingData {
    /// Rows of each table, in the order of sorted paths and of lines within a file.
    pub tables: BTreeMap<Table, Vec<Row>>,
    /// Whole-network totals, when there is a `networks.csv`.
    pub totals: Vec<NetworkTotal>,
    /// What is known of each device, by its name, when there is a `devices.json`.
    pub hardware: BTreeMap<String, Hardware>,
    /// SHA-256 over the names and contents of the files read, in hexadecimal.
    pub hash: String,
    /// What was unexpected but did not keep the data from being read.
    pub notes: Vec<String>,
}

impl TrainingData {
    /// Keeps at most `rows` rows of each table, always the same ones, in their order.
    ///
    /// # Errors
    /// A sentence, where there are totals: a network's total is that of all its layers.
    pub fn sample(&mut self, rows: usize) -> Result<(), String> {
        if !self.totals.is_empty() {
            return Err("rows cannot be sampled where there are totals of whole networks".to_owned());
        }
        for table in self.tables.values_mut().filter(|table| table.len() > rows) {
            let order = estimators::fold_hashes(&(0..table.len()).collect::<Vec<_>>());
            let mut sorted = order.clone();
            sorted.sort_unstable();
            let mut drawn = order.iter().map(|place| *place < sorted[rows]);
            table.retain(|_| drawn.next().unwrap_or(false));
        }
        Ok(())
    }

    /// Names of all networks, sorted.
    #[must_use]
    pub fn networks(&self) -> BTreeSet<&str> {
        let of_rows = self.tables.values().flatten().map(|row| row.network.as_str());
        of_rows.chain(self.totals.iter().map(|total| total.network.as_str())).collect()
    }

    /// The family of each network of which a total names one.
    #[must_use]
    pub fn families(&self) -> BTreeMap<&str, &str> {
        self.totals.iter().filter_map(|total| Some((total.network.as_str(), total.family.as_deref()?))).collect()
    }

    /// What the data call a device: the only device that they name, else the same.
    #[must_use]
    pub fn name_of<'a>(&'a self, device: &'a str) -> &'a str {
        let known: BTreeSet<&str> = self.tables.values().flatten().filter_map(|row| row.device.as_deref()).collect();
        match known.iter().collect::<Vec<_>>().as_slice() {
            [only] => only,
            _ => device,
        }
    }
}
