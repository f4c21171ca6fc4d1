//! ONNX models: written by our own graph builder, run by ONNX Runtime's interface.

mod build;
mod run;

pub use build::{GraphBuilder, INPUT, Value, integer_attribute};
pub use run::{Backend, Model, OnnxError, use_native_library};
