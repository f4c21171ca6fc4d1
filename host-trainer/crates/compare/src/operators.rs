//! Names of a model's operators, as layers list them.

use shared::engine::LayerKind;

/// Whether a name stands for something that TensorRT added, or for a constant, and not for an operator that computes.
fn is_added(name: &str) -> bool {
    const STARTS: [&str; 8] = [
        "(Unnamed Layer*",
        "unsqueeze_node_after_",
        "reshape_before_",
        "reshape_after_",
        "squeeze_after_",
        "copied_squeeze_after_",
        "__my",
        "ONNXTRT_",
    ];
    STARTS.iter().any(|start| name.starts_with(start)) || name.ends_with(".weight") || name.ends_with(".bias")
}

/// Whether an operator changes the number format alone (`QuantizeLinear`, `DequantizeLinear`, `Cast`).
fn changes_format(name: &str) -> bool {
    let last = name.rsplit('/').next().unwrap_or(name);
    last.starts_with("QuantizeLinear") || last.starts_with("DequantizeLinear")
}

/// The operators among a layer's names. Where nothing but a change of the number format is left, that stays.
pub(crate) fn operators(fused: &[String]) -> Vec<String> {
    let named = || fused.iter().map(|name| name.trim()).filter(|name| !name.is_empty() && !is_added(name));
    let computing: Vec<String> = named().filter(|name| !changes_format(name)).map(str::to_owned).collect();
    if computing.is_empty() { named().map(str::to_owned).collect() } else { computing }
}

/// Whether a layer converts a tensor's layout or number format and computes nothing that the model asks for.
pub(crate) fn is_conversion(kind: LayerKind, layer_type: &str, name: &str, operators: &[String]) -> bool {
    let only_formats = !operators.is_empty() && operators.iter().all(|name| changes_format(name));
    let copies = layer_type.to_ascii_lowercase().contains("reformat")
        || name.starts_with("Reformatting CopyNode")
        || name.starts_with("Forced Cast");
    matches!(kind, LayerKind::Reformat | LayerKind::Pointwise | LayerKind::Unknown) && (copies || only_formats)
}

/// The layer that a conversion was added for: `Reformatting CopyNode for Input Tensor 0 to X` is for X.
pub(crate) fn converted_for(name: &str) -> Option<&str> {
    let rest = name.strip_prefix("Reformatting CopyNode for ")?;
    let (_, after) = rest.split_once(" Tensor ")?;
    after.split_once(" to ").map(|(_, layer)| layer)
}

/// Whether a name is an exporter's counter (`Conv_12`), which another export of the model gives to another operator.
pub(crate) fn is_numbered(name: &str) -> bool {
    name.rsplit_once('_').is_some_and(|(operator, number)| {
        !operator.is_empty()
            && operator.bytes().all(|byte| byte.is_ascii_alphabetic())
            && !number.is_empty()
            && number.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// The first and the last operator of a region that is named by them only (`/a/Reshape.../b/Softmax`).
pub(crate) fn region(name: &str) -> Option<(&str, &str)> {
    name.split_once("...").filter(|(first, last)| !first.is_empty() && !last.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(names: &[&str]) -> Vec<String> {
        operators(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn weights_and_quantisation_are_not_operators() {
        assert_eq!(of(&["conv1.weight", "QuantizeLinear_7", "Conv_9", "Relu_10"]), ["Conv_9", "Relu_10"]);
        assert_eq!(of(&["QuantizeLinear_2"]), ["QuantizeLinear_2"]);
        assert_eq!(of(&["fc.bias", "(Unnamed Layer* 306) [Shuffle]"]), [""; 0]);
    }

    #[test]
    fn a_conversion_names_the_layer_that_it_is_for() {
        let name = "Reformatting CopyNode for Input Tensor 1 to Conv_5 + Add_6 + Relu_7";
        assert_eq!(converted_for(name), Some("Conv_5 + Add_6 + Relu_7"));
        assert_eq!(converted_for("/model.2/Split_output_0 copy"), None);
    }

    #[test]
    fn counters_are_told_from_names() {
        assert!(is_numbered("Conv_12") && is_numbered("QuantizeLinear_7"));
        assert!(!is_numbered("/layer1/conv1/Conv") && !is_numbered("conv1") && !is_numbered("Conv_a"));
        assert_eq!(region("/a/Reshape.../b/Softmax"), Some(("/a/Reshape", "/b/Softmax")));
        assert_eq!(region("/a/Conv"), None);
    }
}
