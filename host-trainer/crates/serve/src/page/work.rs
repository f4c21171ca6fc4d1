//! The work of an engine's layers, in totals that say which layers they lack.

use learn::predict::{Part, Total};
use shared::engine::Layer;

/// Multiply-accumulates.
pub(super) fn macs<'a>(layers: impl Iterator<Item = &'a Layer>) -> Total<f64> {
    total(layers, |layer| layer.macs().map(|macs| macs as f64))
}

/// Weights and biases.
pub(super) fn parameters<'a>(layers: impl Iterator<Item = &'a Layer>) -> Total<f64> {
    total(layers, |layer| Some(layer.parameters() as f64).filter(|count| !is_opaque(layer) || *count > 0.0))
}

/// Bytes moved.
pub(super) fn bytes<'a>(layers: impl Iterator<Item = &'a Layer>) -> Total<f64> {
    total(layers, |layer| Some(layer.bytes_moved() as f64).filter(|_| !is_opaque(layer)))
}

/// Whether nothing is known of what a layer does inside.
fn is_opaque(layer: &Layer) -> bool {
    layer.kind.is_opaque()
}

fn total<'a>(layers: impl Iterator<Item = &'a Layer>, figure: impl Fn(&Layer) -> Option<f64>) -> Total<f64> {
    Total::of(layers.map(|layer| {
        let figure = figure(layer);
        Part { layer_type: &layer.layer_type, is_free: figure.is_some_and(|figure| figure <= 0.0), figure }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_work_of_an_opaque_layer_is_not_nothing() {
        let info = br#"{"Layers": [{"Name": "a", "LayerType": "Myelin"}, {"Name": "b", "LayerType": "Constant"}]}"#;
        let (engine, _) = shared::engine::parse(info).expect("an engine");
        for total in [macs(engine.layers.iter()), parameters(engine.layers.iter()), bytes(engine.layers.iter())] {
            assert_eq!((total.whole(), total.at_least()), (None, None), "{total:?}");
        }
    }
}
