//! What is asked of a graph: precision, shapes, and choices that TensorRT's builds differ in.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// Number formats that the builder may use, as `trtexec`'s switches name them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Build {
    /// 32-bit floating point (TF32 arithmetic included).
    Fp32,
    /// `--fp16`. The default: what Jetson boards are used for.
    #[default]
    Fp16,
    /// `--bf16`.
    Bf16,
    /// `--int8`: 8-bit integers where the graph has Q/DQ nodes; in a graph without any, wherever convolutions and dense layers
    /// allow it, as with calibration.
    Int8,
    /// `--best`: 16-bit floating point, and 8-bit integers where the graph has Q/DQ nodes.
    Best,
}

impl Build {
    /// Every value.
    pub const ALL: [Self; 5] = [Self::Fp32, Self::Fp16, Self::Bf16, Self::Int8, Self::Best];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Best => "best",
        }
    }
}

impl fmt::Display for Build {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Build {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|precision| precision.name().eq_ignore_ascii_case(text));
        known.ok_or_else(|| format!("`{text}` is not a precision; known are fp32, fp16, bf16, int8 and best"))
    }
}

/// Where an addition goes that follows a SiLU in a 16-bit engine. Builds of one network differ by version and device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ResidualSilu {
    /// SiLU and addition both run inside the convolution.
    #[default]
    Fused,
    /// The convolution runs alone; SiLU and addition are one pointwise layer.
    Apart,
}

/// What is asked of a graph.
///
/// ```
/// let options = graph::Options { precision: "fp32".parse()?, ..graph::Options::default() };
/// assert_eq!(options.precision, graph::Build::Fp32);
/// # Ok::<(), String>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Options {
    /// Number formats that the builder may use.
    pub precision: Build,
    /// Shapes of inputs, by name.
    pub input_shapes: Vec<(String, Vec<i64>)>,
    /// The batch size: replaces the outermost extent of every input.
    pub batch: Option<u32>,
    /// A choice of the builder.
    pub residual_silu: ResidualSilu,
}

/// Reads `images=1x3x640x640`; the last `=` separates, since names of tensors may hold one.
///
/// ```
/// assert_eq!(graph::input_shape("images=1x3x640x640"), Ok(("images".into(), vec![1, 3, 640, 640])));
/// assert!(graph::input_shape("images=1x3x-640").is_err());
/// ```
///
/// # Errors
/// Anything else: the message says what is expected.
pub fn input_shape(text: &str) -> Result<(String, Vec<i64>), String> {
    let wrong = || format!("`{text}` is not NAME=EXTENTS, such as images=1x3x640x640");
    let (name, extents) = text.rsplit_once('=').filter(|(name, _)| !name.is_empty()).ok_or_else(wrong)?;
    let extent = |part: &str| part.trim().parse::<i64>().ok().filter(|&extent| (1..=1 << 31).contains(&extent));
    let dims: Option<Vec<i64>> = extents.split(['x', '×', ',']).map(extent).collect();
    dims.filter(|dims| dims.len() <= shared::limits::TENSOR_DIMENSIONS)
        .map(|dims| (name.to_owned(), dims))
        .ok_or_else(wrong)
}
