//! From an ONNX graph to the layers that TensorRT would likely run, without a device.
//!
//! The file is read without its weights ([`engine_info`]), all shapes are inferred and constants folded, the operators are fused by the
//! rules of TensorRT's ONNX route, and the result is an engine info that `shared::engine` reads like one from a board.
//!
//! ```no_run
//! use std::path::Path;
//!
//! let answer = graph::engine_info(Path::new("resnet18.onnx"), &graph::Options::default())?;
//! println!("{} layers, {} multiply-accumulates", answer.engine.layers.len(), answer.macs);
//! # Ok::<(), shared::failure::Failure>(())
//! ```

mod annotate;
mod correction;
mod emit;
mod engine;
mod fuse;
mod infer;
mod network;
mod open;
mod operator;
mod options;
mod read;

pub use annotate::{Annotations, annotate};
pub use correction::{Correction, LayoutChanges, is_likely_product, may_be_product};
pub use engine::{CAVEAT, EngineFromGraph, engine_info, engine_info_of};
pub use open::{GraphOrigin, OpenedEngine, is_onnx, is_onnx_content, read_engine, read_graph};
pub use options::{Build, Options, ResidualSilu, input_shape};
