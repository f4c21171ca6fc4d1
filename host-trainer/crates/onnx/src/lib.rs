//! ONNX models: written by our own graph builder, run by the embedded tract or a native ONNX Runtime.

mod build;
mod embedded;
mod rescale;
mod run;

pub use build::{GraphBuilder, INPUT, Value, integer_attribute};
pub use rescale::{Rescaling, rescale};
pub use run::{Model, OnnxError, use_native_library};
