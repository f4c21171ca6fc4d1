//! Some operators of a model as a model of their own.

use super::graph::{Graph, Model, Node, OnnxError, TensorType, read};
use shared::protobuf::Message;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

/// `TensorProto.DataType.FLOAT`.
const FLOAT: u64 = 1;

/// A part of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cut {
    /// The ONNX file.
    pub bytes: Vec<u8>,
    /// Tensors that come in, with their shapes.
    pub inputs: BTreeMap<String, Vec<u64>>,
    /// Those of them that another operator of the model computes.
    pub inner_inputs: BTreeSet<String>,
    /// Tensors that come out.
    pub outputs: BTreeSet<String>,
    /// Operators that were asked for and are in it, and constants that they need.
    pub operators: usize,
}

/// Takes operators out of a model by their names, with the weights and constants that they need. What else they read becomes an
/// input, what others read of them becomes an output. `shape` knows shapes of tensors that the model leaves open. Names that
/// are not in the model are left out: an engine's layers contain operators that the builder added.
///
/// # Errors
/// [`OnnxError`].
pub fn cut(
    model: &[u8],
    operators: &BTreeSet<String>,
    shape: &dyn Fn(&str) -> Option<Vec<u64>>,
) -> Result<Cut, OnnxError> {
    let model = read(model)?;
    let graph = &model.graph;
    let wanted: BTreeSet<usize> =
        (0..graph.nodes.len()).filter(|index| operators.contains(graph.nodes[*index].name)).collect();
    if wanted.is_empty() {
        return Err(OnnxError::NoOperator(operators.iter().cloned().collect()));
    }
    let producers: HashMap<&str, usize> = (0..)
        .zip(&graph.nodes)
        .flat_map(|(index, node)| node.outputs.iter().map(move |output| (*output, index)))
        .collect();
    let chosen = with_constants(graph, &producers, &wanted);
    if let Some(node) = chosen.iter().map(|index| &graph.nodes[*index]).find(|node| node.has_graph) {
        return Err(OnnxError::Control(node.name.to_owned()));
    }
    let nodes: Vec<&Node<'_>> = chosen.iter().map(|index| &graph.nodes[*index]).collect();
    let produced: HashSet<&str> = nodes.iter().flat_map(|node| node.outputs.iter().copied()).collect();
    let consumed: BTreeSet<&str> =
        nodes.iter().flat_map(|node| node.inputs.iter().copied()).filter(|name| !name.is_empty()).collect();
    let weights: Vec<&str> = consumed.iter().copied().filter(|name| graph.weights.contains_key(name)).collect();
    if let Some(name) = weights.iter().find(|name| graph.weights[**name].1) {
        return Err(OnnxError::External((*name).to_owned()));
    }
    let mut inputs = BTreeMap::new();
    for name in consumed.iter().filter(|name| !produced.contains(**name) && !graph.weights.contains_key(**name)) {
        let tensor = type_of(graph, name, shape);
        let dims = tensor.dims.clone().ok_or_else(|| OnnxError::Shape((*name).to_owned()))?;
        inputs.insert((*name).to_owned(), (tensor, dims));
    }
    // Read by operators that stay, or by whoever runs the model, or by nobody.
    let read_outside: HashSet<&str> = (0..)
        .zip(&graph.nodes)
        .filter(|(index, _)| !chosen.contains(index))
        .flat_map(|(_, node)| node.inputs.iter().copied())
        .chain(graph.outputs.iter().copied())
        .collect();
    let outputs: BTreeSet<&str> = wanted
        .iter()
        .flat_map(|index| graph.nodes[*index].outputs.iter().copied())
        .filter(|name| !name.is_empty() && (read_outside.contains(name) || !consumed.contains(name)))
        .collect();

    let part = nodes.iter().fold(Message::default(), |part, node| part.encoded(node.raw));
    let part = part.bytes(2, graph.name.as_bytes());
    let part = weights.iter().fold(part, |part, name| part.encoded(graph.weights[name].0));
    let part = inputs.iter().fold(part, |part, (name, (tensor, _))| part.message(11, &value(name, tensor)));
    let part = outputs.iter().fold(part, |part, name| part.message(12, &value(name, &type_of(graph, name, shape))));
    Ok(Cut {
        bytes: whole(&model, &part),
        inner_inputs: inputs.keys().filter(|name| !graph.inputs.contains(&name.as_str())).cloned().collect(),
        inputs: inputs.into_iter().map(|(name, (_, dims))| (name, dims)).collect(),
        outputs: outputs.into_iter().map(str::to_owned).collect(),
        operators: nodes.len(),
    })
}

/// The operators and, in the model's order, those before them that depend on weights and constants alone.
fn with_constants(graph: &Graph<'_>, producers: &HashMap<&str, usize>, wanted: &BTreeSet<usize>) -> BTreeSet<usize> {
    // Operators come after those whose outputs they read: one pass in the model's order knows which are constant.
    let mut constant: HashSet<&str> = graph.weights.keys().copied().collect();
    for node in &graph.nodes {
        if !node.has_graph && node.inputs.iter().all(|name| name.is_empty() || constant.contains(name)) {
            constant.extend(&node.outputs);
        }
    }
    let mut chosen = wanted.clone();
    let mut open: Vec<usize> = wanted.iter().copied().collect();
    while let Some(index) = open.pop() {
        let needed = graph.nodes[index].inputs.iter().filter(|name| constant.contains(*name));
        open.extend(needed.filter_map(|name| producers.get(name).copied()).filter(|index| chosen.insert(*index)));
    }
    chosen
}

