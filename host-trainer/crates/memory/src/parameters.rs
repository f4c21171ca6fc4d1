//! Weights, biases and constants of layers.

use shared::engine::{Layer, LayerKind, Precision};

/// The parameters of an engine's layers.
#[derive(Debug, Default)]
pub(crate) struct Parameters {
    /// Their bytes, as far as they are stated or follow from the geometry.
    pub(crate) bytes: u64,
    /// Whether any layer states anything that says how many there are.
    pub(crate) known: bool,
    /// Layers whose parameters are not known.
    pub(crate) unstated: usize,
}

impl Parameters {
    /// Sums up layers.
    pub(crate) fn of(layers: &[&Layer]) -> Self {
        let mut sum = Self::default();
        for layer in layers {
            match bytes(layer) {
                Some(bytes) => {
                    sum.bytes = sum.bytes.saturating_add(bytes);
                    sum.known |= bytes > 0 || !(layer.inputs.is_empty() && layer.outputs.is_empty());
                }
                None => sum.unstated += 1,
            }
        }
        sum
    }

    /// What is missing, for people.
    pub(crate) fn note(&self) -> Option<String> {
        match self.unstated {
            0 => None,
            1 => Some("1 layer does not state its weights; they count as nothing".to_owned()),
            n => Some(format!("{n} layers do not state their weights; they count as nothing")),
        }
    }
}

/// Bytes of a layer's parameters; none where it may have some and does not say how many.
fn bytes(layer: &Layer) -> Option<u64> {
    match layer.kind {
        LayerKind::Constant if layer.outputs.is_empty() => None,
        LayerKind::Constant => Some(layer.bytes_out()),
        kind if kind.is_opaque() && layer.weights.is_none() => None,
        kind if kind.is_convolution() && layer.weights.is_none() => {
            let weights = layer.precision().unwrap_or(Precision::Fp32).bytes(convolution_weights(layer)?);
            Some(weights.saturating_add(layer.bytes_weights()))
        }
        LayerKind::Dense if layer.weights.is_none() && layer.inputs.is_empty() => None,
        _ => Some(layer.bytes_weights()),
    }
}

/// Output channels × input channels of a group × kernel extents.
fn convolution_weights(layer: &Layer) -> Option<u64> {
    let channels = layer.input()?.channels()?;
    let outputs = layer.out_maps.map(u64::from).or_else(|| layer.output()?.channels())?;
    let groups = u64::from(layer.groups.unwrap_or(1).max(1));
    let kernel = layer.kernel.as_ref()?.iter().map(|&extent| u64::from(extent)).fold(1, u64::saturating_mul);
    Some(outputs.saturating_mul(channels.div_ceil(groups)).saturating_mul(kernel))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::engine::parse;

    fn parameters(layers: &str) -> Parameters {
        let (engine, _) = parse(format!(r#"{{"Layers": [{layers}]}}"#).as_bytes()).expect("layers");
        Parameters::of(&engine.layers.iter().collect::<Vec<_>>())
    }

    const TENSORS: &str = r#""Inputs": [{"Name": "a", "Dimensions": [1, 8, 4, 4], "Format/Datatype": "Half"}],
        "Outputs": [{"Name": "b", "Dimensions": [1, 16, 4, 4], "Format/Datatype": "Half"}]"#;

    #[test]
    fn a_convolution_that_does_not_state_its_weights_has_those_of_its_geometry() {
        let geometry = r#""Name": "c", "LayerType": "CaskConvolution", "Kernel": [3, 3], "Groups": 2"#;
        let found = parameters(&format!("{{{geometry}, {TENSORS}}}"));
        assert_eq!((found.bytes, found.unstated), (2 * 16 * 4 * 9, 0));
        let stated = parameters(&format!(r#"{{{geometry}, {TENSORS}, "Weights": {{"Type": "Int8", "Count": 100}}}}"#));
        assert_eq!(stated.bytes, 100);
    }

    #[test]
    fn an_opaque_layer_is_not_without_weights() {
        let found = parameters(&format!(r#"{{"Name": "m", "LayerType": "Myelin", {TENSORS}}}"#));
        assert_eq!((found.bytes, found.known, found.unstated), (0, false, 1));
        assert!(found.note().is_some_and(|note| note.starts_with("1 layer does not")));
    }

    #[test]
    fn a_constant_takes_its_output() {
        let found = parameters(&format!(r#"{{"Name": "k", "LayerType": "Constant", {TENSORS}}}"#));
        assert_eq!((found.bytes, found.known, found.unstated), (2 * 16 * 16, true, 0));
    }
}
