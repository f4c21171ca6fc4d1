//! Weights: their number format, where they come from, and their bytes.

use shared::random::SplitMix64;
use std::io::{self, Write};

/// Number format of weights and activations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum NumberFormat {
    /// 32-bit floating point.
    #[default]
    Fp32,
    /// 16-bit floating point.
    Fp16,
    /// 8-bit integers in convolutions and dense layers, by QuantizeLinear and DequantizeLinear; 32-bit floating point elsewhere.
    Int8,
}

impl NumberFormat {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Fp32, Self::Fp16, Self::Int8];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Fp32 => "fp32",
            Self::Fp16 => "fp16",
            Self::Int8 => "int8",
        }
    }

    /// The format of activations outside quantised layers.
    pub(crate) fn element(self) -> Element {
        if self == Self::Fp16 { Element::Fp16 } else { Element::Fp32 }
    }
}

/// How the weights of layers are kept in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WeightStorage {
    /// As random numbers from a seed.
    #[default]
    Stored,
    /// As `ConstantOfShape`: the file has kilobytes, and the runtime makes the constants when it loads it. ONNX Runtime and our own
    /// reader take such files.
    Shape,
}

/// The type of a tensor's elements, by its number in `TensorProto.DataType`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Element {
    Fp32 = 1,
    Int8 = 3,
    Int64 = 7,
    Fp16 = 10,
}

impl Element {
    /// Bytes of one element.
    pub(crate) fn bytes(self) -> u64 {
        match self {
            Self::Int8 => 1,
            Self::Fp16 => 2,
            Self::Fp32 => 4,
            Self::Int64 => 8,
        }
    }

    /// Appends a number in this format.
    fn put(self, value: f64, out: &mut Vec<u8>) {
        match self {
            Self::Fp32 => out.extend_from_slice(&(value as f32).to_le_bytes()),
            Self::Fp16 => out.extend_from_slice(&half(value as f32).to_le_bytes()),
            Self::Int8 => out.push((value.round() as i8) as u8),
            Self::Int64 => out.extend_from_slice(&(value as i64).to_le_bytes()),
        }
    }

    /// The bytes of some numbers in this format.
    pub(crate) fn encode(self, values: &[f64]) -> Vec<u8> {
        let mut out = Vec::new();
        values.iter().for_each(|value| self.put(*value, &mut out));
        out
    }
}

/// A number as IEEE 754's binary16, rounded to nearest, ties to even; what is too large becomes infinite.
fn half(value: f32) -> u16 {
    let bits = value.to_bits();
    let sign = (bits >> 16 & 0x8000) as u16;
    let magnitude = value.abs();
    if !magnitude.is_finite() {
        return sign | if magnitude.is_nan() { 0x7e00 } else { 0x7c00 };
    }
    // One unit in the last place of the half is 2^(exponent - 10), and not less than 2^-24.
    let exponent = ((bits >> 23 & 0xff) as i32 - 127).max(-14);
    let units = (f64::from(magnitude) / 2_f64.powi(exponent - 10)).round_ties_even() as u32;
    // Units of 1024 and more carry the exponent: the sum takes care of a carry.
    let biased = ((exponent + 14) as u32) << 10;
    sign | (biased + units).min(0x7c00) as u16
}

/// Where a tensor's values come from.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Values {
    /// Given.
    Given(Vec<u8>),
    /// Uniform in ± `bound`, from a stream of their own.
    Random { seed: [u64; 2], bound: f64 },
}

/// A constant of a graph.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Constant {
    pub(crate) name: String,
    pub(crate) dims: Vec<u64>,
    pub(crate) element: Element,
    pub(crate) values: Values,
}

impl Constant {
    /// Number of elements.
    pub(crate) fn count(&self) -> u64 {
        self.dims.iter().product()
    }

    /// Writes the values, little-endian.
    pub(crate) fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let (seed, bound) = match &self.values {
            Values::Given(bytes) => return out.write_all(bytes),
            Values::Random { seed, bound } => (seed, bound),
        };
        let mut random = SplitMix64::keyed(seed);
        let mut block = Vec::with_capacity(1 << 16);
        for _ in 0..self.count() {
            self.element.put((2.0 * random.uniform() - 1.0) * bound, &mut block);
            if block.len() >= 1 << 16 {
                out.write_all(&block)?;
                block.clear();
            }
        }
        out.write_all(&block)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_those_of_ieee_754() {
        for (value, bits) in [
            (0.0, 0x0000),
            (-0.0, 0x8000),
            (1.0, 0x3c00),
            (-2.0, 0xc000),
            (65_504.0, 0x7bff),
            (1e6, 0x7c00),
            (0.333_251_95, 0x3555),
            (6.103_515_6e-5, 0x0400),
            (5.960_464_5e-8, 0x0001),
            // Half a unit rounds to even, and a carry moves the exponent.
            (1.000_488_3, 0x3c00),
            (1.999_9, 0x4000),
        ] {
            assert_eq!(half(value), bits, "{value}");
        }
        assert_eq!(half(f32::NAN) & 0x7c00, 0x7c00);
    }

    #[test]
    fn random_weights_are_within_their_bound_and_follow_the_seed() {
        let weights = |seed| {
            let values = Values::Random { seed: [seed, 3], bound: 0.5 };
            let constant = Constant { name: "w".into(), dims: vec![30, 1_000], element: Element::Fp32, values };
            let mut out = Vec::new();
            constant.write(&mut out).expect("memory");
            out
        };
        let bytes = weights(1);
        assert_eq!(bytes.len(), 120_000);
        let values: Vec<f32> = bytes.chunks_exact(4).map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])).collect();
        assert!(values.iter().all(|v| v.abs() <= 0.5) && values.iter().any(|v| v.abs() > 0.49));
        assert!((values.iter().sum::<f32>() / 30_000.0).abs() < 0.01);
        assert_eq!(bytes, weights(1));
        assert_ne!(bytes, weights(2));
    }
}
