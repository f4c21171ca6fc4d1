//! What a study is about: data, and the error that counts.

use crate::objective::{LayerObjective, LayerSettings, Metric, TableObjective};
use crate::worker::Objective;
use learn::evaluate::Measurand;
use learn::fit::plan::Plan;
use learn::fit::run::{DeviceChoice, UNNAMED_DEVICE, devices_of, fit_devices};
use learn::fit::train::Outcome;
use learn::model::Target;
use learn::tabular::{Tagged, Written, fit_tagged};
use learn::training::TrainingData;
use shared::engine;
use shared::failure::{Failure, Kind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use toml::Table;

/// Data, and the error that counts.
#[derive(Debug)]
pub struct Subject {
    /// What is minimised.
    pub objective: Arc<dyn Objective>,
    /// SHA-256 of the data, in hexadecimal.
    pub data_sha256: String,
    /// What is minimised, as a study keeps it.
    pub description: Table,
    rows: Rows,
}

/// What a study's models learn from.
#[derive(Debug)]
enum Rows {
    Layers { data: TrainingData, folder: PathBuf, device: String },
    Table(Arc<Tagged>),
}

/// The error of layers that counts.
#[derive(Debug, Clone)]
pub struct LayerError {
    /// Device whose rows count; by default the only one that the data name.
    pub device: Option<String>,
    /// What is predicted.
    pub target: Measurand,
    /// The figure that is minimised.
    pub metric: Metric,
    /// Layer kinds over which its mean is taken, or `network`; by default all with rows enough.
    pub kinds: Vec<String>,
}

/// Models fitted with a study's best plan.
#[derive(Debug)]
pub enum Fitted {
    /// Models of layers, device by device.
    Layers(Vec<Outcome>),
    /// Models of a table.
    Table(Vec<Written>),
}

impl Subject {
    /// A study about layers. `folder` is what failures call the data.
    ///
    /// # Errors
    /// Several devices and none chosen, rows that cannot be sampled, or layer kinds without rows.
    pub fn layers(mut data: TrainingData, folder: &Path, plan: &Plan, error: LayerError) -> Result<Self, Failure> {
        if let Some(samples) = plan.samples {
            data.sample(samples).map_err(|e| Failure::usage(e).at(folder))?;
        }
        let known = devices_of(&data);
        let device = match (error.device, known.iter().collect::<Vec<_>>().as_slice()) {
            (Some(device), _) => device,
            (None, []) => UNNAMED_DEVICE.to_owned(),
            (None, [only]) => (**only).to_owned(),
            (None, _) => {
                let names = known.iter().copied().collect::<Vec<_>>().join(", ");
                return Err(
                    Failure::usage(format!("the data name several devices: {names}")).help("choose one by --device")
                );
            }
        };
        let settings = LayerSettings {
            device: device.clone(),
            metric: error.metric,
            target: error.target,
            kinds: error.kinds.iter().map(|kind| kind.trim().to_owned()).collect(),
        };
        let objective = LayerObjective::new(plan, &data, settings).map_err(|e| Failure::usage(e).at(folder))?;
        let description = Table::try_from(objective.settings()).map_err(|e| Failure::from_error(Kind::Data, e))?;
        Ok(Self {
            objective: Arc::new(objective),
            data_sha256: data.hash.clone(),
            description,
            rows: Rows::Layers { data, folder: folder.to_owned(), device },
        })
    }

    /// A study about the rows of one tag of a table.
    ///
    /// # Errors
    /// More or fewer tags than one.
    pub fn table(mut tagged: Vec<Tagged>, plan: &Plan, metric: Metric) -> Result<Self, Failure> {
        let (Some(one), true) = (tagged.pop(), tagged.is_empty()) else {
            return Err(Failure::usage("a study is about one tag").help("name it by --func-tag"));
        };
        let one = Arc::new(one);
        let objective = TableObjective { table: Arc::clone(&one), plan: plan.clone(), metric };
        let described = [
            ("of", "table".to_owned()),
            ("tag", one.data.tag.clone()),
            ("metric", metric.name().to_owned()),
            ("inputs", one.data.inputs.join(",")),
            ("outputs", one.data.outputs.join(",")),
        ];
        Ok(Self {
            objective: Arc::new(objective),
            data_sha256: one.data.hash.clone(),
            description: described.into_iter().map(|(key, value)| (key.to_owned(), value.into())).collect(),
            rows: Rows::Table(one),
        })
    }

    /// Fits models with a plan and writes them below `out`.
    ///
    /// # Errors
    /// A fit that fails, or a folder that cannot be written.
    pub fn fit(
        &self,
        plan: &Plan,
        out: &Path,
        progress: &(dyn Fn(engine::Table, Target) + Sync),
    ) -> Result<Fitted, Failure> {
        match &self.rows {
            Rows::Table(tagged) => {
                fit_tagged(std::slice::from_ref(tagged.as_ref()), plan, out, &mut |_| {}).map(Fitted::Table)
            }
            Rows::Layers { data, folder, device } => {
                let devices = [DeviceChoice::same(device)];
                let tests = plan.known_test_networks(data);
                fit_devices(plan, data, folder, &devices, &tests, out, progress).map(Fitted::Layers)
            }
        }
    }
}
