//! ONNX files: what they say, without the weights.

mod decode;
mod model;
mod wire;

pub(crate) use decode::decode;
pub(crate) use model::{ABSENT, Attribute, Declared, Element, Extent, Literal, Model, Node, Numbers, TensorId};
pub(crate) use wire::{Value, Wire, WireError};
