//! An ONNX file: its graph as written so far, and its bytes.

use crate::weights::{Constant, Element, Values};
use shared::protobuf::{Message, header};
use std::io::{self, Write};

/// The operator set written: old enough for TensorRT 8, new enough for quantisation by channel.
const OPSET: i64 = 13;
/// The file format that goes with it.
const IR_VERSION: i64 = 7;
/// `GraphProto.initializer`.
const INITIALISER: u32 = 5;
/// `TensorProto.raw_data`.
const RAW_DATA: u32 = 9;
/// `ModelProto.graph`.
const GRAPH: u32 = 7;

/// An attribute of an operator.
#[derive(Debug, Clone)]
pub(crate) enum Attribute<'a> {
    Int(i64),
    Ints(Vec<i64>),
    Float(f32),
    Text(&'a str),
    /// A tensor of one element.
    Scalar(Element, f64),
}

/// An ONNX file with a graph whose weights come from a seed. They are made while it is written, so that memory does not grow with
/// them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct OnnxFile {
    name: String,
    nodes: Vec<Message>,
    constants: Vec<Constant>,
    inputs: Vec<Message>,
    outputs: Vec<Message>,
    /// Weights that are made by operators, in elements.
    unstored: u64,
}

impl OnnxFile {
    pub(crate) fn new(name: &str) -> Self {
        Self { name: name.to_owned(), ..Self::default() }
    }

    pub(crate) fn add_input(&mut self, name: &str, dims: &[u64], element: Element) {
        self.inputs.push(declared(name, dims, element));
    }

    pub(crate) fn add_output(&mut self, name: &str, dims: &[u64], element: Element) {
        self.outputs.push(declared(name, dims, element));
    }

    pub(crate) fn add_constant(&mut self, constant: Constant) {
        self.constants.push(constant);
    }

    /// Counts weights that an operator makes.
    pub(crate) fn count_unstored(&mut self, elements: u64) {
        self.unstored += elements;
    }

    pub(crate) fn add_node(
        &mut self,
        operator: &str,
        name: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Attribute<'_>)],
    ) {
        let mut node = Message::default();
        for input in inputs {
            node = node.bytes(1, input.as_bytes());
        }
        for output in outputs {
            node = node.bytes(2, output.as_bytes());
        }
        node = node.text(3, name).text(4, operator);
        for (name, value) in attributes {
            node = node.message(5, &attribute(name, value));
        }
        self.nodes.push(node);
    }

    /// Weights, biases included, in elements; shapes, scales and other constants left out.
    #[must_use]
    pub fn parameters(&self) -> u64 {
        let random = self.constants.iter().filter(|constant| matches!(constant.values, Values::Random { .. }));
        self.unstored + random.map(Constant::count).sum::<u64>()
    }

    /// Size of the file in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        let head = self.head().content().len() as u64;
        let graph = self.graph_size();
        head + header(GRAPH, graph).len() as u64 + graph
    }

    /// Writes the file.
    ///
    /// # Errors
    /// Those of the writer.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        out.write_all(self.head().content())?;
        out.write_all(&header(GRAPH, self.graph_size()))?;
        out.write_all(self.graph_head().content())?;
        for constant in &self.constants {
            let (start, values) = (start_of(constant), constant.count() * constant.element.bytes());
            out.write_all(&header(INITIALISER, start.content().len() as u64 + raw_size(values)))?;
            out.write_all(start.content())?;
            out.write_all(&header(RAW_DATA, values))?;
            constant.write(out)?;
        }
        Ok(())
    }

    /// The file's bytes, for files that are small.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        // Writing to memory does not fail.
        let _ = self.write(&mut out);
        out
    }

    /// All of the model but its graph.
    fn head(&self) -> Message {
        Message::default()
            .number(1, IR_VERSION)
            .text(2, "host-trainer")
            .text(3, env!("CARGO_PKG_VERSION"))
            .message(8, &Message::default().number(2, OPSET))
    }

    /// All of the graph but its constants.
    fn graph_head(&self) -> Message {
        let mut graph = Message::default();
        for node in &self.nodes {
            graph = graph.message(1, node);
        }
        graph = graph.text(2, &self.name);
        for input in &self.inputs {
            graph = graph.message(11, input);
        }
        for output in &self.outputs {
            graph = graph.message(12, output);
        }
        graph
    }

    fn graph_size(&self) -> u64 {
        let constants = self.constants.iter().map(|constant| {
            let size =
                start_of(constant).content().len() as u64 + raw_size(constant.count() * constant.element.bytes());
            header(INITIALISER, size).len() as u64 + size
        });
        self.graph_head().content().len() as u64 + constants.sum::<u64>()
    }
}

/// A tensor up to its values.
fn start_of(constant: &Constant) -> Message {
    let dims = constant.dims.iter().fold(Message::default(), |message, dim| message.number(1, *dim as i64));
    dims.number(2, constant.element as i64).text(8, &constant.name)
}

fn raw_size(values: u64) -> u64 {
    header(RAW_DATA, values).len() as u64 + values
}

/// A `ValueInfoProto`.
fn declared(name: &str, dims: &[u64], element: Element) -> Message {
    let extent = |dim: &u64| Message::default().number(1, *dim as i64);
    let shape = dims.iter().fold(Message::default(), |shape, dim| shape.message(1, &extent(dim)));
    let tensor = Message::default().number(1, element as i64).message(2, &shape);
    Message::default().text(1, name).message(2, &Message::default().message(1, &tensor))
}

/// An `AttributeProto`.
fn attribute(name: &str, value: &Attribute<'_>) -> Message {
    let message = Message::default().text(1, name);
    match value {
        Attribute::Float(value) => message.float(2, *value).number(20, 1),
        Attribute::Int(value) => message.number(3, *value).number(20, 2),
        Attribute::Text(value) => message.bytes(4, value.as_bytes()).number(20, 3),
        Attribute::Scalar(element, value) => {
            let tensor =
                Message::default().number(1, 1).number(2, *element as i64).bytes(RAW_DATA, &element.encode(&[*value]));
            message.message(5, &tensor).number(20, 4)
        }
        Attribute::Ints(values) => {
            values.iter().fold(message, |message, value| message.number(8, *value)).number(20, 7)
        }
    }
}
