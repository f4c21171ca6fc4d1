//! What is asked of a plan.

use graph::Options;
use learn::predict::Models;
use networks::WeightStorage;
use shared::device::DeviceName;
use std::path::{Path, PathBuf};

/// How items are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Strategy {
    /// Networks and layers that cover the goals best.
    #[default]
    Plan,
    /// Networks and layers at random, from the same candidates.
    Random,
    /// Layers of the grid at random, and networks only to judge the models.
    Grid,
}

impl Strategy {
    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Random => "random",
            Self::Grid => "grid",
        }
    }
}

/// What is asked of a plan.
#[derive(Debug)]
pub struct PlanRequest<'a> {
    /// The board, without a power mode. `cpu` is the processor of any machine, through ONNX Runtime.
    pub board: &'a DeviceName,
    /// Power modes to measure in; none as the board stands.
    pub modes: &'a [String],
    /// The user's networks: ONNX graphs or engine infos.
    pub networks: &'a [PathBuf],
    /// How graphs are read, and what engines are built for.
    pub options: &'a Options,
    /// How long measuring may take in all modes together, s.
    pub time_s: f64,
    /// Whether power is measured.
    pub power: bool,
    /// Training tables that are there already.
    pub have: Option<&'a Path>,
    /// Models that share out run time among layers.
    pub models: Option<&'a Models>,
    /// How items are chosen.
    pub strategy: Strategy,
    /// Where all randomness comes from.
    pub seed: u64,
    /// How files keep weights.
    pub weights: WeightStorage,
    /// What an item takes besides its passes, to build an engine above all, s.
    pub overhead_s: f64,
}
