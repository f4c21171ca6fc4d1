//! The models of one device, each loaded when the first layer needs it.

use super::cache::{Key, ModelOutput, PredictionCache};
use crate::features::{Column, LayerSpec};
use crate::model::{Artefact, CARD_FILE, Card, Device, FeatureRange, Target, model_folder};
use onnx::Model;
use rayon::prelude::*;
use shared::engine::Table;
use shared::failure::{Failure, Kind};
use std::collections::{BTreeSet, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

/// A loaded model with its card.
#[derive(Debug)]
pub(super) struct LoadedModel {
    pub(super) card: Card,
    columns: Vec<Column>,
    derived: Vec<Column>,
    model: Model,
    cache: PredictionCache,
}

impl LoadedModel {
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
        Ok(Self { card: artefact.card.clone(), columns, derived, model, cache: PredictionCache::default() })
    }

    /// Predicts layers: those not in the cache in one run of the model. Also returns how many those were.
    pub(super) fn predict(&self, layers: &[&LayerSpec]) -> Result<(Vec<ModelOutput>, usize), Failure> {
        let keys: Vec<Key> = layers.iter().map(|layer| Key::of(layer)).collect();
        let mut outputs: Vec<Option<ModelOutput>> = self.cache.get(&keys);
        // Equal layers run once: networks repeat their blocks.
        let mut fresh: HashMap<&Key, ModelOutput> = HashMap::new();
        let mut run: Vec<usize> = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            if outputs[i].is_none() && !fresh.contains_key(key) {
                fresh.insert(key, ModelOutput { value: f32::NAN, outside: Arc::default(), widening: 0.0 });
                run.push(i);
            }
        }
        if !run.is_empty() {
            let features = |i: usize| self.columns.iter().map(move |column| column.value(layers[i]) as f32);
            let rows: Vec<f32> = run.iter().copied().flat_map(features).collect();
            let values = self.model.predict(&rows).map_err(|e| Failure::from_error(Kind::Data, e))?;
            for ((&i, row), value) in run.iter().zip(rows.chunks_exact(self.columns.len())).zip(values) {
                let (outside, widening) = (self.outside(layers[i], row), self.widening(row));
                fresh.insert(&keys[i], ModelOutput { value, outside, widening });
            }
            self.cache.put(&fresh);
        }
        let outputs =
            outputs.iter_mut().zip(&keys).map(|(output, key)| output.take().or_else(|| fresh.get(key).cloned()));
        let outputs: Option<Vec<ModelOutput>> = outputs.collect();
        outputs
            .map(|outputs| (outputs, run.len()))
            .ok_or_else(|| Failure::data("a model gave fewer predictions than rows"))
    }

    fn outside(&self, layer: &LayerSpec, row: &[f32]) -> Arc<[String]> {
        let features = row.iter().map(|value| f64::from(*value)).zip(&self.card.features);
        let derived = self.derived.iter().map(|column| column.value(layer)).zip(&self.card.derived_ranges);
        features.chain(derived).filter(|(value, range)| !range.holds(*value)).map(|(_, f)| f.name.clone()).collect()
    }

    /// What the half-width of a row's interval grows by: its values are away from those of training in what shows most.
    fn widening(&self, row: &[f32]) -> f64 {
        let of_feature = |(value, range): (&f32, &FeatureRange)| {
            let widening = self.card.widening.iter().find(|widening| widening.feature == range.name)?;
            Some(widening.addition(f64::from(*value)))
        };
        row.iter().zip(&self.card.features).filter_map(of_feature).fold(0.0, f64::max)
    }

    /// Predictions of rows of features.
    pub(super) fn run(&self, rows: &[f64]) -> Result<Vec<f64>, Failure> {
        let rows: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
        let predictions = self.model.predict(&rows).map_err(|e| Failure::from_error(Kind::Data, e))?;
        Ok(predictions.into_iter().map(f64::from).collect())
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
    slots: [[OnceLock<Option<Arc<LoadedModel>>>; 2]; Table::ALL.len()],
}

impl Models {
    /// Opens the models of a device. Only the device's own file is read; each model is loaded when it is first needed.
    ///
    /// ```
    /// use learn::model::Device;
    /// use learn::predict::Models;
    ///
    /// let folder = tempfile::tempdir()?;
    /// let device = Device {
    ///     name: "board".to_owned(),
    ///     median_power_w: Some(6.5),
    ///     ..Device::default()
    /// };
    /// device.write(folder.path())?;
    /// let models = Models::open(folder.path(), "board")?;
    /// assert_eq!(models.device().median_power_w, Some(6.5));
    /// assert_eq!(models.cards().count(), 0, "no model is loaded yet");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
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

    /// Takes over what `old` has loaded of the same models, by their cards, which name their graphs' hashes: a set that differs
    /// from another in one model need not load the rest again. Only for models from memory, whose cards are there.
    #[must_use]
    pub fn keeping(self, old: &Self) -> Self {
        if let Source::Memory(artefacts, _) = &self.source {
            for ((table, target), artefact) in artefacts {
                let loaded = old.slot(*table, *target).get().and_then(Option::as_ref);
                if let Some(loaded) = loaded.filter(|loaded| loaded.card == artefact.card) {
                    // The slot of a new value is empty.
                    let _ = self.slot(*table, *target).set(Some(Arc::clone(loaded)));
                }
            }
        }
        self
    }

    /// What holds for the device as a whole.
    #[must_use]
    pub fn device(&self) -> &Device {
        &self.device
    }

    fn slot(&self, table: Table, target: Target) -> &OnceLock<Option<Arc<LoadedModel>>> {
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
                        true => Some(LoadedModel::from_artefact(&Artefact::read(&folder)?, &folder)?),
                        false => None,
                    }
                }
                Source::Memory(artefacts, origin) => artefacts
                    .get(&(table, target))
                    .map(|a| LoadedModel::from_artefact(a, &model_folder(origin, &self.device.name, table, target)))
                    .transpose()?,
            };
            // Another thread may have been quicker; both loaded the same file.
            let _ = self.slot(table, target).set(loaded.map(Arc::new));
            Ok(())
        })
    }

    pub(super) fn get(&self, table: Table, target: Target) -> Option<&LoadedModel> {
        self.slot(table, target).get()?.as_deref()
    }

    /// Whether there is any model of a target, loaded or not.
    #[must_use]
    pub fn has_models_of(&self, target: Target) -> bool {
        match &self.source {
            Source::Folder(root) => Table::ALL
                .into_iter()
                .any(|table| model_folder(root, &self.device.name, table, target).join(CARD_FILE).exists()),
            Source::Memory(artefacts, _) => artefacts.keys().any(|(_, of)| *of == target),
        }
    }

    /// Cards of the models loaded so far.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.slots.iter().flatten().filter_map(|slot| slot.get()?.as_deref()).map(|loaded| &loaded.card)
    }
}
