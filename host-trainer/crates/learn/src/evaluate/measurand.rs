//! The quantities that predictions are compared on.

use serde::{Deserialize, Serialize};

/// A measured quantity: a target of models, or the energy that follows from both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Measurand {
    /// Mean power, W.
    Power,
    /// Run time, ms.
    Runtime,
    /// Energy, mJ.
    Energy,
}

impl Measurand {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 3] = [Self::Power, Self::Runtime, Self::Energy];

    /// The word that tables carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Power => "power",
            Self::Runtime => "runtime",
            Self::Energy => "energy",
        }
    }
}
