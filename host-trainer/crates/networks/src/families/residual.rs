//! Residual networks.

use super::CLASSES;
use crate::builder::Nonlinearity::{Linear, Relu};
use crate::builder::{Builder, Edge, Filter};
use crate::sizes::Sizes;

/// What a residual network is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResidualPlan {
    /// Blocks of each stage.
    pub(crate) blocks: [u32; 4],
    /// Whether a block is 1 × 1 down, 3 × 3, 1 × 1 up; else it is two 3 × 3 convolutions.
    pub(crate) is_bottleneck: bool,
    /// Channel groups of a bottleneck's 3 × 3 convolution, and channels of each group in the first stage (Xie et al., 2017).
    pub(crate) groups: Option<(u64, u64)>,
}

/// K. He et al., "Deep residual learning for image recognition", 2016, table 1, with the stride on the 3 × 3 convolution.
pub(crate) fn resnet(builder: &mut Builder, sizes: &Sizes, plan: ResidualPlan) -> Vec<Edge> {
    let mut x = builder.input("input", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::same(sizes.channels(64), 7, 2), Relu);
    x = builder.max_pool(&x, "stem", Filter::window(3, 2, 1));
    for (stage, count) in (0..).zip(plan.blocks) {
        let width = sizes.channels(64 << stage);
        for number in 1..=count {
            let name = format!("stage{}/block{number}", stage + 1);
            let stride = if stage > 0 && number == 1 { 2 } else { 1 };
            x = if plan.is_bottleneck {
                let inner = plan.groups.map_or((width, 1), |(groups, each)| (groups * (each << stage), groups));
                bottleneck(builder, &x, &name, (width, stride), inner)
            } else {
                basic(builder, &x, &name, (width, stride))
            };
        }
    }
    x = builder.global_average(&x, "pool");
    vec![builder.dense(&x, "fc", CLASSES, Linear)]
}

fn basic(builder: &mut Builder, x: &Edge, name: &str, (width, stride): (u64, u64)) -> Edge {
    let y = builder.convolve(x, &format!("{name}/conv1"), Filter::same(width, 3, stride), Relu);
    let y = builder.convolve(&y, &format!("{name}/conv2"), Filter::same(width, 3, 1), Linear);
    let shortcut = shortcut(builder, x, name, (width, stride));
    let sum = builder.add(&y, &shortcut, name);
    builder.activate(&sum, name, Relu)
}

fn bottleneck(
    builder: &mut Builder,
    x: &Edge,
    name: &str,
    (width, stride): (u64, u64),
    (inner, groups): (u64, u64),
) -> Edge {
    let y = builder.convolve(x, &format!("{name}/conv1"), Filter::same(inner, 1, 1), Relu);
    let middle = Filter::same(inner, 3, stride).with_groups(groups);
    let y = builder.convolve(&y, &format!("{name}/conv2"), middle, Relu);
    let y = builder.convolve(&y, &format!("{name}/conv3"), Filter::same(4 * width, 1, 1), Linear);
    let shortcut = shortcut(builder, x, name, (4 * width, stride));
    let sum = builder.add(&y, &shortcut, name);
    builder.activate(&sum, name, Relu)
}

/// The block's input, brought to the block's shape where that differs.
fn shortcut(builder: &mut Builder, x: &Edge, name: &str, (channels, stride): (u64, u64)) -> Edge {
    if x.channels() == channels && stride == 1 {
        return x.clone();
    }
    builder.convolve(x, &format!("{name}/shortcut"), Filter::same(channels, 1, stride), Linear)
}
