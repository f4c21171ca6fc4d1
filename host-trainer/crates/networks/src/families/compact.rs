//! Networks of depthwise separable convolutions.

use super::CLASSES;
use crate::builder::Nonlinearity::{self, HardSigmoid, HardSwish, Linear, Relu, Relu6, Sigmoid, Silu};
use crate::builder::{Builder, Edge, Filter};
use crate::sizes::{Sizes, multiple_of_8};

/// A. Howard et al., "MobileNets", 2017, table 1.
pub(crate) fn mobilenet_v1(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    // Output channels and stride.
    const BLOCKS: [(u64, u64); 13] = [
        (64, 1),
        (128, 2),
        (128, 1),
        (256, 2),
        (256, 1),
        (512, 2),
        (512, 1),
        (512, 1),
        (512, 1),
        (512, 1),
        (512, 1),
        (1_024, 2),
        (1_024, 1),
    ];
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::same(sizes.channels(32), 3, 2), Relu);
    for (number, (channels, stride)) in (1..).zip(BLOCKS) {
        let depthwise = Filter::same(x.channels(), 3, stride).with_groups(x.channels());
        x = builder.convolve(&x, &format!("block{number}/depthwise"), depthwise, Relu);
        let pointwise = Filter::same(sizes.channels(channels), 1, 1);
        x = builder.convolve(&x, &format!("block{number}/pointwise"), pointwise, Relu);
    }
    x = builder.global_average(&x, "pool");
    vec![builder.dense(&x, "classifier", CLASSES, Linear)]
}

/// An inverted residual block: 1 × 1 up, depthwise, squeeze and excitation, 1 × 1 down.
#[derive(Debug, Clone, Copy)]
struct Inverted {
    kernel: u64,
    hidden: u64,
    channels: u64,
    stride: u64,
    /// Channels between the two layers of squeeze and excitation, and the gate.
    squeeze: Option<(u64, Nonlinearity)>,
    after: Nonlinearity,
}

impl Inverted {
    fn build(self, builder: &mut Builder, x: &Edge, name: &str) -> Edge {
        let part = |part: &str| format!("{name}/{part}");
        let mut y = x.clone();
        if self.hidden != x.channels() {
            y = builder.convolve(&y, &part("expand"), Filter::same(self.hidden, 1, 1), self.after);
        }
        let depthwise = Filter::same(self.hidden, self.kernel, self.stride).with_groups(self.hidden);
        y = builder.convolve(&y, &part("depthwise"), depthwise, self.after);
        if let Some((squeezed, gate)) = self.squeeze {
            let inner = if gate == Sigmoid { Silu } else { Relu };
            let mut s = builder.global_average(&y, &part("squeeze"));
            s = builder.convolve(&s, &part("squeeze"), Filter::same(squeezed, 1, 1), inner);
            s = builder.convolve(&s, &part("excite"), Filter::same(self.hidden, 1, 1), gate);
            y = builder.multiply(&y, &s, &part("scale"));
        }
        y = builder.convolve(&y, &part("project"), Filter::same(self.channels, 1, 1), Linear);
        if self.stride == 1 && x.channels() == self.channels { builder.add(&y, x, name) } else { y }
    }
}

/// M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2.
pub(crate) fn mobilenet_v2(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    // Expansion, output channels, blocks, stride of the first block.
    const STAGES: [(u64, u64, u32, u64); 7] =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::same(sizes.channels(32), 3, 2), Relu6);
    let mut number = 0;
    for (expansion, channels, blocks, first_stride) in STAGES {
        for block in 0..blocks {
            number += 1;
            let stride = if block == 0 { first_stride } else { 1 };
            let (hidden, channels) = (expansion * x.channels(), sizes.channels(channels));
            let block = Inverted { kernel: 3, hidden, channels, stride, squeeze: None, after: Relu6 };
            x = block.build(builder, &x, &format!("block{number}"));
        }
    }
    x = builder.convolve(&x, "head", Filter::same(sizes.channels(1_280).max(1_280), 1, 1), Relu6);
    x = builder.global_average(&x, "pool");
    vec![builder.dense(&x, "classifier", CLASSES, Linear)]
}

/// Kernel, hidden and output channels, squeeze and excitation, HardSwish (else ReLU), stride.
type BlockOfV3 = (u64, u64, u64, bool, bool, u64);

