//! What a layer has to do: multiply-accumulates, parameters, bytes.

use super::{Layer, Precision, Tensor};

impl Precision {
    /// Bits of one element.
    #[must_use]
    pub fn bits(self) -> u32 {
        match self {
            Self::Int64 => 64,
            Self::Fp32 | Self::Int32 => 32,
            Self::Fp16 | Self::Bf16 => 16,
            Self::Fp8 | Self::Int8 | Self::Bool => 8,
            Self::Fp4 | Self::Int4 => 4,
        }
    }
}

impl Tensor {
    /// Number of elements; a dimension known only at run time counts as 1. Saturates.
    #[must_use]
    pub fn elements(&self) -> u64 {
        self.dims.iter().map(|&d| u64::try_from(d).unwrap_or(1)).fold(1, u64::saturating_mul)
    }
}

impl Layer {
    /// The precision the layer computes in.
    #[must_use]
    pub fn precision(&self) -> Option<Precision> {
        self.weights.and_then(|w| w.precision).or_else(|| self.inputs.iter().find_map(|t| t.precision))
    }
}
