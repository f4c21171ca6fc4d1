//! The model kinds, each a [`Recipe`], and the choice between them by name.

mod auto;
mod blend;
mod hybrid;
mod lasso;
mod mlp;
mod physics;

pub use auto::AutoRecipe;
pub use blend::BlendRecipe;
pub use hybrid::HybridRecipe;
pub use lasso::LassoRecipe;
pub use mlp::MlpRecipe;
pub use physics::PhysicsRecipe;

use super::plan::Plan;
use crate::model::{Recipe, Sums};
use estimators::FitError;
use estimators::fold_hashes;
use estimators::lasso::Folds;
use serde::{Deserialize, Serialize};
use shared::near::near;

/// Folds within the training data.
const INNER_FOLDS: usize = 5;

/// Folds by which something is chosen within the training data, cut by network, of a single network by sum; none of too few.
fn inner_folds(sums: &Sums) -> Result<Option<Folds>, FitError> {
    let networks = sums.network_count();
    let folds = INNER_FOLDS.min(if networks >= 2 { networks } else { sums.len() });
    if folds < 2 {
        return Ok(None);
    }
    let single: Vec<usize> = (0..sums.len()).collect();
    let labels = fold_hashes(if networks >= 2 { &sums.networks } else { &single });
    Folds::grouped(&labels, folds).map(Some).map_err(|e| FitError::Failed(e.to_string()))
}

/// The model kinds by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Polynomial of the layer's sizes, thinned by the Lasso; the reference's.
    #[default]
    Lasso,
    /// Non-negative costs of launch, arithmetic and bytes; learns from layers, networks' totals, or both.
    Physics,
    /// Physics times a small boosted residual; learns from the same.
    Hybrid,
    /// A multi-layer perceptron over sizes and work; learns from layers.
    Mlp,
    /// The geometric mean of hybrid and perceptron; learns from layers.
    Blend,
    /// Whichever of them does best on held-out networks, model by model, the simplest where it hardly matters.
    Auto,
}

impl Kind {
    /// All kinds, in the order that help texts list them.
    pub const ALL: &[Self] = &[Self::Lasso, Self::Physics, Self::Hybrid, Self::Mlp, Self::Blend, Self::Auto];

    /// The name that the command line, plans and cards have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Lasso => "lasso",
            Self::Physics => "physics",
            Self::Hybrid => "hybrid",
            Self::Mlp => "mlp",
            Self::Blend => "blend",
            Self::Auto => "auto",
        }
    }

    /// What it is, in a line for people.
    #[must_use]
    pub fn description(self) -> &'static str {
        match self {
            Self::Lasso => "Polynomial of the layer's sizes, thinned by the Lasso; the reference's",
            Self::Physics => {
                "Non-negative costs of launch, arithmetic and bytes; learns from layers, networks' totals, or both"
            }
            Self::Hybrid => "Physics times a small boosted residual; learns from the same",
            Self::Mlp => "A multi-layer perceptron over sizes and work; learns from layers",
            Self::Blend => "The geometric mean of hybrid and perceptron; learns from layers",
            Self::Auto => {
                "Whichever of them does best on held-out networks, model by model, the simplest where it hardly matters"
            }
        }
    }

    /// The recipe of a kind, with a plan's options.
    #[must_use]
    pub fn recipe(self, plan: &Plan) -> Box<dyn Recipe> {
        match self {
            Self::Lasso => Box::new(LassoRecipe::new(plan.clone())),
            Self::Physics => Box::new(PhysicsRecipe),
            Self::Hybrid => Box::new(HybridRecipe::new(plan.hybrid.clone())),
            Self::Mlp => Box::new(MlpRecipe::new(plan.mlp.clone())),
            Self::Blend => Box::new(BlendRecipe::new(plan)),
            Self::Auto => Box::new(AutoRecipe::new(plan)),
        }
    }
}

impl std::str::FromStr for Kind {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        Self::ALL.iter().copied().find(|kind| kind.name() == name).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|kind| kind.name()).collect();
            format!("no model kind `{name}`{}", near(name, &known))
        })
    }
}
