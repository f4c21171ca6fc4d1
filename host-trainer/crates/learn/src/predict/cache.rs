//! What a model predicted before, by the layer's row.

use crate::features::LayerSpec;
use std::collections::{HashMap, HashSet};
use std::sync::{Arc, PoisonError, RwLock};

/// A model's prediction of one layer.
#[derive(Debug, Clone)]
pub(super) struct ModelOutput {
    /// W or ms.
    pub(super) value: f32,
    /// Features outside the training range.
    pub(super) outside: Arc<[String]>,
    /// What the half-width of its interval of log ratios grows by, for the distance from the values that training saw.
    pub(super) widening: f64,
}

/// A layer as its prediction is found by: the bits of its row and its precision.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Key(Box<[u64]>);

impl Key {
    pub(super) fn of(layer: &LayerSpec) -> Self {
        let precision = layer.precision.map_or(0, |precision| 1 + precision as u64);
        Self(layer.stored().into_iter().map(|(_, number)| number.to_bits()).chain([precision]).collect())
    }
}

/// Predictions of one model. The cache lives as long as the model, so that it never holds another model's predictions.
#[derive(Debug, Default)]
pub(super) struct PredictionCache(RwLock<Entries>);

#[derive(Debug, Default)]
struct Entries {
    outputs: HashMap<Key, ModelOutput>,
    /// Each list of features outside the training range once: there are many layers and few lists, and dropping all
    /// entries together has to be quick.
    outside: HashSet<Arc<[String]>>,
}

impl PredictionCache {
    /// Entries kept, about 3 MB. Networks have tens of distinct layers. When the cache is full it is emptied, and layers
    /// run through the model again.
    const CAPACITY: usize = 16_384;

    pub(super) fn get(&self, keys: &[Key]) -> Vec<Option<ModelOutput>> {
        let entries = self.0.read().unwrap_or_else(PoisonError::into_inner);
        keys.iter().map(|key| entries.outputs.get(key).cloned()).collect()
    }

    pub(super) fn put(&self, fresh: &HashMap<&Key, ModelOutput>) {
        // Declared before the lock is taken, and so freed after the lock is released.
        let mut dropped = Entries::default();
        let mut entries = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if entries.outputs.len() + fresh.len() > Self::CAPACITY {
            std::mem::swap(&mut *entries, &mut dropped);
        }
        for (key, output) in fresh.iter().take(Self::CAPACITY) {
            let outside = entries.outside.get(&output.outside).unwrap_or(&output.outside).clone();
            entries.outside.insert(Arc::clone(&outside));
            entries.outputs.insert((*key).clone(), ModelOutput { outside, ..*output });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cache_keeps_few_layers_and_each_list_once() {
        let cache = PredictionCache::default();
        let list = || Arc::from([String::from("kernel_0"), String::from("macs")]);
        for batch in 0..40_u64 {
            let keys: Vec<Key> = (0..1000).map(|i| Key(Box::new([batch, i]))).collect();
            let fresh = keys
                .iter()
                .map(|key| (key, ModelOutput { value: batch as f32, outside: list(), widening: 0.0 }))
                .collect();
            cache.put(&fresh);
            let outputs = cache.get(&keys);
            assert!(outputs.iter().all(|output| output.as_ref().is_some_and(|output| output.value == batch as f32)));
            let lists: Vec<_> = outputs.into_iter().flatten().map(|output| output.outside).collect();
            assert!(lists.iter().all(|list| Arc::ptr_eq(list, &lists[0])));
            assert!(cache.0.read().expect("no panic").outputs.len() <= PredictionCache::CAPACITY);
        }
        assert!(cache.get(&[Key(Box::new([0, 0]))])[0].is_none());
    }
}
