//! The power of each layer of an aligned run.

use shared::units::Watts;
use std::collections::HashMap;

/// The power of a layer as an aligned run gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct LayerPower {
    /// The layer's name.
    pub name: String,
    /// Which of the layers of that name it is, from 0.
    pub turn: usize,
    /// Mean power, idle power included.
    pub power: Watts,
    /// How far the power is the layer's own; may be empty.
    pub verdict: String,
}

/// The powers of layers, found by name and turn.
///
/// ```
/// use shared::units::Watts;
/// use trace::{LayerEnergies, LayerPower};
///
/// let conv = |turn, watts| LayerPower { name: "conv".into(), turn, power: Watts(watts), verdict: "measured".into() };
/// let energies: LayerEnergies = [conv(0, 6.0), conv(1, 5.0)].into_iter().collect();
/// assert_eq!(energies.of("conv", 1), Some((Watts(5.0), "measured")));
/// assert_eq!(energies.of("conv", 2), None);
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerEnergies {
    layers: HashMap<(String, usize), (Watts, String)>,
}

impl FromIterator<LayerPower> for LayerEnergies {
    fn from_iter<T: IntoIterator<Item = LayerPower>>(layers: T) -> Self {
        let entry = |layer: LayerPower| ((layer.name, layer.turn), (layer.power, layer.verdict));
        Self { layers: layers.into_iter().map(entry).collect() }
    }
}

impl LayerEnergies {
    /// The mean power of a layer, idle power included, and the verdict; `None` where the aligned run has none.
    #[must_use]
    pub fn of(&self, name: &str, turn: usize) -> Option<(Watts, &str)> {
        self.layers.get(&(name.to_owned(), turn)).map(|(power, verdict)| (*power, verdict.as_str()))
    }
}