fn type_of(graph: &Graph<'_>, name: &str, shape: &dyn Fn(&str) -> Option<Vec<u64>>) -> TensorType {
    let mut tensor = graph.values.get(name).cloned().unwrap_or_default();
    if tensor.element == 0 {
        tensor.element = FLOAT;
    }
    tensor.dims = tensor.dims.or_else(|| shape(name));
    tensor
}

/// A `ValueInfoProto`.
fn value(name: &str, tensor: &TensorType) -> Message {
    let mut kind = Message::default().number(1, tensor.element as i64);
    if let Some(dims) = &tensor.dims {
        let extent = |dim: &u64| Message::default().number(1, *dim as i64);
        kind = kind.message(2, &dims.iter().fold(Message::default(), |shape, dim| shape.message(1, &extent(dim))));
    }
    Message::default().bytes(1, name.as_bytes()).message(2, &Message::default().message(1, &kind))
}

/// A `ModelProto` with another graph.
fn whole(model: &Model<'_>, graph: &Message) -> Vec<u8> {
    let head = model.head.iter().fold(Message::default(), |head, field| head.encoded(field));
    head.message(7, graph).into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn message(fields: &[(u32, Vec<u8>)]) -> Message {
        fields.iter().fold(Message::default(), |message, (number, bytes)| message.bytes(*number, bytes))
    }

    fn node(operator: &str, name: &str, inputs: &[&str], output: &str) -> (u32, Vec<u8>) {
        let mut fields: Vec<(u32, Vec<u8>)> = inputs.iter().map(|input| (1, input.as_bytes().to_vec())).collect();
        fields.extend([(2, output.into()), (3, name.into()), (4, operator.into())]);
        (1, message(&fields).into_bytes())
    }

    fn weights(name: &str, external: bool) -> (u32, Vec<u8>) {
        let tensor = message(&[(8, name.into()), (9, vec![1, 2, 3, 4])]);
        (5, tensor.number(14, i64::from(external)).into_bytes())
    }

    fn tensor(field: u32, name: &str, dims: Option<&[u64]>) -> (u32, Vec<u8>) {
        (field, value(name, &TensorType { element: FLOAT, dims: dims.map(<[u64]>::to_vec) }).into_bytes())
    }

    /// x → conv → c → relu → r → add(r, c) → y, with a constant scale between.
    fn model(external: bool) -> Vec<u8> {
        let graph = [
            node("Constant", "two", &[], "t"),
            node("Conv", "conv", &["x", "w"], "c"),
            node("Relu", "relu", &["c"], "r"),
            node("Mul", "scale", &["r", "t"], "s"),
            node("Add", "add", &["s", "c"], "y"),
            (2, b"small".to_vec()),
            weights("w", external),
            weights("unused", false),
            tensor(11, "x", Some(&[1, 3, 8, 8])),
            tensor(13, "r", Some(&[1, 4, 8, 8])),
            tensor(13, "c", None),
            tensor(12, "y", None),
        ];
        Message::default().number(1, 8).bytes(8, &[0x10, 17]).message(7, &message(&graph)).into_bytes()
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn known(name: &str) -> Option<Vec<u64>> {
        (name == "c").then(|| vec![1, 4, 8, 8])
    }

    #[test]
    fn a_layer_comes_with_its_weights_and_constants_and_nothing_else() {
        let model = model(false);
        let conv = cut(&model, &names(&["conv", "relu", "added by the builder"]), &known).expect("cuts");
        assert_eq!(conv.inputs, BTreeMap::from([("x".to_owned(), vec![1, 3, 8, 8])]));
        // What is between them comes out too where another operator reads it.
        assert_eq!(conv.outputs, names(&["c", "r"]));
        assert_eq!(conv.operators, 2);
        let read = read(&conv.bytes).expect("is a model");
        assert_eq!(read.graph.weights.keys().copied().collect::<Vec<_>>(), ["w"]);
        assert_eq!(read.head.len(), 2);
        assert_eq!(read.graph.values["c"].dims, Some(vec![1, 4, 8, 8]));

        let scale = cut(&model, &names(&["scale"]), &known).expect("cuts");
        assert_eq!((scale.operators, scale.outputs), (2, names(&["s"])));
        assert_eq!(scale.inputs.keys().collect::<Vec<_>>(), ["r"]);
        assert_eq!((conv.inner_inputs.len(), scale.inner_inputs), (0, names(&["r"])));

        let all = cut(&model, &names(&["two", "conv", "relu", "scale", "add"]), &known).expect("cuts");
        assert_eq!((all.operators, all.outputs), (5, names(&["y"])));
    }

    #[test]
    fn what_cannot_stand_alone_is_named() {
        assert_eq!(cut(&model(true), &names(&["conv"]), &known), Err(OnnxError::External("w".into())));
        assert_eq!(cut(&model(false), &names(&["relu"]), &|_| None), Err(OnnxError::Shape("c".into())));
        let nothing = cut(&model(false), &names(&["other"]), &known);
        assert_eq!(nothing, Err(OnnxError::NoOperator(vec!["other".into()])));
        assert!(matches!(cut(b"", &names(&["conv"]), &known), Err(OnnxError::NotOnnx(_))));
        assert!(matches!(cut(b"not a model", &names(&["conv"]), &known), Err(OnnxError::NotOnnx(_))));
    }

    proptest! {
        #[test]
        fn a_damaged_model_never_makes_it_panic(at in 0_usize..400, byte: u8, length in 0_usize..400) {
            let mut bytes = model(false);
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(length.max(1));
            let _ = cut(&bytes, &names(&["conv", "relu"]), &known);
        }
    }
}
