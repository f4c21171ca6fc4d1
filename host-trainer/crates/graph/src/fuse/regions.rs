//! Regions that TensorRT 10 hands to Myelin: attention, transformer blocks, and what decodes and sorts detections.
//! Rules 12, 13 and 14.

use crate::network::{Network, OpId};
use crate::operator::Class;
use std::collections::HashMap;

/// The region of each operator; none for those outside.
pub(crate) fn regions(network: &Network) -> Vec<Option<usize>> {
    let count = network.ops.len();
    let inside: Vec<bool> = (0..count).map(|op| can_be_inside(network, op)).collect();
    let level = levels(network, &inside);
    // Neighbours on one level are together.
    let mut parent: Vec<usize> = (0..count).collect();
    for op in (0..count).filter(|&op| inside[op]) {
        for &reader in network.ops[op].outputs.iter().flat_map(|&output| network.readers(output)) {
            if inside[reader] && level[op] == level[reader] {
                let (a, b) = (root(&mut parent, op), root(&mut parent, reader));
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    let mut seeded: HashMap<usize, usize> = HashMap::new();
    for op in (0..count).filter(|&op| inside[op] && is_seed(network, op)) {
        let root = root(&mut parent, op);
        let next = seeded.len();
        seeded.entry(root).or_insert(next);
    }
    (0..count).map(|op| if inside[op] { seeded.get(&root(&mut parent, op)).copied() } else { None }).collect()
}

fn root(parent: &mut [usize], mut op: usize) -> usize {
    while parent[op] != op {
        parent[op] = parent[parent[op]];
        op = parent[op];
    }
    op
}

/// For each operator, how many layers outside regions stand at most between it and the end, counted so that what leaves a
/// region and comes back is on a higher level than what it comes back to. One level is therefore free of circles, and an
/// operator that could belong to two regions belongs to the later one: the addition behind an attention's positional convolution
/// lies in the attention, the slice before that convolution does not.
fn levels(network: &Network, inside: &[bool]) -> Vec<u32> {
    let mut level = vec![0_u32; network.ops.len()];
    for op in (0..network.ops.len()).rev() {
        let readers = network.ops[op].outputs.iter().flat_map(|&output| network.readers(output));
        let highest = readers.map(|&reader| if inside[reader] { level[reader] } else { level[reader] + 1 }).max();
        level[op] = highest.unwrap_or(0);
    }
    level
}

/// Whether a matrix product has a constant operand and one row for each image, as a classifier's has.
pub(crate) fn is_dense(network: &Network, op: OpId) -> bool {
    let operator = &network.ops[op];
    match operator.class {
        Class::Gemm | Class::MatMul => {
            let dims = network.dims(operator.output());
            let batch =
                network.shaped.inputs.first().and_then(|&input| network.dims(input).first()).copied().unwrap_or(1);
            operator.inputs.len() == 1
                && dims.len() <= 2
                && dims.first().is_none_or(|&rows| dims.len() < 2 || rows == batch)
        }
        _ => false,
    }
}

fn can_be_inside(network: &Network, op: OpId) -> bool {
    let class = network.ops[op].class;
    match class {
        Class::MatMul | Class::Gemm => !is_dense(network, op),
        _ if class.is_pointwise() => !follows_convolution(network, op),
        Class::Softmax
        | Class::Reduce
        | Class::Concat
        | Class::Split
        | Class::Slice
        | Class::View
        | Class::Transpose
        | Class::Gather
        | Class::Select
        | Class::Cast
        | Class::Constant => true,
        Class::Normalization => matches!(
            network.node(op).operator.as_str(),
            "LayerNormalization" | "RMSNormalization" | "SimplifiedLayerNormalization"
        ),
        Class::Pad => network.dims(network.ops[op].output()).len() != 4 || !reads_convolution(network, op),
        _ => false,
    }
}

fn reads_convolution(network: &Network, op: OpId) -> bool {
    let makers = network.ops[op].inputs.iter().filter_map(|input| network.producer.get(input));
    let mut classes = makers.map(|&maker| network.ops[maker].class);
    classes.any(|class| matches!(class, Class::Convolution | Class::Deconvolution))
}

/// Whether an operator is the activation of the convolution (or dense layer) before it: `Relu`, or `Sigmoid` and `Mul`.
fn follows_convolution(network: &Network, op: OpId) -> bool {
    let is_convolution = |tensor: &u32| {
        network.producer.get(tensor).is_some_and(|&maker| {
            matches!(network.ops[maker].class, Class::Convolution | Class::Deconvolution) || is_dense(network, maker)
        })
    };
    let operator = &network.ops[op];
    let Some(first) = operator.inputs.first() else { return false };
    match operator.class {
        Class::Unary => {
            let readers = network.readers(*first);
            let is_gate = readers.len() == 2 && gate(network, op).is_some_and(|mul| readers.contains(&mul));
            // A plain Sigmoid, Exp or Softplus on a convolution's output is part of decoding.
            let is_activation = matches!(
                network.node(op).operator.as_str(),
                "Relu" | "Clip" | "LeakyRelu" | "HardSwish" | "Silu" | "Swish" | "Mish"
            );
            is_convolution(first) && (is_gate || readers.len() == 1 && is_activation)
        }
        Class::Elementwise if network.node(op).operator == "Mul" => operator.inputs.iter().any(|input| {
            network.producer.get(input).is_some_and(|&maker| gate(network, maker) == Some(op))
                && operator.inputs.iter().any(&is_convolution)
        }),
        _ => false,
    }
}

/// The multiplication that an operator's result gates its own input with, as in SiLU.
fn gate(network: &Network, op: OpId) -> Option<OpId> {
    let operator = &network.ops[op];
    if operator.class != Class::Unary {
        return None;
    }
    let mul = network.only_reader(operator.output())?;
    let is_gate = network.node(mul).operator == "Mul"
        && network.ops[mul].inputs.len() == 2
        && operator.inputs.first().is_some_and(|i| network.ops[mul].inputs.contains(i));
    is_gate.then_some(mul)
}

/// What makes TensorRT call Myelin.
fn is_seed(network: &Network, op: OpId) -> bool {
    match network.ops[op].class {
        Class::MatMul | Class::Gemm | Class::Select | Class::Normalization => true,
        Class::Gather => {
            !matches!(network.node(op).operator.as_str(), "Expand" | "Tile") && network.ops[op].inputs.len() > 1
        }
        Class::Unary => network.node(op).operator == "Erf",
        _ => false,
    }
}
