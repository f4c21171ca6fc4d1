//! Which operators TensorRT's ONNX route runs as one layer. Each rule names its evidence in `docs/onnx.md`.

mod channels;
mod convolutions;
mod group;
mod kernels;
mod pointwise;
mod regions;
mod run;

pub(crate) use convolutions::geometry_of;
pub(crate) use group::{Branch, Group, GroupId, Kind};
pub(crate) use run::{Fused, fuse};
