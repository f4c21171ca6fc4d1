//! What limits on change are measured against.

use crate::network::Network;
use compare::Side;

/// Saved predictions that limits on change are measured against.
#[derive(Debug, Clone, Default)]
pub struct Baseline {
    sides: Vec<(Network, Side)>,
    is_given: bool,
}

impl Baseline {
    /// A baseline of sides.
    #[must_use]
    pub fn new(sides: Vec<Side>) -> Self {
        Self { sides: sides.into_iter().map(|side| (Network::of(&side.name), side)).collect(), is_given: true }
    }

    /// Whether there is one.
    #[must_use]
    pub fn is_given(&self) -> bool {
        self.is_given
    }

    /// The baseline of a network: of the same path, else the only one of the same name.
    pub(crate) fn of(&self, network: &Network) -> Option<&Side> {
        let same_path = self.sides.iter().find(|(own, _)| own.path == network.path);
        let mut same_name = self.sides.iter().filter(|(own, _)| own.name == network.name);
        let only = match (same_name.next(), same_name.next()) {
            (Some(only), None) => Some(only),
            _ => None,
        };
        same_path.or(only).map(|(_, side)| side)
    }
}
