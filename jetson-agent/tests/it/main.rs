//! Runs the real binary, and every implementation of the two traits through one suite each.

#![allow(clippy::print_stderr)]

mod boards;
mod conformance;
mod crash;
mod experiment;
mod faults;
mod meters;
mod onnxruntime;
mod output;
#[cfg(feature = "push")]
mod push;
mod sessions;
mod support;
#[cfg(feature = "tensorrt")]
mod tensorrt;
mod trtexec;
