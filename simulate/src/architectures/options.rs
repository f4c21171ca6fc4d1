//! How an engine is built.

use shared::engine::Precision;

/// How an engine is built.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Options {
    /// Images in one inference.
    pub batch: u32,
    /// Number format of weights and activations: FP32, FP16 or INT8; anything else counts as FP16.
    pub precision: Precision,
}

impl Default for Options {
    /// One image, FP16.
    fn default() -> Self {
        Self { batch: 1, precision: Precision::Fp16 }
    }
}
