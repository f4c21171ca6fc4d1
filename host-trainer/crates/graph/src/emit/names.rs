//! Names of layers, as TensorRT 10 composes them, and the nodes they came from.

use crate::fuse::{Branch, Group, Kind};
use crate::network::{Network, OpId};

/// Most nodes listed of one layer.
const NODES: usize = 1024;

/// The name of a layer.
pub(crate) fn name(network: &Network, group: &Group, number: usize) -> String {
    match group.kind {
        Kind::Kernel => kernel_name(network, group, number),
        Kind::Product => {
            let head = group.head().map_or_else(String::new, |op| one(network, op));
            format!("{head}_myl{}_{number}", group.region.unwrap_or(0))
        }
        Kind::Pointwise => nested(network, &group.ops().collect::<Vec<_>>()),
        _ => {
            let branches: Vec<String> = group.branches.iter().map(|branch| branch_name(network, branch)).collect();
            branches.join(" || ")
        }
    }
}

fn one(network: &Network, op: OpId) -> String {
    network.names(op).first().cloned().unwrap_or_default()
}

fn branch_name(network: &Network, branch: &Branch) -> String {
    let mut parts: Vec<String> = Vec::new();
    for (position, &op) in branch.ops.iter().enumerate() {
        let names = network.names(op);
        if position == 0 {
            parts.extend(quantized_weights(network, op));
            // Folded constants leave no trace in the name, as batch normalisation does not.
            parts.extend(names.first().cloned());
        } else {
            parts.extend(names);
        }
    }
    if !branch.pointwise.is_empty() {
        parts.push(nested(network, &branch.pointwise));
    }
    parts.join(" + ")
}

/// Weights that a `QuantizeLinear` prepares, and that node: TensorRT puts both in front of the convolution's name.
fn quantized_weights(network: &Network, op: OpId) -> Vec<String> {
    let Some(weights) = network.node(op).input(1) else { return Vec::new() };
    let model = network.model();
    let maker = |tensor: u32, operator: &str| {
        let node = *network.quantizers.get(&tensor)?;
        (model.nodes[node].operator == operator).then_some(node)
    };
    let quantize =
        maker(weights, "DequantizeLinear").and_then(|node| maker(model.nodes[node].input(0)?, "QuantizeLinear"));
    match quantize {
        Some(n) => {
            let weights = model.nodes[n].input(0).map_or("", |id| model.name(id)).to_owned();
            vec![weights, crate::infer::node_name(model, n)]
        }
        None => Vec::new(),
    }
}

/// `PWN(PWN(PWN(a), PWN(b)), PWN(c))`: each operator joins those before it.
fn nested(network: &Network, ops: &[OpId]) -> String {
    let names: Vec<String> = ops.iter().take(NODES).flat_map(|&op| network.names(op)).collect();
    let mut nested = String::new();
    let opened = names.len().saturating_sub(1);
    for _ in 0..opened {
        nested.push_str("PWN(");
    }
    for (position, name) in names.iter().enumerate() {
        if position > 0 {
            nested.push_str(", ");
        }
        nested.push_str("PWN(");
        nested.push_str(name);
        nested.push(')');
        if position > 0 {
            nested.push(')');
        }
    }
    nested
}

/// Operators that one name of a kernel lists.
const LETTERED: usize = 20;

/// Myelin names its kernels by the first letters of what they compute, in terms of its own operators. What a kernel is (softmax,
/// normalisation, GELU) is read off this name, so that those come first if there are too many.
fn kernel_name(network: &Network, group: &Group, number: usize) -> String {
    let all: Vec<String> = group.ops().map(|op| letters(&network.node(op).operator)).collect();
    let named = |part: &String| part.len() > 3;
    let (first, rest): (Vec<String>, Vec<String>) =
        if all.len() > LETTERED { all.into_iter().partition(named) } else { (all, Vec::new()) };
    let letters: String = first.into_iter().chain(rest).take(LETTERED).collect();
    format!("__myl_{letters}_myl{}_{number}", group.region.unwrap_or(0))
}

/// An ONNX operator as Myelin's own operators.
fn letters(operator: &str) -> String {
    match operator {
        "Softmax" | "LogSoftmax" => "MaxSubExpSumDiv".to_owned(),
        "LayerNormalization" | "RMSNormalization" | "SimplifiedLayerNormalization" => {
            "MeaSubMulMeaAddSqrDivMulAdd".to_owned()
        }
        "Gelu" => "MulErfAddMulMul".to_owned(),
        "ReduceMean" => "Mea".to_owned(),
        "ReduceSum" => "Sum".to_owned(),
        "ReduceMax" => "Max".to_owned(),
        _ => operator.chars().take(3).collect(),
    }
}

/// The nodes of a layer as TensorRT's metadata list them.
pub(crate) fn metadata(network: &Network, group: &Group) -> String {
    let names = group.ops().flat_map(|op| network.names(op)).take(NODES);
    names.map(|name| format!("[ONNX Layer: {name}]")).collect::<Vec<_>>().join("\u{1e}")
}

/// The name of a region: its first and its last node.
pub(crate) fn region_name(network: &Network, first: OpId, last: OpId) -> String {
    format!("{{ForeignNode[{}...{}]}}", one(network, first), one(network, last))
}
