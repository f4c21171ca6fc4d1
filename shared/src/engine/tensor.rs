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
    /// 8-bit integer without a sign; an engine's inputs and outputs only.
    Uint8,
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

impl Precision {
    /// The name that files, options and tables have.
    ///
    /// ```
    /// assert_eq!(shared::engine::Precision::Bf16.name(), "bf16");
    /// ```
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Bf16 => "bf16",
            Self::Fp8 => "fp8",
            Self::Fp4 => "fp4",
            Self::Int64 => "int64",
            Self::Int32 => "int32",
            Self::Int8 => "int8",
            Self::Uint8 => "uint8",
            Self::Int4 => "int4",
            Self::Bool => "bool",
        }
    }

    /// The number format in any of TensorRT's wordings: "Half", "Row major linear FP16 format", "Channel major FP16 format
    /// where channel % 8 == 0", "Thirty-two wide channel vectorized row major Int8 format", "BFloat16", …
    #[must_use]
    pub fn from_words(words: &str) -> Option<Self> {
        words.as_bytes().split(|byte| !byte.is_ascii_alphanumeric()).find_map(Self::from_word)
    }

    fn from_word(word: &[u8]) -> Option<Self> {
        // No name is longer; every tensor of every layer has several words.
        let mut lower = [0; 8];
        let lower = lower.get_mut(..word.len())?;
        lower.copy_from_slice(word);
        lower.make_ascii_lowercase();
        match &*lower {
            b"float" | b"fp32" | b"float32" | b"f32" | b"tf32" => Some(Self::Fp32),
            b"half" | b"fp16" | b"float16" | b"f16" => Some(Self::Fp16),
            b"bf16" | b"bfloat16" | b"bfloat" => Some(Self::Bf16),
            b"fp8" | b"float8" | b"e4m3" | b"e5m2" | b"fp8e4m3" | b"fp8e5m2" => Some(Self::Fp8),
            b"fp4" | b"float4" | b"e2m1" | b"fp4e2m1" => Some(Self::Fp4),
            b"int64" | b"i64" => Some(Self::Int64),
            b"int32" | b"i32" => Some(Self::Int32),
            b"int8" | b"i8" => Some(Self::Int8),
            b"uint8" | b"u8" => Some(Self::Uint8),
            b"int4" | b"i4" => Some(Self::Int4),
            b"bool" | b"boolean" => Some(Self::Bool),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_wording_of_a_number_format_is_read() {
        for (words, precision) in [
            ("Float", Precision::Fp32),
            ("Row major linear FP32", Precision::Fp32),
            ("Half", Precision::Fp16),
            ("Row major linear FP16 format", Precision::Fp16),
            ("Channel major FP16 format where channel % 8 == 0", Precision::Fp16),
            ("Two wide channel vectorized row major FP16 format", Precision::Fp16),
            ("Thirty-two wide channel vectorized row major Int8 format", Precision::Int8),
            ("Row major Int8 format", Precision::Int8),
            ("Row major linear BFloat16 format", Precision::Bf16),
            ("FP8", Precision::Fp8),
            ("Int64", Precision::Int64),
            ("Int32", Precision::Int32),
            ("UInt8", Precision::Uint8),
            ("Row major linear BOOL", Precision::Bool),
            ("Int4", Precision::Int4),
        ] {
            assert_eq!(Precision::from_words(words), Some(precision), "{words}");
        }
        assert_eq!(Precision::from_words("N/A due to dynamic shapes"), None);
        assert_eq!(Precision::from_words(""), None);
    }
}
