//! A graph as fusion sees it: constants folded, operators that do nothing removed, batch normalisation and scales inside
//! the convolutions before them, Q/DQ pairs resolved.

use crate::infer::{Fact, Shaped, axis, convolution_operands, elements, geometry, node_name, product_operands};
use crate::operator::Class;
use crate::read::{ABSENT, Element, Model, Node, TensorId};
use std::collections::{HashMap, HashSet};

/// The number of an operator in a network.
pub(crate) type OpId = usize;

/// An operator that computes something.
#[derive(Debug, Clone)]
pub(crate) struct Op {
    /// The nodes it consists of; the first is what it is, the others are folded into it.
    pub(crate) nodes: Vec<usize>,
    pub(crate) class: Class,
    /// Which output of a `Split` it is.
    pub(crate) part: Option<usize>,
    /// Inputs that are no constants. A convolution's image comes first.
    pub(crate) inputs: Vec<TensorId>,
    pub(crate) outputs: Vec<TensorId>,
    /// Inputs that are constants.
    pub(crate) constants: Vec<TensorId>,
    /// Whether it computes in 8-bit integers, because Q/DQ nodes say so.
    pub(crate) is_int8: bool,
}

impl Op {
    /// Its first output.
    pub(crate) fn output(&self) -> TensorId {
        self.outputs.first().copied().unwrap_or(ABSENT)
    }
}

/// A graph as fusion sees it.
#[derive(Debug)]
pub(crate) struct Network {
    pub(crate) shaped: Shaped,
    /// Operators in an order in which inputs come first.
    pub(crate) ops: Vec<Op>,
    /// Which operator makes a tensor.
    pub(crate) producer: HashMap<TensorId, OpId>,
    /// Which operators read a tensor.
    pub(crate) readers: HashMap<TensorId, Vec<OpId>>,
    /// Outputs of the model, as the tensors that hold them here.
    pub(crate) outputs: HashSet<TensorId>,
    /// Tensors that are kept as 8-bit integers.
    pub(crate) int8: HashSet<TensorId>,
    /// Whether the graph has Q/DQ nodes.
    pub(crate) is_quantized: bool,
    /// Which Q/DQ node makes a tensor, constants included.
    pub(crate) quantizers: HashMap<TensorId, usize>,
}

impl Network {
    pub(crate) fn model(&self) -> &Model {
        &self.shaped.model
    }

    /// The first node of an operator.
    pub(crate) fn node(&self, op: OpId) -> &Node {
        &self.shaped.model.nodes[self.ops[op].nodes[0]]
    }

    /// The names of an operator's nodes.
    pub(crate) fn names(&self, op: OpId) -> Vec<String> {
        self.ops[op].nodes.iter().map(|&index| node_name(&self.shaped.model, index)).collect()
    }

    pub(crate) fn fact(&self, tensor: TensorId) -> Option<&Fact> {
        self.shaped.facts.get(tensor as usize).and_then(Option::as_ref)
    }

    /// The extents of a tensor; empty where they are not known.
    pub(crate) fn dims(&self, tensor: TensorId) -> &[i64] {
        self.fact(tensor).map_or(&[], |fact| &fact.dims)
    }

    pub(crate) fn readers(&self, tensor: TensorId) -> &[OpId] {
        self.readers.get(&tensor).map_or(&[], Vec::as_slice)
    }

    /// The one operator that reads a tensor, if there is exactly one and the tensor is not an output of the model.
    pub(crate) fn only_reader(&self, tensor: TensorId) -> Option<OpId> {
        match self.readers(tensor) {
            [reader] if !self.outputs.contains(&tensor) => Some(*reader),
            _ => None,
        }
    }
}

/// A tensor under the name of another.
struct Aliases(HashMap<TensorId, TensorId>);

impl Aliases {
    fn of(&self, tensor: TensorId) -> TensorId {
        // Targets are resolved when they are entered, so that one step is enough.
        self.0.get(&tensor).copied().unwrap_or(tensor)
    }
}

