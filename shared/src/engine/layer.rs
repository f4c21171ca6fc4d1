//! An engine and its layers.

use super::kind::LayerKind;
use super::tensor::{Precision, Tensor};
use serde::{Deserialize, Serialize};

/// An engine: its layers in execution order.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Engine {
    /// Layers in execution order, of every optimisation profile.
    pub layers: Vec<Layer>,
    /// Names of the engine's input and output tensors.
    pub bindings: Vec<String>,
}

/// One extent a spatial axis, in the order of the tensor's spatial axes (height, width; depth first for 3-D).
pub type Spatial = Vec<u32>;

/// Weights of a layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weights {
    /// Their number format, where it is told.
    pub precision: Option<Precision>,
    /// How many there are.
    pub count: u64,
}

/// A bias is weights by another name.
pub type Bias = Weights;

/// One layer of an engine. What the engine info does not tell is `None` or empty.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Layer {
    /// Position in the engine, from 0. With the name it identifies the layer: names may repeat.
    pub index: usize,
    /// Name, as TensorRT wrote it.
    pub name: String,
    /// TensorRT's `LayerType` ("CaskConvolution").
    pub layer_type: String,
    /// TensorRT's `ParameterType` ("Convolution").
    pub parameter_type: Option<String>,
    /// What it computes.
    pub kind: LayerKind,
    /// Input tensors.
    pub inputs: Vec<Tensor>,
    /// Output tensors.
    pub outputs: Vec<Tensor>,
    /// Kernel extents of a convolution, window extents of a pooling.
    pub kernel: Option<Spatial>,
    /// Steps of the kernel or window.
    pub stride: Option<Spatial>,
    /// Padding before the first element of each axis.
    pub padding_before: Option<Spatial>,
    /// Padding after the last element of each axis.
    pub padding_after: Option<Spatial>,
    /// Distance between the kernel's elements.
    pub dilation: Option<Spatial>,
    /// Channel groups of a convolution.
    pub groups: Option<u32>,
    /// Output channels of a convolution (`OutMaps`).
    pub out_maps: Option<u32>,
    /// Weights.
    pub weights: Option<Weights>,
    /// Bias.
    pub bias: Option<Bias>,
    /// Whether a pooling covers its whole input.
    pub global: bool,
    /// Fused activation, in TensorRT's word, if any.
    pub activation: Option<String>,
    /// The kernel chosen: `TacticName`, else `TacticValue`.
    pub tactic: Option<String>,
    /// The operators fused into the layer, from its metadata, else from its name.
    pub fused: Vec<String>,
    /// The optimisation profile it belongs to, when the engine has several.
    pub profile: Option<usize>,
}
