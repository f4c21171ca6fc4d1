//! Writes small ONNX files, and reads the nodes of real ones, apart from the reader under test. Field numbers are those of
//! `onnx.proto`.

#![allow(dead_code)]

use std::collections::HashMap;

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn number(out: &mut Vec<u8>, field: u64, value: u64) {
    varint(out, field << 3);
    varint(out, value);
}

/// Appends a field of bytes.
pub(crate) fn bytes(out: &mut Vec<u8>, field: u64, content: &[u8]) {
    varint(out, field << 3 | 2);
    varint(out, content.len() as u64);
    out.extend_from_slice(content);
}

/// An attribute of a node.
#[derive(Debug, Clone)]
pub(crate) enum Value<'a> {
    Int(i64),
    Ints(&'a [i64]),
    Float(f32),
    Text(&'a str),
    Graph,
}

/// A model under construction.
#[derive(Debug, Default)]
pub(crate) struct Model {
    nodes: Vec<Vec<u8>>,
    initialisers: Vec<Vec<u8>>,
    inputs: Vec<Vec<u8>>,
    outputs: Vec<Vec<u8>>,
}

/// A tensor's declaration; an extent of −1 is written as the symbol `N`, one of 0 as nothing.
fn declared(name: &str, element: u64, dims: &[i64]) -> Vec<u8> {
    let mut shape = Vec::new();
    for &dim in dims {
        let mut extent = Vec::new();
        match dim {
            -1 => bytes(&mut extent, 2, b"N"),
            0 => {}
            dim => number(&mut extent, 1, dim as u64),
        }
        bytes(&mut shape, 1, &extent);
    }
    let mut tensor = Vec::new();
    number(&mut tensor, 1, element);
    bytes(&mut tensor, 2, &shape);
    let mut kind = Vec::new();
    bytes(&mut kind, 1, &tensor);
    let mut value = Vec::new();
    bytes(&mut value, 1, name.as_bytes());
    bytes(&mut value, 2, &kind);
    value
}

/// A `TensorProto`.
fn tensor(name: &str, element: u64, dims: &[i64], raw: Option<&[u8]>) -> Vec<u8> {
    let mut out = Vec::new();
    for &dim in dims {
        number(&mut out, 1, dim as u64);
    }
    number(&mut out, 2, element);
    bytes(&mut out, 8, name.as_bytes());
    if let Some(raw) = raw {
        bytes(&mut out, 9, raw);
    }
    out
}

impl Model {
    /// A model without anything.
    pub(crate) fn new() -> Self {
        Self::default()
    }

    /// A floating-point input.
    pub(crate) fn input(mut self, name: &str, dims: &[i64]) -> Self {
        self.inputs.push(declared(name, 1, dims));
        self
    }

    /// A floating-point output without a declared shape.
    pub(crate) fn output(mut self, name: &str) -> Self {
        let mut value = Vec::new();
        bytes(&mut value, 1, name.as_bytes());
        self.outputs.push(value);
        self
    }

    /// Weights of which only the shape is written.
    pub(crate) fn weights(mut self, name: &str, dims: &[i64]) -> Self {
        self.initialisers.push(tensor(name, 1, dims, None));
        self
    }

    /// Weights in another file.
    pub(crate) fn external(mut self, name: &str, dims: &[i64]) -> Self {
        let mut out = tensor(name, 1, dims, None);
        let mut entry = Vec::new();
        bytes(&mut entry, 1, b"location");
        bytes(&mut entry, 2, b"weights-that-are-missing.bin");
        bytes(&mut out, 13, &entry);
        number(&mut out, 14, 1);
        self.initialisers.push(out);
        self
    }

    /// Weights with their values, in 32-bit floating point.
    pub(crate) fn full_weights(mut self, name: &str, dims: &[i64], raw: &[u8]) -> Self {
        self.initialisers.push(tensor(name, 1, dims, Some(raw)));
        self
    }

    /// A constant of 64-bit integers.
    pub(crate) fn ints(mut self, name: &str, values: &[i64]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initialisers.push(tensor(name, 7, &[values.len() as i64], Some(&raw)));
        self
    }

    /// A constant of 32-bit floating point.
    pub(crate) fn floats(mut self, name: &str, values: &[f32]) -> Self {
        let raw: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        self.initialisers.push(tensor(name, 1, &[values.len() as i64], Some(&raw)));
        self
    }

    /// A scalar of 32-bit floating point.
    pub(crate) fn scalar(mut self, name: &str, value: f32) -> Self {
        self.initialisers.push(tensor(name, 1, &[], Some(&value.to_le_bytes())));
        self
    }

    /// A node; it is named like its first output.
    pub(crate) fn node(
        self,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Value<'_>)],
    ) -> Self {
        self.add(outputs.first().unwrap_or(&""), operator, inputs, outputs, attributes)
    }

    /// A node with one output and a name of its own.
    pub(crate) fn named(
        self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        output: &str,
        attributes: &[(&str, Value<'_>)],
    ) -> Self {
        self.add(name, operator, inputs, &[output], attributes)
    }

    fn add(
        mut self,
        name: &str,
        operator: &str,
        inputs: &[&str],
        outputs: &[&str],
        attributes: &[(&str, Value<'_>)],
    ) -> Self {
        let mut node = Vec::new();
        for input in inputs {
            bytes(&mut node, 1, input.as_bytes());
        }
        for output in outputs {
            bytes(&mut node, 2, output.as_bytes());
        }
        bytes(&mut node, 3, name.as_bytes());
        bytes(&mut node, 4, operator.as_bytes());
        for (name, value) in attributes {
            let mut attribute = Vec::new();
            bytes(&mut attribute, 1, name.as_bytes());
            match value {
                Value::Int(value) => number(&mut attribute, 3, *value as u64),
                Value::Ints(values) => {
                    for value in *values {
                        number(&mut attribute, 8, *value as u64);
                    }
                    number(&mut attribute, 20, 7);
                }
                Value::Float(value) => {
                    varint(&mut attribute, 2 << 3 | 5);
                    attribute.extend_from_slice(&value.to_le_bytes());
                }
                Value::Text(text) => bytes(&mut attribute, 4, text.as_bytes()),
                Value::Graph => bytes(&mut attribute, 6, &[]),
            }
            bytes(&mut node, 5, &attribute);
        }
        self.nodes.push(node);
        self
    }

    /// A convolution with a kernel of `kernel` × `kernel` and padding that keeps the extents; its weights are `NAME.w`.
    pub(crate) fn conv(self, input: &str, name: &str, [from, to, kernel]: [i64; 3]) -> Self {
        self.grouped(input, name, [from, to, kernel], 1, 1)
    }

    /// As [`conv`](Self::conv), with groups and a stride.
    pub(crate) fn grouped(
        self,
        input: &str,
        name: &str,
        [from, to, kernel]: [i64; 3],
        groups: i64,
        stride: i64,
    ) -> Self {
        let weights = format!("{name}.w");
        let pad = kernel / 2;
        self.weights(&weights, &[to, from / groups, kernel, kernel]).node(
            "Conv",
            &[input, &weights],
            &[name],
            &[
                ("kernel_shape", Value::Ints(&[kernel, kernel])),
                ("pads", Value::Ints(&[pad, pad, pad, pad])),
                ("strides", Value::Ints(&[stride, stride])),
                ("group", Value::Int(groups)),
            ],
        )
    }

    /// The file.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut graph = Vec::new();
        for node in &self.nodes {
            bytes(&mut graph, 1, node);
        }
        bytes(&mut graph, 2, b"test");
        for (field, messages) in [(5, &self.initialisers), (11, &self.inputs), (12, &self.outputs)] {
            for message in messages {
                bytes(&mut graph, field, message);
            }
        }
        let mut model = Vec::new();
        number(&mut model, 1, 8);
        let mut version = Vec::new();
        number(&mut version, 2, 13);
        bytes(&mut model, 8, &version);
        bytes(&mut model, 7, &graph);
        model
    }
}

fn read_varint(message: &[u8], at: &mut usize) -> u64 {
    let (mut value, mut shift) = (0, 0);
    loop {
        let byte = message[*at];
        *at += 1;
        value |= u64::from(byte & 0x7f) << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            return value;
        }
    }
}

fn fields(message: &[u8]) -> Vec<(u64, &[u8])> {
    let (mut at, mut found) = (0, Vec::new());
    while at < message.len() {
        let tag = read_varint(message, &mut at);
        let start = at;
        match tag & 7 {
            0 => {
                read_varint(message, &mut at);
                found.push((tag >> 3, &message[start..at]));
            }
            1 => at += 8,
            5 => at += 4,
            _ => {
                let length = read_varint(message, &mut at) as usize;
                found.push((tag >> 3, &message[at..at + length]));
                at += length;
            }
        }
    }
    found
}

/// Operators of a file's nodes by the nodes' names.
pub(crate) fn operators(file: &[u8]) -> HashMap<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let mut operators = HashMap::new();
    for (_, graph) in fields(file).into_iter().filter(|(field, _)| *field == 7) {
        for (_, node) in fields(graph).into_iter().filter(|(field, _)| *field == 1) {
            let find =
                |wanted| fields(node).into_iter().find(|(field, _)| *field == wanted).map(|(_, value)| text(value));
            operators.insert(find(3).unwrap_or_default(), find(4).unwrap_or_default());
        }
    }
    operators
}