/// Builds the network of a model.
pub(crate) fn network(shaped: Shaped) -> Network {
    let mut aliases = Aliases(HashMap::new());
    let mut ops: Vec<Op> = Vec::new();
    let is_constant =
        |tensor: TensorId| shaped.facts.get(tensor as usize).and_then(Option::as_ref).is_some_and(|f| f.constant);
    let quantized = direct_readers(&shaped);
    let mut int8 = HashSet::new();
    let mut is_quantized = false;
    for &index in &shaped.order {
        let node = &shaped.model.nodes[index];
        let outputs: Vec<TensorId> = node.outputs.iter().copied().filter(|&id| id != ABSENT).collect();
        if !outputs.is_empty() && outputs.iter().all(|&id| is_constant(id)) {
            continue;
        }
        let class = class(&shaped, node);
        let (mut inputs, mut constants) = (Vec::new(), Vec::new());
        for &id in node.inputs.iter().filter(|&&id| id != ABSENT) {
            if is_constant(id) { constants.push(id) } else { inputs.push(aliases.of(id)) }
        }
        if does_nothing(&shaped, node, class) {
            let target = inputs.first().copied();
            if let (Some(target), Some(&output)) = (target, outputs.first()) {
                if matches!(class, Class::Quantize | Class::Dequantize) {
                    is_quantized = true;
                    let original = node.inputs.first().copied().unwrap_or(ABSENT);
                    if class == Class::Quantize && !quantized.absorbed(original) {
                        // The full-precision tensor is wanted too, or is an input: this conversion is a layer of its own.
                        int8.insert(output);
                        ops.push(Op {
                            nodes: vec![index],
                            class,
                            part: None,
                            inputs,
                            outputs: vec![output],
                            constants,
                            is_int8: true,
                        });
                        continue;
                    }
                    int8.insert(target);
                }
                aliases.0.insert(output, target);
                continue;
            }
        }
        let is_int8 = inputs.first().is_some_and(|input| int8.contains(input))
            && matches!(
                class,
                Class::Convolution | Class::Deconvolution | Class::Gemm | Class::MatMul | Class::Pooling
            );
        if class == Class::Split {
            for (part, &output) in node.outputs.iter().enumerate().filter(|(_, id)| **id != ABSENT) {
                ops.push(Op {
                    nodes: vec![index],
                    class,
                    part: Some(part),
                    inputs: inputs.clone(),
                    outputs: vec![output],
                    constants: constants.clone(),
                    is_int8,
                });
            }
            continue;
        }
        ops.push(Op { nodes: vec![index], class, part: None, inputs, outputs, constants, is_int8 });
    }
    let outputs: HashSet<TensorId> = shaped.model.outputs.iter().map(|output| aliases.of(output.tensor)).collect();
    let is_quantizer = |node: &Node| matches!(Class::of(node), Class::Quantize | Class::Dequantize);
    let nodes = shaped.model.nodes.iter().enumerate().filter(|(_, node)| is_quantizer(node));
    let quantizers = nodes.filter_map(|(index, node)| Some((*node.outputs.first()?, index))).collect();
    let (producer, readers) = (HashMap::new(), HashMap::new());
    let mut network = Network { shaped, ops, producer, readers, outputs, int8, is_quantized, quantizers };
    drop_unused(&mut network);
    index(&mut network);
    fold_constants(&mut network);
    network
}

/// Which tensors are read through `QuantizeLinear`, and which directly too.
struct QuantizedReads {
    direct: HashSet<TensorId>,
    inputs: HashSet<TensorId>,
}

impl QuantizedReads {
    /// Whether the layer that makes a tensor can write it as 8-bit integers.
    fn absorbed(&self, tensor: TensorId) -> bool {
        !self.direct.contains(&tensor) && !self.inputs.contains(&tensor)
    }
}

fn direct_readers(shaped: &Shaped) -> QuantizedReads {
    let mut direct = HashSet::new();
    for node in shaped.model.nodes.iter().filter(|node| node.operator != "QuantizeLinear") {
        direct.extend(node.inputs.iter().copied());
    }
    QuantizedReads { direct, inputs: shaped.inputs.iter().copied().collect() }
}

/// The class that TensorRT's network has: a mean over the image is a pooling.
fn class(shaped: &Shaped, node: &Node) -> Class {
    let class = Class::of(node);
    if class != Class::Reduce || !matches!(node.operator.as_str(), "ReduceMean" | "ReduceMax") {
        return class;
    }
    let fact = |position: usize| {
        let id = node.input(position)?;
        shaped.facts.get(id as usize)?.as_ref()
    };
    let Some(input) = fact(0).filter(|fact| fact.dims.len() == 4) else { return class };
    let axes = node.ints("axes").map(<[i64]>::to_vec).or_else(|| fact(1)?.as_ints()).unwrap_or_default();
    let mut axes: Vec<usize> = axes.iter().filter_map(|&a| axis(a, input.dims.len()).ok()).collect();
    axes.sort_unstable();
    if axes == [2, 3] { Class::Pooling } else { class }
}

