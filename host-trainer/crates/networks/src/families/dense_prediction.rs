//! Networks whose output has pixels: detection and segmentation.

use crate::builder::Nonlinearity::{Linear, Relu, Silu};
use crate::builder::{Builder, Edge, Filter};
use crate::sizes::Sizes;

/// A detector in the manner of the YOLO family: SiLU, blocks that split and join their channels, a pyramid of poolings, a path down
/// and one up, three heads. Our own arrangement; no published weights fit it.
pub(crate) fn yolo_like(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    let c = |published: u64| sizes.channels(published);
    let mut x = builder.input("images", &sizes.images(3));
    x = builder.convolve(&x, "stem", Filter::same(c(16), 3, 2), Silu);
    let mut levels = Vec::new();
    for (stage, (channels, depth)) in (1..).zip([(32, 1), (64, 2), (128, 2), (256, 1)]) {
        x = builder.convolve(&x, &format!("stage{stage}/down"), Filter::same(c(channels), 3, 2), Silu);
        x = split_and_join(builder, &x, &format!("stage{stage}"), c(channels), (depth, true));
        levels.push(x.clone());
    }
    let mut pooled = vec![builder.convolve(&x, "pyramid/in", Filter::same(c(128), 1, 1), Silu)];
    for number in 1..=3 {
        let next =
            builder.max_pool(&pooled[pooled.len() - 1], &format!("pyramid/pool{number}"), Filter::window(5, 1, 2));
        pooled.push(next);
    }
    let joined = builder.concatenate(&pooled, "pyramid", 1);
    let deep = builder.convolve(&joined, "pyramid/out", Filter::same(c(256), 1, 1), Silu);
    let join = |builder: &mut Builder, parts: [Edge; 2], name: &str, channels: u64| {
        let joined = builder.concatenate(&parts, &format!("{name}/join"), 1);
        split_and_join(builder, &joined, name, channels, (1, false))
    };
    let up = builder.enlarge(&deep, "down_path1");
    let middle = join(builder, [up, levels[2].clone()], "down_path1", c(128));
    let up = builder.enlarge(&middle, "down_path2");
    let fine = join(builder, [up, levels[1].clone()], "down_path2", c(64));
    let down = builder.convolve(&fine, "up_path1/down", Filter::same(c(64), 3, 2), Silu);
    let middle = join(builder, [down, middle], "up_path1", c(128));
    let down = builder.convolve(&middle, "up_path2/down", Filter::same(c(128), 3, 2), Silu);
    let coarse = join(builder, [down, deep], "up_path2", c(256));
    [fine, middle, coarse].iter().enumerate().map(|(level, x)| head(builder, x, level, c(64))).collect()
}

/// Boxes (64 numbers) and classes (80) of every pixel of a level.
fn head(builder: &mut Builder, x: &Edge, level: usize, channels: u64) -> Edge {
    let parts = [("boxes", 64), ("classes", 80)].map(|(part, outputs)| {
        let name = |layer: u32| format!("head{level}/{part}/conv{layer}");
        let y = builder.convolve(x, &name(1), Filter::same(channels, 3, 1), Silu);
        let y = builder.convolve(&y, &name(2), Filter::same(channels, 3, 1), Silu);
        builder.convolve(&y, &name(3), Filter::same(outputs, 1, 1), Linear)
    });
    builder.concatenate(&parts, &format!("head{level}"), 1)
}

/// A block that splits its channels in two halves, runs bottlenecks on the second and joins all that came about.
fn split_and_join(
    builder: &mut Builder,
    x: &Edge,
    name: &str,
    channels: u64,
    (depth, has_shortcuts): (u32, bool),
) -> Edge {
    let both = builder.convolve(x, &format!("{name}/in"), Filter::same(channels, 1, 1), Silu);
    let mut parts = builder.split(&both, name, 1, 2);
    for number in 1..=depth {
        let last = parts[parts.len() - 1].clone();
        let part = |layer: u32| format!("{name}/bottleneck{number}/conv{layer}");
        let y = builder.convolve(&last, &part(1), Filter::same(channels / 2, 3, 1), Silu);
        let y = builder.convolve(&y, &part(2), Filter::same(channels / 2, 3, 1), Silu);
        let y = if has_shortcuts { builder.add(&last, &y, &format!("{name}/bottleneck{number}")) } else { y };
        parts.push(y);
    }
    let joined = builder.concatenate(&parts, name, 1);
    builder.convolve(&joined, &format!("{name}/out"), Filter::same(channels, 1, 1), Silu)
}

/// O. Ronneberger et al., "U-Net: convolutional networks for biomedical image segmentation", 2015, with half its channels, padding
/// that keeps the extents, and two classes.
pub(crate) fn unet(builder: &mut Builder, sizes: &Sizes) -> Vec<Edge> {
    let pair = |builder: &mut Builder, x: &Edge, name: &str, channels: u64| {
        let y = builder.convolve(x, &format!("{name}/conv1"), Filter::same(channels, 3, 1), Relu);
        builder.convolve(&y, &format!("{name}/conv2"), Filter::same(channels, 3, 1), Relu)
    };
    let mut x = builder.input("input", &sizes.images(3));
    let mut levels = Vec::new();
    for level in 0..4 {
        x = pair(builder, &x, &format!("down{level}"), sizes.channels(32 << level));
        levels.push(x.clone());
        x = builder.max_pool(&x, &format!("down{level}"), Filter::window(2, 2, 0));
    }
    x = pair(builder, &x, "bottom", sizes.channels(512));
    for (level, across) in levels.into_iter().enumerate().rev() {
        let name = format!("up{level}");
        let up = builder.double(&x, &name, across.channels());
        let joined = builder.concatenate(&[across, up], &name, 1);
        x = pair(builder, &joined, &name, sizes.channels(32 << level));
    }
    vec![builder.convolve(&x, "classes", Filter::same(2, 1, 1), Linear)]
}
