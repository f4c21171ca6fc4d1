//! The networks, from the papers' tables.

use super::builder::{Activation, After, Builder, Convolution, Window};

const CLASSES: u32 = 1_000;

/// A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014: one column, 224 × 224.
pub(super) fn alexnet(builder: &mut Builder) {
    let pool = Window { extent: 3, stride: 2, padding: 0 };
    let first = Convolution { channels: 64, kernel: 11, stride: 4, padding: 2, groups: 1 };
    let mut x = builder.input(3, 224);
    x = builder.convolution(&x, "conv1", first, None, After::Relu);
    x = builder.max_pool(&x, "pool1", pool);
    x = builder.convolution(&x, "conv2", Convolution::same(192, 5, 1), None, After::Relu);
    x = builder.max_pool(&x, "pool2", pool);
    for (name, channels) in [("conv3", 384), ("conv4", 256), ("conv5", 256)] {
        x = builder.convolution(&x, name, Convolution::same(channels, 3, 1), None, After::Relu);
    }
    x = builder.max_pool(&x, "pool5", pool);
    classifier(builder, x);
}

/// Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, with ReLU and maximum pooling, for
/// images of 28 × 28.
pub(super) fn lenet(builder: &mut Builder) {
    let pool = Window { extent: 2, stride: 2, padding: 0 };
    let mut x = builder.input(1, 28);
    x = builder.convolution(&x, "conv1", Convolution::same(6, 5, 1), None, After::Relu);
    x = builder.max_pool(&x, "pool1", pool);
    let second = Convolution { padding: 0, ..Convolution::same(16, 5, 1) };
    x = builder.convolution(&x, "conv2", second, None, After::Relu);
    x = builder.max_pool(&x, "pool2", pool);
    x = builder.dense(&x, "fc1", 120, After::Relu);
    x = builder.dense(&x, "fc2", 84, After::Relu);
    builder.dense(&x, "fc3", 10, After::Nothing);
}

/// M. Sandler et al., "MobileNetV2: inverted residuals and linear bottlenecks", 2018, table 2.
pub(super) fn mobilenet_v2(builder: &mut Builder) {
    // Expansion, output channels, blocks, stride of the first block.
    const STAGES: [(u32, u32, u32, u32); 7] =
        [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1)];
    let mut x = builder.input(3, 224);
    x = builder.convolution(&x, "stem", Convolution::same(32, 3, 2), None, After::Relu6);
    let mut channels = 32;
    let mut number = 0;
    for (expansion, outputs, blocks, first_stride) in STAGES {
        for block in 0..blocks {
            number += 1;
            let stride = if block == 0 { first_stride } else { 1 };
            let name = |part: &str| format!("block{number}/{part}");
            let hidden = channels * expansion;
            let mut y = x.clone();
            if expansion > 1 {
                let expand = Convolution::same(hidden, 1, 1);
                y = builder.convolution(&y, &name("expand"), expand, None, After::Relu6);
            }
            y = builder.convolution(&y, &name("depthwise"), Convolution::depthwise(hidden, stride), None, After::Relu6);
            let shortcut = (stride == 1 && channels == outputs).then_some(&x);
            let project = Convolution::same(outputs, 1, 1);
            x = builder.convolution(&y, &name("project"), project, shortcut, After::Nothing);
            channels = outputs;
        }
    }
    x = builder.convolution(&x, "head", Convolution::same(1_280, 1, 1), None, After::Relu6);
    x = builder.global_average_pool(&x, "pool");
    builder.dense(&x, "classifier", CLASSES, After::Nothing);
}

/// K. He et al., "Deep residual learning for image recognition", 2016, table 1, 18 layers.
pub(super) fn resnet18(builder: &mut Builder) {
    resnet(builder, [2, 2, 2, 2], basic_block);
}

/// The same, 50 layers, with the stride on the 3 × 3 convolution as today's implementations have it.
pub(super) fn resnet50(builder: &mut Builder) {
    resnet(builder, [3, 4, 6, 3], bottleneck_block);
}

type Block = fn(&mut Builder, &Activation, &str, u32, u32, bool) -> Activation;

fn resnet(builder: &mut Builder, blocks: [u32; 4], block: Block) {
    let mut x = builder.input(3, 224);
    x = builder.convolution(&x, "stem", Convolution::same(64, 7, 2), None, After::Relu);
    x = builder.max_pool(&x, "stem", Window { extent: 3, stride: 2, padding: 1 });
    for (stage, count) in (1..).zip(blocks) {
        let width = 32 << stage;
        for number in 1..=count {
            let stride = if stage > 1 && number == 1 { 2 } else { 1 };
            x = block(builder, &x, &format!("stage{stage}/block{number}"), width, stride, number == 1);
        }
    }
    x = builder.global_average_pool(&x, "pool");
    builder.dense(&x, "fc", CLASSES, After::Nothing);
}

/// Two 3 × 3 convolutions. A stage's first block brings the shortcut to its shape where the stride changes it.
fn basic_block(builder: &mut Builder, x: &Activation, name: &str, width: u32, stride: u32, _: bool) -> Activation {
    let y = builder.convolution(x, &format!("{name}/conv1"), Convolution::same(width, 3, stride), None, After::Relu);
    let shortcut = if stride > 1 { shortcut(builder, x, name, width, stride) } else { x.clone() };
    builder.convolution(&y, &format!("{name}/conv2"), Convolution::same(width, 3, 1), Some(&shortcut), After::Relu)
}

/// 1 × 1 down, 3 × 3, 1 × 1 up to four times the width.
fn bottleneck_block(
    builder: &mut Builder,
    x: &Activation,
    name: &str,
    width: u32,
    stride: u32,
    first: bool,
) -> Activation {
    let y = builder.convolution(x, &format!("{name}/conv1"), Convolution::same(width, 1, 1), None, After::Relu);
    let y = builder.convolution(&y, &format!("{name}/conv2"), Convolution::same(width, 3, stride), None, After::Relu);
    let shortcut = if first { shortcut(builder, x, name, 4 * width, stride) } else { x.clone() };
    builder.convolution(&y, &format!("{name}/conv3"), Convolution::same(4 * width, 1, 1), Some(&shortcut), After::Relu)
}

fn shortcut(builder: &mut Builder, x: &Activation, name: &str, channels: u32, stride: u32) -> Activation {
    let project = Convolution::same(channels, 1, stride);
    builder.convolution(x, &format!("{name}/shortcut"), project, None, After::Nothing)
}

/// K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015, column D.
pub(super) fn vgg16(builder: &mut Builder) {
    let mut x = builder.input(3, 224);
    for (stage, (channels, convolutions)) in (1..).zip([(64, 2), (128, 2), (256, 3), (512, 3), (512, 3)]) {
        for number in 1..=convolutions {
            let name = format!("conv{stage}_{number}");
            x = builder.convolution(&x, &name, Convolution::same(channels, 3, 1), None, After::Relu);
        }
        x = builder.max_pool(&x, &format!("pool{stage}"), Window { extent: 2, stride: 2, padding: 0 });
    }
    classifier(builder, x);
}

/// The two hidden layers of 4,096 that AlexNet and VGG end in.
fn classifier(builder: &mut Builder, mut x: Activation) {
    x = builder.dense(&x, "fc1", 4_096, After::Relu);
    x = builder.dense(&x, "fc2", 4_096, After::Relu);
    builder.dense(&x, "fc3", CLASSES, After::Nothing);
}