/// Whether an operator leaves its first input as it is.
fn does_nothing(shaped: &Shaped, node: &Node, class: Class) -> bool {
    let fact = |id: Option<TensorId>| id.and_then(|id| shaped.facts.get(id as usize)).and_then(Option::as_ref);
    let (input, output) = (fact(node.input(0)), fact(node.outputs.first().copied()));
    let same = input.zip(output).is_some_and(|(input, output)| input.dims == output.dims);
    match class {
        Class::Alias | Class::Quantize | Class::Dequantize => true,
        Class::Cast => input.zip(output).is_some_and(|(a, b)| a.element.is_float() && b.element.is_float()),
        Class::Pad | Class::View | Class::Resize => same,
        Class::Slice => same && fact(node.input(4)).and_then(Fact::as_ints).is_none_or(|s| s.iter().all(|&s| s == 1)),
        Class::Gather => same && node.operator == "Expand",
        Class::Transpose => {
            let order = node.ints("perm").unwrap_or_default();
            !order.is_empty() && order.iter().enumerate().all(|(at, &axis)| axis == at as i64)
        }
        Class::Concat => node.inputs.len() == 1,
        Class::Pooling => {
            let over_one = input.is_some_and(|input| input.dims.iter().skip(2).all(|&extent| extent == 1));
            let is_one = input.is_some_and(|input| {
                geometry(node, input.dims.get(2..).unwrap_or_default(), None).is_ok_and(|geometry| geometry.is_one())
            });
            same && node.outputs.len() == 1 && (over_one || is_one)
        }
        _ => false,
    }
}

/// Removes operators whose results nothing needs.
fn drop_unused(network: &mut Network) {
    let mut needed = network.outputs.clone();
    let mut kept = Vec::new();
    for op in network.ops.drain(..).rev() {
        if op.outputs.iter().any(|output| needed.contains(output)) {
            needed.extend(op.inputs.iter().copied());
            kept.push(op);
        }
    }
    kept.reverse();
    network.ops = kept;
}

fn index(network: &mut Network) {
    network.producer.clear();
    network.readers.clear();
    for (id, op) in network.ops.iter().enumerate() {
        network.producer.extend(op.outputs.iter().map(|&output| (output, id)));
        for &input in &op.inputs {
            let readers = network.readers.entry(input).or_default();
            if readers.last() != Some(&id) {
                readers.push(id);
            }
        }
    }
}

/// Folds batch normalisation, scales and shifts by constants, and borders of zeros into the convolution they belong to.
fn fold_constants(network: &mut Network) {
    let mut folded = HashSet::new();
    let mut into: HashMap<TensorId, OpId> = HashMap::new();
    for id in 0..network.ops.len() {
        let op = &network.ops[id];
        if matches!(op.class, Class::Convolution | Class::Deconvolution | Class::Gemm | Class::MatMul) {
            into.insert(op.output(), id);
            continue;
        }
        let Some(&target) = op.inputs.first().and_then(|input| into.get(input)) else { continue };
        if network.only_reader(op.inputs[0]) != Some(id) || !is_foldable(network, id, target) {
            continue;
        }
        let (node, constants, output) = (op.nodes[0], op.constants.clone(), op.output());
        let old = network.ops[target].output();
        let conv = &mut network.ops[target];
        conv.nodes.push(node);
        conv.constants.extend(constants);
        conv.outputs[0] = output;
        folded.insert(id);
        into.remove(&old);
        into.insert(output, target);
    }
    let mut position = 0;
    network.ops.retain(|_| {
        position += 1;
        !folded.contains(&(position - 1))
    });
    index(network);
}

