//! What a simulated engine draws: constant power in each layer and each gap.

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
        ];
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

/// Constant power until an instant.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Its end, ns; it begins where the piece before it ended.
    pub end_ns: u64,
    /// What the board draws.
    pub watts: f64,
}

/// One inference, planned.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Cycle {
    /// The inference's start, ns.
    pub start_ns: u64,
    /// The inference's end, ns.
    pub end_ns: u64,
    /// Start and end of each layer, ns.
    pub layers: Vec<(u64, u64)>,
    /// What the board draws from `start_ns` to the start of the next cycle, the host gap included.
    pub pieces: Vec<Piece>,
    /// When the next cycle starts, ns.
    pub next_ns: u64,
}

impl Cycle {
    /// A layer's duration in ms.
    #[must_use]
    pub fn layer_ms(&self, index: usize) -> f64 {
        let (start, end) = self.layers[index];
        (end - start) as f64 * 1e-6
    }
}

/// Draws one cycle after the other.
#[derive(Debug, Clone)]
pub struct CyclePlanner {
    load: Load,
    random: Random,
}

impl CyclePlanner {
    /// For a load, with its randomness.
    #[must_use]
    pub fn new(load: Load, random: Random) -> Self {
        Self { load, random }
    }

    /// The load.
    #[must_use]
    pub fn load(&self) -> &Load {
        &self.load
    }

    fn spread(&mut self, relative: f64) -> f64 {
        (1.0 + relative * self.random.normal().clamp(-3.0, 3.0)).max(0.0)
    }

    /// A cycle that starts at an instant.
    pub fn next_cycle(&mut self, start_ns: u64) -> Cycle {
        let mut cycle = Cycle { start_ns, ..Cycle::default() };
        let mut now = start_ns;
        let host = self.load.host.0;
        let mut until = |pieces: &mut Vec<Piece>, ms: f64, watts: f64| {
            now += (ms * 1e6).round() as u64;
            pieces.push(Piece { end_ns: now, watts });
            now
        };
        let mut pieces = Vec::with_capacity(2 * self.load.layers.len() + 3);
        let mut at = until(&mut pieces, self.load.launch.0, host);
        for index in 0..self.load.layers.len() {
            if index > 0 {
                at = until(&mut pieces, self.load.layer_gap.0, host);
            }
            let spread = self.spread(self.load.duration_deviation);
            let layer = &self.load.layers[index];
            let end = until(&mut pieces, layer.duration.0 * spread, layer.power.0);
            cycle.layers.push((at, end));
            at = end;
        }
        cycle.end_ns = until(&mut pieces, self.load.collect.0, host);
        let gap = self.load.host_gap.0 * self.spread(self.load.host_gap_deviation);
        let next_ns = cycle.end_ns + (gap * 1e6).round() as u64;
        pieces.push(Piece { end_ns: next_ns, watts: host });
        cycle.next_ns = next_ns;
        cycle.pieces = pieces;
        cycle
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn two_layers() -> Load {
        Load::of_layers(vec![
            LoadLayer { name: "a".into(), duration: Millis(0.5), power: Watts(9.0) },
            LoadLayer { name: "b".into(), duration: Millis(0.1), power: Watts(6.0) },
        ])
    }

    #[test]
    fn a_cycle_is_covered_without_a_hole() {
        let mut planner = CyclePlanner::new(two_layers(), Random::new(3));
        let mut start = 1_000;
        for _ in 0..100 {
            let cycle = planner.next_cycle(start);
            assert!(cycle.pieces.windows(2).all(|p| p[0].end_ns <= p[1].end_ns));
            assert_eq!(cycle.pieces.last().map(|p| p.end_ns), Some(cycle.next_ns));
            assert!(cycle.layers[0].1 <= cycle.layers[1].0 && cycle.layers[1].1 <= cycle.end_ns);
            let relative = cycle.layer_ms(0) / 0.5;
            assert!((relative - 1.0).abs() < 0.0601);
            start = cycle.next_ns;
        }
    }

    #[test]
    fn a_load_that_makes_no_sense_is_named() {
        let mut load = two_layers();
        load.layers[1].power = Watts(f64::NAN);
        assert!(load.check().expect_err("must fail").contains("`b`"));
        assert!(two_layers().check().is_ok());
    }
}
