//! How long items take to measure.

use super::members::Member;
use super::request::PlanRequest;
use super::targets::Speed;
use learn::features::LayerSpec;

/// Single layers in one file.
pub(crate) const LAYERS_PER_FILE: usize = 8;
/// Fewest inferences of a pass, which `jetson-agent` makes of however slow a model.
const FEWEST: f64 = 12.0;
/// Most inferences of a pass.
const MOST: u32 = 20_000;
/// Idle time of a mode, and before and after a run, where power is measured, s.
pub(crate) const IDLE_S: (f64, f64) = (30.0, 1.0);

/// What items take.
pub(crate) struct Costs {
    /// The least time of a pass, s.
    pub(crate) pass_s: f64,
    overhead_s: f64,
    idle_s: f64,
    per_file: f64,
    speed: Speed,
}

impl Costs {
    /// The costs of a plan that has so many seconds in each power mode.
    pub(crate) fn of(request: &PlanRequest<'_>, per_mode_s: f64) -> Self {
        let speed = if request.board.board() == "cpu" { Speed::CPU } else { Speed::GPU };
        // With power, several windows of a slow sensor have to fit into a pass.
        let (pass_s, idle_s, per_file) = if request.power {
            ((per_mode_s / 400.0).clamp(3.0, 10.0), 2.0 * IDLE_S.1, 1.0)
        } else {
            ((per_mode_s / 300.0).clamp(0.3, 2.0), 0.0, LAYERS_PER_FILE as f64)
        };
        Self { pass_s, overhead_s: request.overhead_s, idle_s, per_file, speed }
    }

    /// Both passes of a model whose inference takes so long, s.
    fn passes(&self, inference_ms: f64) -> f64 {
        2.0 * self.pass_s.max(FEWEST * inference_ms * 1e-3)
    }

    /// A network in a file of its own, s.
    pub(crate) fn network(&self, member: &Member) -> f64 {
        self.item(self.inference_ms(&member.layers))
    }

    /// About how long an inference takes, ms.
    pub(crate) fn inference_ms(&self, layers: &[LayerSpec]) -> f64 {
        layers.iter().map(|layer| self.speed.time_ms(layer)).sum()
    }

    /// An item whose inference takes so long, s.
    pub(crate) fn item(&self, inference_ms: f64) -> f64 {
        self.overhead_s + self.idle_s + self.passes(inference_ms)
    }

    /// Most inferences of a pass. `trtexec` reports no pace by which a pass could end, so that it gets a number that should fill one.
    pub(crate) fn inferences(&self, inference_ms: f64) -> u32 {
        ((1.5e3 * self.pass_s / inference_ms.max(1e-3)) as u32).clamp(50, MOST)
    }

    /// A layer's part of its file, s.
    pub(crate) fn layer(&self, time_ms: f64) -> f64 {
        let alone = (self.overhead_s + self.idle_s + 2.0 * self.pass_s) / self.per_file;
        alone.max(2e-3 * FEWEST * time_ms)
    }
}
