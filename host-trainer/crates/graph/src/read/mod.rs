//! ONNX files: what they say, without the weights.

mod decode;
mod model;

pub(crate) use decode::decode;
pub(crate) use model::{ABSENT, Attribute, Declared, Element, Extent, Literal, Model, Node, Numbers, TensorId};
