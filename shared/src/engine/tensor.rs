//! A tensor as an engine info describes it.

use serde::{Deserialize, Serialize};

/// The number format of a tensor or of weights.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Precision {
    /// 32-bit floating point (TF32 arithmetic included; an engine info does not tell them apart).
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 16-bit brain floating point.
    Bf16,
    /// 8-bit floating point.
    Fp8,
    /// 4-bit floating point.
    Fp4,
    /// 64-bit integer.
    Int64,
    /// 32-bit integer.
    Int32,
    /// 8-bit integer.
    Int8,
    /// 4-bit integer.
    Int4,
    /// Truth values, one byte each.
    Bool,
}

/// A tensor at a layer's input or output.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tensor {
    /// Its name; may be empty.
    pub name: String,
    /// Dimensions, outermost first (batch, channels, height, width for images); −1 is one known only at run time.
    pub dims: Vec<i64>,
    /// The memory format, in TensorRT's words ("Row major linear FP16 format"); may be empty.
    pub format: String,
    /// The number format read from those words, where they tell it.
    pub precision: Option<Precision>,
}
