//! ONNX files written by hand.

use shared::protobuf::Message;

/// A protobuf field: a number, or bytes with their length.
pub(crate) fn number(field: u32, value: u64) -> Vec<u8> {
    Message::default().number(field, value as i64).into_bytes()
}

pub(crate) fn bytes(field: u32, content: &[u8]) -> Vec<u8> {
    Message::default().bytes(field, content).into_bytes()
}

/// An ONNX `ValueInfoProto` of floats.
pub(crate) fn value(name: &str, dims: &[u64]) -> Vec<u8> {
    let shape: Vec<u8> = dims.iter().flat_map(|dim| bytes(1, &number(1, *dim))).collect();
    let tensor = [number(1, 1), bytes(2, &shape)].concat();
    [bytes(1, name.as_bytes()), bytes(2, &bytes(1, &tensor))].concat()
}

pub(crate) fn initializer(name: &str, dims: &[u64]) -> Vec<u8> {
    let count = dims.iter().product::<u64>();
    let data: Vec<u8> = (0..count).flat_map(|i| ((i % 7) as f32 * 0.01).to_le_bytes()).collect();
    let dims: Vec<u8> = dims.iter().flat_map(|dim| number(1, *dim)).collect();
    [dims, number(2, 1), bytes(8, name.as_bytes()), bytes(9, &data)].concat()
}

pub(crate) fn integers(name: &str, values: &[u64]) -> Vec<u8> {
    let list: Vec<u8> = values.iter().flat_map(|v| number(8, *v)).collect();
    bytes(5, &[bytes(1, name.as_bytes()), list, number(20, 7)].concat())
}

pub(crate) fn node(operator: &str, name: &str, inputs: &[&str], output: &str, attributes: &[Vec<u8>]) -> Vec<u8> {
    let inputs: Vec<u8> = inputs.iter().flat_map(|input| bytes(1, input.as_bytes())).collect();
    let node = [
        inputs,
        bytes(2, output.as_bytes()),
        bytes(3, name.as_bytes()),
        bytes(4, operator.as_bytes()),
        attributes.concat(),
    ];
    bytes(1, &node.concat())
}
