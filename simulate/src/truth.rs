//! What was true of a simulated run.

use super::cycle::Cycle;
use super::load::Load;
use super::passes::PassPlan;
use super::sensor::{PollModel, SensorModel};
use serde::{Deserialize, Serialize};

/// What was true of one layer in the power pass.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct LayerTruth {
    /// Position in the engine.
    pub index: usize,
    /// Name.
    pub name: String,
    /// What the board drew on average while it ran, idle power and leakage included, W.
    pub power_w: f64,
    /// Its mean duration in ms.
    pub duration_ms: f64,
    /// Its mean energy a cycle, idle power included, mJ.
    pub energy_mj: f64,
}

/// The truth of a simulated run, `truth.json`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Truth {
    /// The seed.
    pub seed: u64,
    /// Idle power of a cold board, W.
    pub idle_w: f64,
    /// Mean power of the idle time before the first cycle and after the last, W; it differs from `idle_w` by leakage.
    #[serde(default)]
    pub idle_before_w: Option<f64>,
    /// See `idle_before_w`.
    #[serde(default)]
    pub idle_after_w: Option<f64>,
    /// Power while the host works, W.
    pub host_w: f64,
    /// Layers in execution order.
    pub layers: Vec<LayerTruth>,
    /// Cycles of the power pass.
    pub cycles: u32,
    /// Energy of the power pass from its first inference's start to the end of its last host gap, idle included, mJ.
    pub energy_mj: f64,
    /// Length of the same span, ms.
    pub span_ms: f64,
    /// Mean power outside layers in the same span, W.
    #[serde(default)]
    pub outside_w: f64,
    /// The sensor.
    pub sensor: Option<SensorModel>,
    /// How it was read.
    #[serde(default)]
    pub poll: Option<PollModel>,
    /// The load with all that spoils measurements.
    #[serde(default)]
    pub load: Option<Load>,
    /// The passes.
    #[serde(default)]
    pub passes: Option<PassPlan>,
}

impl Truth {
    /// A truth with its layers named and nothing measured yet.
    #[must_use]
    pub fn of(load: &Load, sensor: Option<SensorModel>, seed: u64) -> Self {
        Self {
            seed,
            idle_w: load.idle.0,
            host_w: load.host.0,
            layers: load
                .layers
                .iter()
                .enumerate()
                .map(|(index, layer)| LayerTruth { index, name: layer.name.clone(), ..LayerTruth::default() })
                .collect(),
            sensor,
            load: Some(load.clone()),
            ..Self::default()
        }
    }

    /// Adds a cycle of the power pass; the means are sums until [`Truth::finish`].
    pub fn add_cycle(&mut self, cycle: &Cycle) {
        self.cycles += 1;
        let mut at = cycle.start_ns;
        for piece in &cycle.pieces {
            self.energy_mj += piece.watts * (piece.end_ns - at) as f64 * 1e-6;
            at = piece.end_ns;
        }
        self.span_ms += (cycle.next_ns - cycle.start_ns) as f64 * 1e-6;
        for layer in &mut self.layers {
            let ms = cycle.layer_ms(layer.index);
            layer.duration_ms += ms;
            layer.energy_mj += ms * cycle.layer_watts[layer.index];
        }
    }

    /// Turns the layers' sums into means.
    pub fn finish(&mut self) {
        let (energy_mj, ms) =
            self.layers.iter().fold((0.0, 0.0), |(mj, ms), layer| (mj + layer.energy_mj, ms + layer.duration_ms));
        self.outside_w = ratio(self.energy_mj - energy_mj, self.span_ms - ms);
        let cycles = f64::from(self.cycles.max(1));
        for layer in &mut self.layers {
            layer.power_w = ratio(layer.energy_mj, layer.duration_ms);
            layer.duration_ms /= cycles;
            layer.energy_mj /= cycles;
        }
    }
}

/// A quotient, or 0 where there is nothing to divide by: a layer that takes no time draws nothing.
fn ratio(value: f64, by: f64) -> f64 {
    if by > 0.0 { value / by } else { 0.0 }
}