/// Whether an operator on a convolution's (or matrix product's) output only scales or shifts it by constants per channel.
fn is_foldable(network: &Network, id: OpId, target: OpId) -> bool {
    let (op, conv) = (&network.ops[id], &network.ops[target]);
    let is_image = matches!(conv.class, Class::Convolution | Class::Deconvolution);
    if op.class == Class::BatchNormalization {
        return is_image && op.inputs.len() == 1;
    }
    if op.class != Class::Elementwise || op.inputs.len() != 1 || op.constants.len() != 1 {
        return false;
    }
    let operator = network.node(id).operator.as_str();
    let is_first = network.node(id).input(0).is_some_and(|first| !op.constants.contains(&first));
    let allowed = match operator {
        "Add" | "Mul" => true,
        "Sub" | "Div" => is_first,
        _ => false,
    };
    let dims = network.dims(op.output());
    let constant = network.dims(op.constants[0]);
    if !allowed || network.dims(op.inputs[0]) != dims {
        return false;
    }
    if is_image {
        // One value, or one for each channel.
        let offset = dims.len() - constant.len().min(dims.len());
        constant.iter().enumerate().all(|(position, &extent)| extent == 1 || offset + position == 1)
    } else {
        // The bias of a product with a constant matrix.
        let is_dense = conv.class == Class::Gemm || conv.inputs.len() == 1;
        is_dense && operator == "Add" && dims.last().is_some_and(|&last| elements(constant) == last.unsigned_abs())
    }
}

/// Numbers of weights and of biases of an operator with constants.
pub(crate) fn parameters(network: &Network, id: OpId) -> (u64, u64) {
    let op = &network.ops[id];
    let node = network.node(id);
    let at = match op.class {
        Class::Convolution | Class::Deconvolution => convolution_operands(node).1,
        Class::MatMul => {
            let (left, right) = product_operands(&node.operator);
            let is_constant = |at: usize| node.input(at).is_some_and(|id| op.constants.contains(&id));
            if is_constant(right) { right } else { left }
        }
        _ => 1,
    };
    let Some(weights) = node.input(at).filter(|id| op.constants.contains(id)) else { return (0, 0) };
    let count = elements(network.dims(weights));
    let channels = match op.class {
        Class::Convolution | Class::Deconvolution => network.dims(op.output()).get(1),
        _ => network.dims(op.output()).last(),
    };
    let has_bias = node.input(2).is_some() || op.nodes.len() > 1;
    (count, if has_bias { channels.map_or(0, |&c| c.unsigned_abs()) } else { 0 })
}

/// Multiply-accumulates of an operator; none where a shape is not known.
pub(crate) fn macs(network: &Network, id: OpId) -> Option<u64> {
    let op = &network.ops[id];
    let node = network.node(id);
    let known = |tensor: TensorId| network.fact(tensor).map(|fact| fact.dims.as_slice());
    match op.class {
        Class::Convolution | Class::Deconvolution => {
            let weights = known(node.input(convolution_operands(node).1)?)?;
            let image = if op.class == Class::Convolution { op.output() } else { *op.inputs.first()? };
            let per_element = elements(weights.get(1..)?);
            Some(elements(known(image)?).saturating_mul(per_element))
        }
        Class::Gemm | Class::MatMul if node.operator != "Einsum" => {
            let left = known(node.input(product_operands(&node.operator).0)?)?;
            let turned = op.class == Class::Gemm && node.int("transA").unwrap_or(0) != 0;
            let length = if turned { *left.first()? } else { *left.last()? };
            Some(elements(known(op.output())?).saturating_mul(length.unsigned_abs()))
        }
        Class::MatMul => einsum_macs(network, node),
        Class::Attention => {
            let [query, key] = [0, 1].map(|at| node.input(at).and_then(known));
            let keys = key?.get(2)?.unsigned_abs();
            let rows = elements(query?).saturating_add(elements(known(op.output())?));
            Some(rows.saturating_mul(keys))
        }
        Class::Opaque | Class::Unknown => None,
        _ => Some(0),
    }
}

/// An Einsum multiplies once for each combination of its letters.
fn einsum_macs(network: &Network, node: &Node) -> Option<u64> {
    let terms = node.text("equation")?.split("->").next()?.replace(' ', "");
    let mut extents: HashMap<char, i64> = HashMap::new();
    for (position, term) in terms.split(',').enumerate() {
        let dims = network.fact(node.input(position)?)?.dims.as_slice();
        extents.extend(term.chars().zip(dims.iter().copied()));
    }
    Some(elements(&extents.into_values().collect::<Vec<_>>()))
}

/// Whether a number format is one that layers compute in.
pub(crate) fn is_numeric(element: Element) -> bool {
    element.is_float()
}
