//! Layers of a parametrised grid: sizes as networks have them, drawn by a seed.

use networks::{Combination, Nonlinearity, SingleLayer};
use shared::random::SplitMix64;

const CHANNELS: [u32; 14] = [3, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];
const SIDES: [u32; 8] = [7, 10, 14, 20, 28, 40, 56, 112];
const KERNELS: [u32; 4] = [1, 3, 5, 7];

fn one_of(random: &mut SplitMix64, values: &[u32]) -> u32 {
    values[random.below(values.len())]
}

/// Draws so many layers; the same seed draws the same ones.
pub(crate) fn draw(count: usize, seed: u64) -> Vec<SingleLayer> {
    let mut random = SplitMix64::keyed(&[seed, 1]);
    (0..count).map(|_| layer(&mut random)).collect()
}

fn layer(random: &mut SplitMix64) -> SingleLayer {
    let (channels, side) = (one_of(random, &CHANNELS), one_of(random, &SIDES));
    let input = [channels, side, side];
    match random.below(10) {
        0..=5 => {
            let kernel = one_of(random, &KERNELS);
            let stride = 1 + random.below(2) as u32;
            let is_depthwise = random.below(4) == 0;
            SingleLayer::Convolution {
                batch: 1,
                input,
                channels: if is_depthwise { channels } else { one_of(random, &CHANNELS) },
                kernel: [kernel; 2],
                stride: [stride; 2],
                padding: [kernel / 2; 2],
                dilation: 1,
                groups: if is_depthwise { channels } else { 1 },
                after: Nonlinearity::Relu,
            }
        }
        6 => SingleLayer::Dense {
            batch: [1, 1, 49, 196][random.below(4)],
            inputs: 16 * (1 + random.below(128) as u32),
            outputs: 8 * (1 + random.below(256) as u32),
        },
        7 => {
            let kernel = 2 + random.below(2) as u32;
            SingleLayer::Pooling {
                batch: 1,
                input,
                kernel: [kernel; 2],
                stride: [2; 2],
                padding: [kernel / 3; 2],
                is_mean: false,
            }
        }
        8 => SingleLayer::Elements {
            batch: 1,
            input,
            combination: if random.below(2) == 0 {
                Combination::Sum
            } else {
                Combination::Nonlinearity(Nonlinearity::Relu)
            },
        },
        _ => SingleLayer::Softmax { rows: 1 << random.below(10), columns: 1 << (4 + random.below(7)) },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_draws_the_same_layers_of_every_sort() {
        let drawn = draw(200, 7);
        assert_eq!(drawn, draw(200, 7));
        assert_ne!(drawn, draw(200, 8));
        let count = |is: fn(&SingleLayer) -> bool| drawn.iter().filter(|layer| is(layer)).count();
        assert!(count(|layer| matches!(layer, SingleLayer::Convolution { .. })) > 80);
        assert!(count(|layer| matches!(layer, SingleLayer::Convolution { groups: 2.., .. })) > 5);
        assert!(count(|layer| matches!(layer, SingleLayer::Softmax { .. })) > 5);
    }
}
