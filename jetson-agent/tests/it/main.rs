//! Runs the real binary, and every implementation of the two traits through one suite each.

mod boards;
mod campaign;
mod conformance;
mod crash;
mod design;
mod experiment;
mod faults;
mod front;
mod live;
mod measure;
mod meters;
mod onnx_file;
mod onnxruntime;
mod output;
#[cfg(feature = "push")]
mod push;
mod sensor_settings;
mod sessions;
mod support;
#[cfg(feature = "tensorrt")]
mod tensorrt;
mod terminal;
mod trtexec;
