//! Networks in one chain.

use super::CLASSES;
use crate::builder::Nonlinearity::{Linear, Relu};
use crate::builder::{Builder, Edge, Filter};
use crate::sizes::Sizes;

/// Y. LeCun et al., "Gradient-based learning applied to document recognition", 1998, with ReLU and maximum pooling.
pub(crate) fn lenet(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    let pool = Filter::window(2, 2, 0);
    let mut x = builder.input("input", &sizes.images(1));
    x = builder.convolve(&x, "conv1", Filter::same(sizes.channels(6), 5, 1), Relu);
    x = builder.max_pool(&x, "pool1", pool);
    x = builder.convolve(&x, "conv2", Filter::window(5, 1, 0).with_channels(sizes.channels(16)), Relu);
    x = builder.max_pool(&x, "pool2", pool);
    x = builder.dense(&x, "fc1", 120, Relu);
    x = builder.dense(&x, "fc2", 84, Relu);
    vec![builder.dense(&x, "fc3", 10, Linear)]
}

/// A. Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014.
pub(crate) fn alexnet(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    let pool = Filter::window(3, 2, 0);
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "conv1", Filter::window(11, 4, 2).with_channels(sizes.channels(64)), Relu);
    x = builder.max_pool(&x, "pool1", pool);
    x = builder.convolve(&x, "conv2", Filter::same(sizes.channels(192), 5, 1), Relu);
    x = builder.max_pool(&x, "pool2", pool);
    for (name, channels) in [("conv3", 384), ("conv4", 256), ("conv5", 256)] {
        x = builder.convolve(&x, name, Filter::same(sizes.channels(channels), 3, 1), Relu);
    }
    x = builder.max_pool(&x, "pool5", pool);
    classifier(builder, x, sizes)
}

/// K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", 2015, columns A, B, D and E:
/// convolutions of each of the five stages.
pub(crate) fn vgg(builder: &mut Builder, sizes: &Sizes, convolutions: [u32; 5]) -> Vec<Edge> {
    let mut x = builder.input("input", &sizes.images(3));
    for ((stage, count), channels) in (1..).zip(convolutions).zip([64, 128, 256, 512, 512]) {
        for number in 1..=count {
            let filter = Filter::same(sizes.channels(channels), 3, 1);
            x = builder.convolve(&x, &format!("conv{stage}_{number}"), filter, Relu);
        }
        x = builder.max_pool(&x, &format!("pool{stage}"), Filter::window(2, 2, 0));
    }
    classifier(builder, x, sizes)
}

/// The two hidden layers that AlexNet and VGG end in.
fn classifier(builder: &mut Builder, mut x: Edge, sizes: &Sizes) -> Vec<Edge> {
    for name in ["fc1", "fc2"] {
        x = builder.dense(&x, name, sizes.channels(4_096), Relu);
    }
    vec![builder.dense(&x, "fc3", CLASSES, Linear)]
}
