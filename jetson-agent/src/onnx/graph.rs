//! How the operators of a model are connected.

use shared::protobuf::{MessageField, fields};
use std::collections::HashMap;

/// Why a model cannot be taken apart.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum OnnxError {
    /// Not an ONNX model, or a damaged one.
    #[error("is not an ONNX model: {0}")]
    NotOnnx(&'static str),
    /// None of the operators is in the model.
    #[error("has none of the operators {0:?}")]
    NoOperator(Vec<String>),
    /// An operator that contains a graph of its own.
    #[error("operator `{0}` contains a graph of its own and cannot stand alone")]
    Control(String),
    /// Weights that lie in another file.
    #[error("the weights `{0}` lie in another file; save the model with its weights inside")]
    External(String),
    /// A tensor whose shape neither the model nor the engine info says.
    #[error("the shape of `{0}` is not known; run `onnx.shape_inference` on the model")]
    Shape(String),
}

/// What is read of a `ModelProto`.
#[derive(Debug, Default)]
pub(super) struct Model<'a> {
    /// Every field but the graph, as it is.
    pub(super) head: Vec<&'a [u8]>,
    pub(super) graph: Graph<'a>,
}

/// What is read of a `GraphProto`.
#[derive(Debug, Default)]
pub(super) struct Graph<'a> {
    pub(super) name: &'a str,
    pub(super) nodes: Vec<Node<'a>>,
    /// Weights by name: all bytes of their field, and whether their values lie in another file.
    pub(super) weights: HashMap<&'a str, (&'a [u8], bool)>,
    /// Types and shapes by the tensor's name.
    pub(super) values: HashMap<&'a str, TensorType>,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
}

/// What is read of a `NodeProto`.
#[derive(Debug, Default)]
pub(super) struct Node<'a> {
    pub(super) raw: &'a [u8],
    pub(super) name: &'a str,
    pub(super) operator: &'a str,
    pub(super) inputs: Vec<&'a str>,
    pub(super) outputs: Vec<&'a str>,
    /// Whether an attribute is a graph.
    pub(super) has_graph: bool,
    /// The attribute `kernel_shape`; empty where there is none.
    pub(super) kernel: Vec<u64>,
}

/// A tensor's element type and, where every extent is a number, its shape.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct TensorType {
    pub(super) element: u64,
    pub(super) dims: Option<Vec<u64>>,
}

/// All fields of a message.
fn all<'a>(message: &'a [u8], what: &'static str) -> Result<Vec<MessageField<'a>>, OnnxError> {
    fields(message).collect::<Result<Vec<_>, _>>().map_err(|_| OnnxError::NotOnnx(what))
}

fn message<'a>(field: &MessageField<'a>, what: &'static str) -> Result<&'a [u8], OnnxError> {
    field.bytes().ok_or(OnnxError::NotOnnx(what))
}

fn text<'a>(field: &MessageField<'a>, what: &'static str) -> Result<&'a str, OnnxError> {
    field.text().ok_or(OnnxError::NotOnnx(what))
}

/// A pooling of a model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pooling {
    /// The operator's name; empty where it has none.
    pub name: String,
    /// The name of its result.
    pub output: String,
    /// Its window's extents.
    pub window: Vec<u64>,
}

/// The poolings of a model whose windows it says.
///
/// # Errors
/// When it is not an ONNX model.
pub fn poolings(model: &[u8]) -> Result<Vec<Pooling>, OnnxError> {
    let nodes = read(model)?.graph.nodes.into_iter();
    let pooling = |node: Node<'_>| Pooling {
        name: node.name.to_owned(),
        output: node.outputs.first().copied().unwrap_or("").to_owned(),
        window: node.kernel,
    };
    Ok(nodes.filter(|node| node.operator.ends_with("Pool") && !node.kernel.is_empty()).map(pooling).collect())
}

/// Reads a model.
pub(super) fn read(bytes: &[u8]) -> Result<Model<'_>, OnnxError> {
    let mut model = Model::default();
    let mut found = false;
    for field in all(bytes, "the model is damaged")? {
        if field.number == 7 {
            model.graph = graph(message(&field, "its graph is not a message")?)?;
            found = true;
        } else {
            model.head.push(field.raw);
        }
    }
    if found { Ok(model) } else { Err(OnnxError::NotOnnx("it has no graph")) }
}

