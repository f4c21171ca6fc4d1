//! What a plan is to cover: the layers of the user's networks, weighted by the run time that they should take.

use super::members::layers;
use super::points::{Columns, Point};
use learn::features::LayerSpec;
use learn::model::Target;
use learn::predict::Models;
use shared::failure::Failure;
use std::collections::BTreeMap;

/// A rough machine, by which run time is shared out among layers where no models predict it: launch, ms; multiply-accumulates and
/// bytes per ms. Only ratios count.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Speed {
    pub(crate) launch_ms: f64,
    pub(crate) macs_per_ms: f64,
    pub(crate) bytes_per_ms: f64,
}

impl Speed {
    /// Of a processor of a desktop.
    pub(crate) const CPU: Self = Self { launch_ms: 0.01, macs_per_ms: 2e7, bytes_per_ms: 1e7 };
    /// Of an embedded GPU.
    pub(crate) const GPU: Self = Self { launch_ms: 0.01, macs_per_ms: 1e9, bytes_per_ms: 5e7 };

    /// About how long a layer takes, ms.
    pub(crate) fn time_ms(&self, layer: &LayerSpec) -> f64 {
        let work = layer.work();
        let arithmetic = work.macs.unwrap_or(0.0) / self.macs_per_ms;
        self.launch_ms + arithmetic.max(work.bytes_moved / self.bytes_per_ms)
    }
}

/// About how long each of some layers takes, ms: by models where there are any for a layer, else by the machine.
///
/// # Errors
/// A model that cannot be loaded.
pub(crate) fn times_ms(layers: &[LayerSpec], models: Option<&Models>, speed: &Speed) -> Result<Vec<f64>, Failure> {
    let own = || layers.iter().map(|layer| speed.time_ms(layer));
    let Some(models) = models else { return Ok(own().collect()) };
    let predicted = models.predict_target(Target::Runtime, &layers.iter().collect::<Vec<_>>())?;
    let predicted: Vec<Option<f64>> = predicted.into_iter().map(|one| one.map(|one| one.value)).collect();
    // Layers without a prediction are brought to the level of those with one.
    let (mut by_models, mut by_machine) = (0.0, 0.0);
    for (predicted, own) in predicted.iter().zip(own()) {
        if let Some(predicted) = predicted {
            by_models += predicted;
            by_machine += own;
        }
    }
    let factor = if by_machine > 0.0 { by_models / by_machine } else { 1.0 };
    Ok(predicted.into_iter().zip(own()).map(|(predicted, own)| predicted.unwrap_or(own * factor)).collect())
}

/// A layer that is to be covered.
#[derive(Debug, Clone)]
pub(crate) struct Goal {
    pub(crate) layer: LayerSpec,
    pub(crate) point: Point,
    pub(crate) weight: f64,
}

/// Goals of several networks, each of which counts as much as every other; equal layers are one goal.
pub(crate) fn goals<'a>(
    networks: impl Iterator<Item = (&'a [LayerSpec], Vec<f64>)>,
    weight: f64,
    columns: &Columns,
) -> Vec<Goal> {
    let mut all: Vec<Goal> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    let mut count = 0_u32;
    for (layers, times) in networks {
        let sum: f64 = times.iter().sum();
        count += 1;
        for (layer, time) in layers.iter().zip(times) {
            let share = if sum > 0.0 { time / sum } else { 0.0 };
            let place = *places.entry(format!("{layer:?}")).or_insert_with(|| {
                all.push(Goal { layer: *layer, point: columns.point(layer), weight: 0.0 });
                all.len() - 1
            });
            all[place].weight += share;
        }
    }
    all.iter_mut().for_each(|goal| goal.weight *= weight / f64::from(count.max(1)));
    all
}

/// A network of the user, read from a file.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    pub(crate) layers: Vec<LayerSpec>,
    /// Layers that launch something and have no row.
    pub(crate) without_row: usize,
}

impl Wanted {
    pub(crate) fn of(engine: &shared::engine::Engine) -> Self {
        let launching = engine.layers.iter().filter(|layer| !layer.kind.is_free()).count();
        let layers = layers(engine);
        Self { without_row: launching - layers.len(), layers }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use learn::features::{DenseShape, LayerShape};

    fn dense(input: f64) -> LayerSpec {
        LayerSpec {
            shape: LayerShape::Dense(DenseShape { batch: 1.0, input, output: 10.0, weights: None }),
            precision: None,
        }
    }

    #[test]
    fn equal_layers_are_one_goal_and_weights_are_shares_of_time() {
        let one = [dense(64.0), dense(64.0), dense(128.0)];
        let two = [dense(128.0)];
        let networks = [(&one[..], vec![1.0, 1.0, 2.0]), (&two[..], vec![7.0])];
        let found = goals(networks.into_iter(), 0.8, &Columns::all());
        let weights: Vec<f64> = found.iter().map(|goal| goal.weight).collect();
        assert_eq!(found.len(), 2);
        assert!((weights[0] - 0.2).abs() < 1e-12 && (weights[1] - 0.6).abs() < 1e-12, "{weights:?}");
    }

    #[test]
    fn times_grow_with_work() {
        let times = times_ms(&[dense(64.0), dense(1e6)], None, &Speed::CPU).expect("times");
        assert!(times[0] >= Speed::CPU.launch_ms && times[1] > times[0]);
    }
}
