//! Parts of ONNX models: the operators of one layer as a model of their own, and the windows of poolings.
//!
//! ONNX files are protocol buffers. Only the fields that say how operators are connected are read; everything else, weights
//! included, is copied as it is. Field numbers are those of `onnx.proto` (ONNX 1.16, IR version 10).

mod components;
mod cut;
mod graph;

pub use components::components;
pub use cut::{Cut, cut};
pub use graph::{OnnxError, Pooling, poolings};
