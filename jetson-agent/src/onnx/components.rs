//! Parts of a model that have nothing to do with each other.

use super::graph::{OnnxError, read};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// The names of the operators of each part of a model that shares no tensor with the others, in the model's order. A model of several
/// layers side by side has one part for each layer. Operators without a name are left out.
///
/// # Errors
/// When it is not an ONNX model.
pub fn components(model: &[u8]) -> Result<Vec<BTreeSet<String>>, OnnxError> {
    let nodes = read(model)?.graph.nodes;
    let mut part: Vec<usize> = (0..nodes.len()).collect();
    let mut seen: HashMap<&str, usize> = HashMap::new();
    for (index, node) in nodes.iter().enumerate() {
        for tensor in node.inputs.iter().chain(&node.outputs).filter(|name| !name.is_empty()) {
            let other = *seen.entry(tensor).or_insert(index);
            let (a, b) = (root(&mut part, index), root(&mut part, other));
            // The earlier one stands for both, so that parts keep the model's order.
            part[a.max(b)] = a.min(b);
        }
    }
    let mut parts: BTreeMap<usize, BTreeSet<String>> = BTreeMap::new();
    for (index, node) in nodes.iter().enumerate() {
        let names = parts.entry(root(&mut part, index)).or_default();
        if !node.name.is_empty() {
            names.insert(node.name.to_owned());
        }
    }
    Ok(parts.into_values().filter(|names| !names.is_empty()).collect())
}

fn root(part: &mut [usize], mut index: usize) -> usize {
    while part[index] != index {
        part[index] = part[part[index]];
        index = part[index];
    }
    index
}
