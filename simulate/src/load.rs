//! What a simulated engine draws: constant power in each layer and each gap.

use super::leakage::Leakage;
use super::profiler::ProfilerModel;
use serde::{Deserialize, Serialize};
use shared::engine::{Engine, Layer};
use shared::random::Random;
use shared::units::{Millis, Watts};

/// One layer of the load.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoadLayer {
    /// Name.
    pub name: String,
    /// Mean duration.
    pub duration: Millis,
    /// What the board draws while it runs, idle power included.
    pub power: Watts,
}

/// A load. Deviations are standard deviations of a normal distribution cut off at three of them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Load {
    /// What the board draws when nothing runs.
    pub idle: Watts,
    /// What it draws while the host prepares, launches or collects an inference.
    pub host: Watts,
    /// Layers in execution order.
    pub layers: Vec<LoadLayer>,
    /// Relative deviation of each layer's duration from cycle to cycle.
    pub duration_deviation: f64,
    /// From an inference's start to its first layer.
    pub launch: Millis,
    /// Between one layer and the next; the board draws host power.
    pub layer_gap: Millis,
    /// From the last layer's end to the inference's end.
    pub collect: Millis,
    /// Between one inference's end and the next one's start.
    pub host_gap: Millis,
    /// Relative deviation of the host gap.
    pub host_gap_deviation: f64,
    /// What the board draws between one inference and the next; else host power.
    #[serde(default)]
    pub host_gap_power: Option<Watts>,
    /// How long the host waits between two inferences on top of its own gap.
    #[serde(default)]
    pub pause: Millis,
    /// What the board draws during that pause; else idle power.
    #[serde(default)]
    pub pause_power: Option<Watts>,
    /// How far a layer's power follows the one before: `power + carry_over · (power before − power)`, 0 to 1. The first layer
    /// follows the host.
    #[serde(default)]
    pub carry_over: f64,
    /// Leakage that rises with temperature.
    #[serde(default)]
    pub leakage: Option<Leakage>,
    /// Changes of the clock while inferences run.
    #[serde(default)]
    pub clock_changes: Vec<ClockChange>,
    /// How the profiler reports layers.
    #[serde(default)]
    pub profiler: ProfilerModel,
}

/// A change of the clock (DVFS) while inferences run: at the first cycle that starts after it, durations and powers change.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ClockChange {
    /// Time since the first cycle's start, warm-up included.
    pub at: Millis,
    /// The clock from then on, relative to the one that durations belong to; layers take their duration over it.
    pub speed: f64,
    /// The power above idle from then on, relative.
    pub power: f64,
}

impl Load {
    /// A load of the given layers with gaps like those seen on an Orin Nano.
    #[must_use]
    pub fn of_layers(layers: Vec<LoadLayer>) -> Self {
        Self {
            idle: Watts(4.2),
            host: Watts(5.0),
            layers,
            duration_deviation: 0.02,
            launch: Millis(0.05),
            layer_gap: Millis(0.001),
            collect: Millis(0.02),
            host_gap: Millis(0.3),
            host_gap_deviation: 0.2,
            host_gap_power: None,
            pause: Millis(0.0),
            pause_power: None,
            carry_over: 0.0,
            leakage: None,
            clock_changes: Vec::new(),
            profiler: ProfilerModel::default(),
        }
    }

    /// A load for an engine: durations from a roofline of the layer's work, powers from how far the layer is bound by
    /// arithmetic or by memory, both spread by up to a fifth so that no formula reproduces them. They are made up: they
    /// are the truth of a simulation, and no statement about a board.
    #[must_use]
    pub fn of_engine(engine: &Engine, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let layers = engine.layers.iter().map(|layer| make_up(layer, &mut random)).collect();
        Self::of_layers(layers)
    }

    /// Mean duration of an inference from start to end.
    #[must_use]
    pub fn inference(&self) -> Millis {
        let layers: Millis = self.layers.iter().map(|l| l.duration).sum();
        layers + self.launch + self.collect + self.layer_gap * self.layers.len().saturating_sub(1) as f64
    }