fn graph(bytes: &[u8]) -> Result<Graph<'_>, OnnxError> {
    let mut graph = Graph::default();
    for field in all(bytes, "its graph is damaged")? {
        match field.number {
            1 => graph.nodes.push(node(message(&field, "an operator is not a message")?, field.raw)?),
            2 => graph.name = text(&field, "the graph's name is not a text")?,
            5 => {
                let (name, external) = weights(message(&field, "weights are not a message")?)?;
                graph.weights.insert(name, (field.raw, external));
            }
            11..=13 => {
                let (name, tensor) = value(message(&field, "a tensor is not a message")?)?;
                if let Some(tensor) = tensor {
                    graph.values.insert(name, tensor);
                }
                match field.number {
                    11 => graph.inputs.push(name),
                    12 => graph.outputs.push(name),
                    _ => {}
                }
            }
            _ => {}
        }
    }
    Ok(graph)
}

fn node<'a>(bytes: &'a [u8], raw: &'a [u8]) -> Result<Node<'a>, OnnxError> {
    let mut node = Node { raw, ..Node::default() };
    for field in all(bytes, "an operator is damaged")? {
        match field.number {
            1 => node.inputs.push(text(&field, "a tensor's name is not a text")?),
            2 => node.outputs.push(text(&field, "a tensor's name is not a text")?),
            3 => node.name = text(&field, "an operator's name is not a text")?,
            4 => node.operator = text(&field, "an operator's type is not a text")?,
            5 => {
                // Attributes 6 and 11 are a graph and a list of graphs.
                let attribute = all(message(&field, "an attribute is not a message")?, "an attribute is damaged")?;
                node.has_graph |= attribute.iter().any(|field| matches!(field.number, 6 | 11));
                if attribute.iter().any(|field| field.number == 1 && field.text() == Some("kernel_shape")) {
                    let extents = attribute.iter().filter(|field| field.number == 8).filter_map(MessageField::numbers);
                    node.kernel = extents.flatten().map(|extent| extent as u64).collect();
                }
            }
            _ => {}
        }
    }
    Ok(node)
}

/// Name of a `TensorProto`, and whether its values lie in another file.
fn weights(bytes: &[u8]) -> Result<(&str, bool), OnnxError> {
    let (mut name, mut external) = ("", false);
    for field in all(bytes, "weights are damaged")? {
        match field.number {
            8 => name = text(&field, "a tensor's name is not a text")?,
            14 => external = field.as_number() == Some(1),
            _ => {}
        }
    }
    Ok((name, external))
}

/// Name of a `ValueInfoProto`, and its type where it is a tensor.
fn value(bytes: &[u8]) -> Result<(&str, Option<TensorType>), OnnxError> {
    let (mut name, mut tensor) = ("", None);
    for field in all(bytes, "a tensor is damaged")? {
        match field.number {
            1 => name = text(&field, "a tensor's name is not a text")?,
            2 => {
                for kind in all(message(&field, "a type is not a message")?, "a type is damaged")? {
                    if kind.number == 1 {
                        tensor = Some(tensor_type(message(&kind, "a type is not a message")?)?);
                    }
                }
            }
            _ => {}
        }
    }
    Ok((name, tensor))
}

fn tensor_type(bytes: &[u8]) -> Result<TensorType, OnnxError> {
    let mut tensor = TensorType::default();
    for field in all(bytes, "a type is damaged")? {
        match field.number {
            1 => tensor.element = field.as_number().unwrap_or(0),
            2 => {
                let mut dims = Some(Vec::new());
                for dim in all(message(&field, "a shape is not a message")?, "a shape is damaged")? {
                    let extent = all(message(&dim, "an extent is not a message")?, "an extent is damaged")?;
                    // An extent with a name instead of a number is open.
                    let number = extent.iter().find(|field| field.number == 1).and_then(MessageField::as_number);
                    dims = dims.zip(number).map(|(mut dims, number)| {
                        dims.push(number);
                        dims
                    });
                }
                tensor.dims = dims;
            }
            _ => {}
        }
    }
    Ok(tensor)
}