/// A. Howard et al., "Searching for MobileNetV3", 2019, table 1.
pub(crate) const LARGE: (&[BlockOfV3], u64, u64) = (
    &[
        (3, 16, 16, false, false, 1),
        (3, 64, 24, false, false, 2),
        (3, 72, 24, false, false, 1),
        (5, 72, 40, true, false, 2),
        (5, 120, 40, true, false, 1),
        (5, 120, 40, true, false, 1),
        (3, 240, 80, false, true, 2),
        (3, 200, 80, false, true, 1),
        (3, 184, 80, false, true, 1),
        (3, 184, 80, false, true, 1),
        (3, 480, 112, true, true, 1),
        (3, 672, 112, true, true, 1),
        (5, 672, 160, true, true, 2),
        (5, 960, 160, true, true, 1),
        (5, 960, 160, true, true, 1),
    ],
    960,
    1_280,
);

/// The same, table 2.
pub(crate) const SMALL: (&[BlockOfV3], u64, u64) = (
    &[
        (3, 16, 16, true, false, 2),
        (3, 72, 24, false, false, 2),
        (3, 88, 24, false, false, 1),
        (5, 96, 40, true, true, 2),
        (5, 240, 40, true, true, 1),
        (5, 240, 40, true, true, 1),
        (5, 120, 48, true, true, 1),
        (5, 144, 48, true, true, 1),
        (5, 288, 96, true, true, 2),
        (5, 576, 96, true, true, 1),
        (5, 576, 96, true, true, 1),
    ],
    576,
    1_024,
);

/// MobileNetV3 of a table: blocks, channels of the last convolution, width of the classifier.
pub(crate) fn mobilenet_v3(
    builder: &mut Builder,
    sizes: &Sizes,
    (blocks, last, classifier): (&[BlockOfV3], u64, u64),
) -> Vec<Edge> {
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::same(sizes.channels(16), 3, 2), HardSwish);
    for (number, &(kernel, hidden, channels, squeezes, swishes, stride)) in (1..).zip(blocks) {
        let hidden = sizes.channels(hidden);
        let squeeze = squeezes.then(|| (multiple_of_8(hidden as f64 / 4.0), HardSigmoid));
        let after = if swishes { HardSwish } else { Relu };
        let block = Inverted { kernel, hidden, channels: sizes.channels(channels), stride, squeeze, after };
        x = block.build(builder, &x, &format!("block{number}"));
    }
    x = builder.convolve(&x, "head", Filter::same(sizes.channels(last), 1, 1), HardSwish);
    x = builder.global_average(&x, "pool");
    x = builder.dense(&x, "classifier1", sizes.channels(classifier), HardSwish);
    vec![builder.dense(&x, "classifier2", CLASSES, Linear)]
}

/// M. Tan, Q. Le, "EfficientNet: rethinking model scaling for convolutional neural networks", 2019, table 1, with the factors of
/// width and depth of a member of the family.
pub(crate) fn efficientnet(builder: &mut Builder, sizes: &Sizes, width: f64, depth: f64) -> Vec<Edge> {
    // Expansion, kernel, stride of the first block, output channels, blocks.
    const STAGES: [(u64, u64, u64, u64, u32); 7] = [
        (1, 3, 1, 16, 1),
        (6, 3, 2, 24, 2),
        (6, 5, 2, 40, 2),
        (6, 3, 2, 80, 3),
        (6, 5, 1, 112, 3),
        (6, 5, 2, 192, 4),
        (6, 3, 1, 320, 1),
    ];
    let scaled = |channels: u64| multiple_of_8(channels as f64 * width * sizes.width);
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::same(scaled(32), 3, 2), Silu);
    for (stage, (expansion, kernel, first_stride, channels, blocks)) in (1..).zip(STAGES) {
        for number in 1..=(f64::from(blocks) * depth).ceil() as u32 {
            let stride = if number == 1 { first_stride } else { 1 };
            let inputs = x.channels();
            let squeeze = Some(((inputs / 4).max(1), Sigmoid));
            let (hidden, channels) = (expansion * inputs, scaled(channels));
            let block = Inverted { kernel, hidden, channels, stride, squeeze, after: Silu };
            x = block.build(builder, &x, &format!("stage{stage}/block{number}"));
        }
    }
    x = builder.convolve(&x, "head", Filter::same(scaled(1_280), 1, 1), Silu);
    x = builder.global_average(&x, "pool");
    vec![builder.dense(&x, "classifier", CLASSES, Linear)]
}
