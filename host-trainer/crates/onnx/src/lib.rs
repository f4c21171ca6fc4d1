//! ONNX models: written by our own graph builder, run by an embedded runtime or a native ONNX Runtime.

mod build;
mod embedded;
mod error;
mod operators;
pub mod proto;
mod rescale;
mod run;
mod tensor;
mod trees;

pub use build::{GraphBuilder, INPUT, Value, integer_attribute};
pub use error::OnnxError;
pub use rescale::{Rescaling, rescale};
pub use run::{Model, use_native_library};
