//! Networks that join the outputs of several branches.

use super::CLASSES;
use crate::builder::Nonlinearity::{Linear, Relu};
use crate::builder::{Builder, Edge, Filter};
use crate::sizes::Sizes;

/// F. Iandola et al., "SqueezeNet", 2016, version 1.1.
pub(crate) fn squeezenet(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    // Squeezed and expanded channels of each fire module.
    const FIRES: [(u64, u64); 8] =
        [(16, 64), (16, 64), (32, 128), (32, 128), (48, 192), (48, 192), (64, 256), (64, 256)];
    let pool = Filter::window(3, 2, 0);
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::window(3, 2, 0).with_channels(sizes.channels(64)), Relu);
    for (number, (squeezed, expanded)) in (2..).zip(FIRES) {
        if matches!(number, 2 | 4 | 6) {
            x = builder.max_pool(&x, &format!("pool{number}"), pool);
        }
        let name = |part: &str| format!("fire{number}/{part}");
        let s = builder.convolve(&x, &name("squeeze"), Filter::same(sizes.channels(squeezed), 1, 1), Relu);
        let expanded = sizes.channels(expanded);
        let one = builder.convolve(&s, &name("expand1x1"), Filter::same(expanded, 1, 1), Relu);
        let three = builder.convolve(&s, &name("expand3x3"), Filter::same(expanded, 3, 1), Relu);
        x = builder.concatenate(&[one, three], &format!("fire{number}"), 1);
    }
    x = builder.convolve(&x, "classifier", Filter::same(CLASSES, 1, 1), Relu);
    vec![builder.global_average(&x, "pool")]
}

/// C. Szegedy et al., "Going deeper with convolutions", 2015, table 1, with 3 × 3 kernels in the last branch, as today's
/// implementations have it; without the auxiliary classifiers.
pub(crate) fn inception_v1(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    // Channels: 1 × 1; 3 × 3 reduced and full; second 3 × 3 reduced and full; behind the pooling. A pooling precedes the second and
    // the seventh group.
    const MODULES: [(&str, [u64; 6]); 9] = [
        ("3a", [64, 96, 128, 16, 32, 32]),
        ("3b", [128, 128, 192, 32, 96, 64]),
        ("4a", [192, 96, 208, 16, 48, 64]),
        ("4b", [160, 112, 224, 24, 64, 64]),
        ("4c", [128, 128, 256, 24, 64, 64]),
        ("4d", [112, 144, 288, 32, 64, 64]),
        ("4e", [256, 160, 320, 32, 128, 128]),
        ("5a", [256, 160, 320, 32, 128, 128]),
        ("5b", [384, 192, 384, 48, 128, 128]),
    ];
    let halve = Filter::window(3, 2, 1);
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "conv1", Filter::same(sizes.channels(64), 7, 2), Relu);
    x = builder.max_pool(&x, "pool1", halve);
    x = builder.convolve(&x, "conv2", Filter::same(sizes.channels(64), 1, 1), Relu);
    x = builder.convolve(&x, "conv3", Filter::same(sizes.channels(192), 3, 1), Relu);
    x = builder.max_pool(&x, "pool2", halve);
    for (module, channels) in MODULES {
        if matches!(module, "4a" | "5a") {
            x = builder.max_pool(&x, &format!("pool{module}"), halve);
        }
        let [one, reduced3, three, reduced5, five, pooled] = channels.map(|published| sizes.channels(published));
        let mut chain = |name: &str, from: &Edge, filters: &[(u64, u64)]| {
            filters.iter().enumerate().fold(from.clone(), |x, (i, &(channels, kernel))| {
                builder.convolve(&x, &format!("{module}/{name}/conv{i}"), Filter::same(channels, kernel, 1), Relu)
            })
        };
        let mut parts = vec![
            chain("branch1", &x, &[(one, 1)]),
            chain("branch2", &x, &[(reduced3, 1), (three, 3)]),
            chain("branch3", &x, &[(reduced5, 1), (five, 3)]),
        ];
        let around = builder.max_pool(&x, &format!("{module}/branch4"), Filter::window(3, 1, 1));
        let filter = Filter::same(pooled, 1, 1);
        parts.push(builder.convolve(&around, &format!("{module}/branch4/conv"), filter, Relu));
        x = builder.concatenate(&parts, module, 1);
    }
    x = builder.global_average(&x, "pool");
    vec![builder.dense(&x, "fc", CLASSES, Linear)]
}

/// G. Huang et al., "Densely connected convolutional networks", 2017, table 1: layers of each block, with 32 channels per layer.
pub(crate) fn densenet(builder: &mut Builder, sizes: &Sizes, layers: [u32; 4]) -> Vec<Edge> {
    let growth = sizes.channels(32);
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::same(sizes.channels(64), 7, 2), Relu);
    x = builder.max_pool(&x, "stem", Filter::window(3, 2, 1));
    for (block, count) in (1..).zip(layers) {
        for layer in 1..=count {
            let name = format!("block{block}/layer{layer}");
            let y = builder.normalise_batch(&x, &format!("{name}/norm"), Relu);
            let y = builder.convolve(&y, &format!("{name}/conv1"), Filter::same(4 * growth, 1, 1), Relu);
            let y = builder.convolve(&y, &format!("{name}/conv2"), Filter::same(growth, 3, 1), Linear);
            x = builder.concatenate(&[x, y], &name, 1);
        }
        x = builder.normalise_batch(&x, &format!("transition{block}/norm"), Relu);
        if block < 4 {
            let name = format!("transition{block}");
            x = builder.convolve(&x, &name, Filter::same(x.channels() / 2, 1, 1), Linear);
            x = builder.average_pool(&x, &name, Filter::window(2, 2, 0));
        }
    }
    x = builder.global_average(&x, "pool");
    vec![builder.dense(&x, "classifier", CLASSES, Linear)]
}
