//! Bytes of a tensor in its memory format.

use shared::engine::{Precision, Tensor};

/// Alignment of a tensor in device memory, in bytes: that which TensorRT asks of an engine's inputs and outputs.
const ALIGNMENT: u64 = 256;

/// The number that channels are padded to a multiple of, in a format's words ("where channel % 8 == 0", "Thirty-two wide
/// channel vectorized row major Int8 format"); 1 where they say nothing.
fn channel_multiple(format: &str) -> u64 {
    if let Some((_, rest)) = format.split_once("channel % ") {
        let digits: String = rest.chars().take_while(char::is_ascii_digit).take(4).collect();
        return digits.parse().ok().filter(|&n| n > 0).unwrap_or(1);
    }
    let words = ["Two", "Four", "Eight", "Sixteen", "Thirty-two"];
    let width = words.iter().position(|word| {
        format.strip_prefix(word).is_some_and(|rest| rest.trim_start().starts_with("wide channel vectorized"))
    });
    width.map_or(1, |power| 2 << power)
}

/// Bytes of a tensor's elements; an unknown number format counts as that of the layer.
pub(crate) fn bytes(tensor: &Tensor, layer: Option<Precision>) -> u64 {
    tensor.precision.or(layer).unwrap_or(Precision::Fp32).bytes(tensor.elements())
}

/// Bytes that a tensor takes with its channels padded and its end aligned.
pub(crate) fn padded_bytes(tensor: &Tensor, layer: Option<Precision>) -> u64 {
    let plain = bytes(tensor, layer);
    let multiple = channel_multiple(&tensor.format);
    let padded = match tensor.channels() {
        Some(channels) if multiple > 1 && channels > 0 && tensor.dims.len() > 2 => {
            let ratio = channels.div_ceil(multiple).saturating_mul(multiple);
            u64::try_from(u128::from(plain) * u128::from(ratio) / u128::from(channels)).unwrap_or(u64::MAX)
        }
        _ => plain,
    };
    padded.div_ceil(ALIGNMENT).saturating_mul(ALIGNMENT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_format_tells_how_channels_are_padded() {
        for (format, multiple) in [
            ("Channel major FP16 format where channel % 8 == 0", 8),
            ("Thirty-two wide channel vectorized row major Int8 format", 32),
            ("Two wide channel vectorized row major FP16 format", 2),
            ("Sixteen wide channel vectorized row major FP16 format", 16),
            ("Row major linear FP32", 1),
            ("Channel major FP32 format where channel % 0 == 0", 1),
            ("", 1),
        ] {
            assert_eq!(channel_multiple(format), multiple, "{format}");
        }
    }

    #[test]
    fn three_channels_take_the_memory_of_eight() {
        let tensor = Tensor {
            name: "a".into(),
            dims: vec![1, 3, 16, 16],
            format: "Channel major FP16 format where channel % 8 == 0".into(),
            precision: Some(Precision::Fp16),
        };
        assert_eq!((bytes(&tensor, None), padded_bytes(&tensor, None)), (2 * 3 * 256, 2 * 8 * 256));
    }
}