    /// Whether it is a load at all: what is wrong, otherwise.
    ///
    /// # Errors
    /// A sentence naming the value.
    pub fn check(&self) -> Result<(), String> {
        let sound = |value: f64| value.is_finite() && value >= 0.0;
        for layer in &self.layers {
            if !sound(layer.duration.0) || !sound(layer.power.0) {
                return Err(format!("layer `{}` needs a duration and a power of zero or more", layer.name));
            }
        }
        let numbers = [
            ("idle", self.idle.0),
            ("host", self.host.0),
            ("duration_deviation", self.duration_deviation),
            ("launch", self.launch.0),
            ("layer_gap", self.layer_gap.0),
            ("collect", self.collect.0),
            ("host_gap", self.host_gap.0),
            ("host_gap_deviation", self.host_gap_deviation),
            ("pause", self.pause.0),
            ("pause_power", self.pause_power.map_or(0.0, |power| power.0)),
            ("host_gap_power", self.host_gap_power.map_or(0.0, |power| power.0)),
        ];
        if !(0.0..=1.0).contains(&self.carry_over) {
            return Err(format!("`carry_over` is {}, it needs to be 0 to 1", self.carry_over));
        }
        for change in &self.clock_changes {
            if !(sound(change.at.0) && sound(change.power) && (0.01..=100.0).contains(&change.speed)) {
                return Err(format!(
                    "`clock_changes` has {change:?}: `speed` needs to be 0.01 to 100, the rest zero or more"
                ));
            }
        }
        if let Some(leakage) = &self.leakage {
            leakage.check()?;
        }
        self.profiler.check()?;
        match numbers.into_iter().find(|(_, value)| !sound(*value)) {
            Some((name, value)) => Err(format!("`{name}` is {value}, it needs to be zero or more")),
            None if self.inference().0 + self.host_gap.0 <= 0.0 => Err("an inference would take no time".into()),
            None => Ok(()),
        }
    }
}

fn make_up(layer: &Layer, random: &mut Random) -> LoadLayer {
    // 2 T multiply-accumulates a second and 50 GB/s: near an Orin Nano at FP16.
    let outputs: u64 = layer.outputs.iter().map(|t| t.elements()).fold(0, u64::saturating_add);
    let elements = layer.inputs.iter().map(|t| t.elements()).fold(outputs, u64::saturating_add);
    let weights = layer.weights.map_or(0, |w| w.count);
    let window: u64 = layer.kernel.iter().flatten().map(|&k| u64::from(k)).product();
    let channels = layer.inputs.first().and_then(|t| t.dims.get(1)).map_or(1, |&c| u64::try_from(c).unwrap_or(1));
    let per_output =
        if weights > 0 { window * (channels / u64::from(layer.groups.unwrap_or(1).max(1))).max(1) } else { window };
    let arithmetic = outputs as f64 * per_output as f64 / 2e12;
    let memory = (elements.saturating_add(weights)) as f64 * 2.0 / 50e9;
    let mut spread = || 0.8 + 0.4 * random.uniform();
    let (time, heat) = (spread(), spread());
    if layer.kind.is_free() {
        return LoadLayer { name: layer.name.clone(), duration: Millis(0.0), power: Watts(5.0) };
    }
    let seconds = (4e-6 + arithmetic.max(memory)) * time;
    let busy = arithmetic.max(memory) / (4e-6 + arithmetic.max(memory));
    let bound = arithmetic / (arithmetic + memory).max(f64::MIN_POSITIVE);
    LoadLayer {
        name: layer.name.clone(),
        duration: Millis(seconds * 1e3),
        power: Watts(5.0 + busy * (2.0 + 5.0 * bound) * heat),
    }
}

/// A load of two layers for tests.
#[cfg(test)]
pub(crate) fn two_layers() -> Load {
    Load::of_layers(vec![
        LoadLayer { name: "a".into(), duration: Millis(0.5), power: Watts(9.0) },
        LoadLayer { name: "b".into(), duration: Millis(0.1), power: Watts(6.0) },
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_load_that_makes_no_sense_is_named() {
        let mut load = two_layers();
        load.layers[1].power = Watts(f64::NAN);
        assert!(load.check().expect_err("must fail").contains("`b`"));
        assert!(two_layers().check().is_ok());
        let mut load = two_layers();
        load.clock_changes = vec![ClockChange { at: Millis(1.0), speed: 0.0, power: 1.0 }];
        assert!(load.check().expect_err("must fail").contains("speed"));
    }

    #[test]
    fn a_load_of_an_earlier_version_reads() {
        let mut value = serde_json::to_value(two_layers()).expect("serialises");
        for key in ["host_gap_power", "pause", "pause_power", "carry_over", "leakage", "clock_changes", "profiler"] {
            value.as_object_mut().expect("an object").remove(key);
        }
        assert_eq!(serde_json::from_value::<Load>(value).expect("reads"), two_layers());
    }
}
