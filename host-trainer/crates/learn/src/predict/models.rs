//! The models of one device, each loaded when the first layer needs it.

use crate::features::Column;
use crate::features::LayerSpec;
use crate::model::{Artefact, CARD_FILE, Card, Device, FeatureRange, Interval, Target, model_folder};
use onnx::Model;
use rayon::prelude::*;
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

/// A loaded model with what its card says.
#[derive(Debug)]
pub(super) struct Loaded {
    pub(super) card: Card,
    columns: Vec<Column>,
    derived: Vec<Column>,
    model: Model,
    known: Known,
}

/// What a model says of a layer.
#[derive(Debug, Clone)]
pub(super) struct Said {
    /// W or ms.
    pub(super) value: f32,
    /// Features outside the training range.
    pub(super) outside: Arc<[String]>,
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
        Ok(Self { card: artefact.card.clone(), columns, derived, model, known: Known::default() })
    }

    /// What the model says of some layers, in one run for those it has not said it of before; and how many those were.
    pub(super) fn predict(&self, shapes: &[&LayerSpec]) -> Result<(Vec<Said>, usize), Failure> {
        let keys: Vec<Key> = shapes.iter().map(|shape| Key::of(shape)).collect();
        let mut said: Vec<Option<Said>> = self.known.get(&keys);
        // Layers alike are run once: networks repeat their blocks.
        let mut fresh: HashMap<&Key, Said> = HashMap::new();
        let mut run: Vec<usize> = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            if said[i].is_none() && !fresh.contains_key(key) {
                fresh.insert(key, Said { value: f32::NAN, outside: Arc::default() });
                run.push(i);
            }
        }
        if !run.is_empty() {
            let columns = |i: usize| self.columns.iter().map(move |column| column.value(shapes[i]) as f32);
            let rows: Vec<f32> = run.iter().copied().flat_map(columns).collect();
            let values = self.model.predict(&rows).map_err(|e| Failure::data(e.to_string()))?;
            for ((&i, row), value) in run.iter().zip(rows.chunks_exact(self.columns.len())).zip(values) {
                fresh.insert(&keys[i], Said { value, outside: self.outside(shapes[i], row) });
            }
            self.known.put(&fresh);
        }
        let said = said.iter_mut().zip(&keys).map(|(said, key)| said.take().or_else(|| fresh.get(key).cloned()));
        let said: Option<Vec<Said>> = said.collect();
        said.map(|said| (said, run.len())).ok_or_else(|| Failure::data("a model gave fewer predictions than rows"))
    }

    fn outside(&self, shape: &LayerSpec, row: &[f32]) -> Arc<[String]> {
        let features = row.iter().map(|value| f64::from(*value)).zip(&self.card.features);
        let derived = self.derived.iter().map(|column| column.value(shape)).zip(&self.card.derived_ranges);
        features.chain(derived).filter(|(value, range)| !range.holds(*value)).map(|(_, f)| f.name.clone()).collect()
    }

    /// Predictions of rows of features.
    pub(super) fn run(&self, rows: &[f64]) -> Result<Vec<f64>, Failure> {
        let rows: Vec<f32> = rows.iter().map(|value| *value as f32).collect();
        let predictions = self.model.predict(&rows).map_err(|e| Failure::data(e.to_string()))?;
        Ok(predictions.into_iter().map(f64::from).collect())
    }

    pub(super) fn interval(&self) -> Option<Interval> {
        self.card.interval
    }
}

/// A shape, as what a model said of it is found by: the bits of its values and its precision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key(Box<[u64]>);

impl Key {
    fn of(shape: &LayerSpec) -> Self {
        let precision = shape.precision.map_or(0, |precision| 1 + precision as u64);
        Self(shape.stored().into_iter().map(|(_, number)| number.to_bits()).chain([precision]).collect())
    }
}

/// What a model has said, by shape. It lives and dies with the model, so that no other model's word is ever repeated.
#[derive(Debug, Default)]
struct Known(RwLock<Memory>);

#[derive(Debug, Default)]
struct Memory {
    said: HashMap<Key, Said>,
    /// The lists of features outside the training range, each once: shapes are many, lists are few, and forgetting them all
    /// together has to be quick.
    outside: HashSet<Arc<[String]>>,
}

impl Known {
    /// Shapes kept; about 3 MB. Networks have tens of shapes: whoever sends more has each run again, which is what it costs
    /// without a memory.
    const MOST: usize = 16_384;

    fn get(&self, keys: &[Key]) -> Vec<Option<Said>> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|key| known.said.get(key).cloned()).collect()
    }

    fn put(&self, fresh: &HashMap<&Key, Said>) {
        // Declared before the lock is taken, and so freed after it is given back.
        let mut forgotten = Memory::default();
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.said.len() + fresh.len() > Self::MOST {
            std::mem::swap(&mut *known, &mut forgotten);
        }
        for (key, said) in fresh.iter().take(Self::MOST) {
            let outside = known.outside.get(&said.outside).unwrap_or(&said.outside).clone();
            known.outside.insert(Arc::clone(&outside));
            known.said.insert((*key).clone(), Said { outside, ..*said });
        }
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
    slots: [[OnceLock<Option<Arc<Loaded>>>; 2]; Table::ALL.len()],
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

    fn slot(&self, table: Table, target: Target) -> &OnceLock<Option<Arc<Loaded>>> {
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
            let _ = self.slot(table, target).set(loaded.map(Arc::new));
            Ok(())
        })
    }

    pub(super) fn get(&self, table: Table, target: Target) -> Option<&Loaded> {
        self.slot(table, target).get()?.as_deref()
    }

    /// Cards of the models loaded so far.
    pub fn cards(&self) -> impl Iterator<Item = &Card> {
        self.slots.iter().flatten().filter_map(|slot| slot.get()?.as_deref()).map(|loaded| &loaded.card)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_memory_keeps_few_shapes_and_each_list_once() {
        let known = Known::default();
        let list = || Arc::from([String::from("kernel_0"), String::from("macs")]);
        for batch in 0..40_u64 {
            let keys: Vec<Key> = (0..1000).map(|i| Key(Box::new([batch, i]))).collect();
            let fresh = keys.iter().map(|key| (key, Said { value: batch as f32, outside: list() })).collect();
            known.put(&fresh);
            let said = known.get(&keys);
            assert!(said.iter().all(|said| said.as_ref().is_some_and(|said| said.value == batch as f32)));
            let lists: Vec<_> = said.into_iter().flatten().map(|said| said.outside).collect();
            assert!(lists.iter().all(|list| Arc::ptr_eq(list, &lists[0])));
            assert!(known.0.read().expect("no panic").said.len() <= Known::MOST);
        }
        assert!(known.get(&[Key(Box::new([0, 0]))])[0].is_none());
    }
}
