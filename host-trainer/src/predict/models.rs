//! The models of one device, each loaded when the first layer needs it.

use crate::features::Column;
use crate::features::columns::Shape;
use crate::model::{Artefact, CARD_FILE, Card, Device, FeatureRange, Interval, Target, model_folder};
use crate::onnx::Model;
use rayon::prelude::*;
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

/// A loaded model with what its card says.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) card: Card,
    columns: Vec<Column>,
    derived: Vec<Column>,
    model: Model,
}

impl Loaded {
    fn from_artefact(artefact: &Artefact, folder: &Path) -> Result<Self, Failure> {
        let table = artefact.card.layer_kind;
        let column = |name: &str| {
            Column::resolve(table, name).ok_or_else(|| {
                Failure::data(format!("lists the feature `{name}`, which {} layers do not have", table.name()))
                    .at(folder.join(CARD_FILE))
            })
        };
        let resolve = |ranges: &[FeatureRange]| ranges.iter().map(|f| column(&f.name)).collect::<Result<Vec<_>, _>>();
        let columns = resolve(&artefact.card.features)?;
        let derived = resolve(&artefact.card.derived_ranges)?;
        let model = artefact.load(folder)?;
        Ok(Self { card: artefact.card.clone(), columns, derived, model })
    }

    /// Predictions of some layers, and for each the features that lie outside the training range.
    pub(super) fn predict(&self, shapes: &[&Shape]) -> Result<(Vec<f32>, Vec<Vec<String>>), Failure> {
        let width = self.columns.len();
        let rows: Vec<f32> =
            shapes.iter().flat_map(|shape| self.columns.iter().map(|column| column.value(shape) as f32)).collect();
        let predictions = self.model.predict(&rows).map_err(|e| Failure::data(e.to_string()))?;
        let outside = |(shape, row): (&&Shape, &[f32])| {
            let features = row.iter().map(|value| f64::from(*value)).zip(&self.card.features);
            let derived = self.derived.iter().map(|column| column.value(shape)).zip(&self.card.derived_ranges);
            features.chain(derived).filter(|(value, range)| !range.holds(*value)).map(|(_, f)| f.name.clone()).collect()
        };
        Ok((predictions, shapes.iter().zip(rows.chunks_exact(width)).map(outside).collect()))
    }

    pub(super) fn interval(&self) -> Option<Interval> {
        self.card.interval
    }
}

/// Where the models of a device come from.
#[derive(Debug)]
enum Source {
    /// A folder of models.
    Folder(PathBuf),
    /// Models in memory, and what failures call the place they came from.
    Memory(HashMap<(Table, Target), Artefact>, PathBuf),
}

/// The models of one device.
#[derive(Debug)]
pub struct Models {
    source: Source,
    device: Device,
    slots: [[OnceLock<Option<Loaded>>; 2]; Table::ALL.len()],
}

impl Models {
    /// Opens the models of a device; nothing is loaded yet but the device's own file.
    ///
    /// # Errors
    /// A missing or damaged device file.
    pub fn open(root: &Path, device: &str) -> Result<Self, Failure> {
        let device = Device::read(root, device)?;
        Ok(Self { source: Source::Folder(root.to_owned()), device, slots: Default::default() })
    }

    /// The models of a device from memory; none is loaded yet. `origin` is what failures call the place they came from.
    #[must_use]
    pub fn of(device: Device, artefacts: Vec<Artefact>, origin: &Path) -> Self {
        let artefacts = artefacts.into_iter().map(|a| ((a.card.layer_kind, a.card.target), a)).collect();
        Self { source: Source::Memory(artefacts, origin.to_owned()), device, slots: Default::default() }
    }

    /// What holds for the device as a whole.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn slot(&self, table: Table, target: Target) -> &OnceLock<Option<Loaded>> {
        let table = Table::ALL.iter().position(|t| *t == table).unwrap_or(0);
        &self.slots[table][usize::from(target == Target::Runtime)]
    }

    /// Loads the models of some tables, side by side, if they are not loaded yet.
    ///
    /// # Errors
    /// A model that is damaged or does not reproduce its self-test.
    pub fn load(&self, tables: &BTreeSet<Table>) -> Result<(), Failure> {
        let wanted: Vec<(Table, Target)> = tables
            .iter()
            .flat_map(|table| Target::ALL.map(|target| (*table, target)))
            .filter(|(table, target)| self.slot(*table, *target).get().is_none())
            .collect();
        wanted.into_par_iter().try_for_each(|(table, target)| {
            let loaded = match &self.source {
                Source::Folder(root) => {
                    let folder = model_folder(root, &self.device.name, table, target);
                    match folder.join(CARD_FILE).exists() {
                        true => Some(Loaded::from_artefact(&Artefact::read(&folder)?, &folder)?),
                        false => None,
                    }
                }
                Source::Memory(artefacts, origin) => artefacts
                    .get(&(table, target))
                    .map(|a| Loaded::from_artefact(a, &model_folder(origin, &self.device.name, table, target)))
                    .transpose()?,
            };
            // Another thread may have been quicker; both loaded the same file.
            let _ = self.slot(table, target).set(loaded);
            Ok(())
        })
    }

    pub(super) fn get(&self, table: Table, target: Target) -> Option<&Loaded> {
        self.slot(table, target).get()?.as_ref()
    }

    /// Cards of the models loaded so far.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.slots.iter().flatten().filter_map(|slot| slot.get()?.as_ref()).map(|loaded| &loaded.card)
    }
}
