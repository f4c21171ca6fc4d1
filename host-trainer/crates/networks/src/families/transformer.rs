//! Vision transformers.

use super::CLASSES;
use crate::builder::Nonlinearity::{Gelu, Linear};
use crate::builder::{Builder, Edge, Filter};
use crate::sizes::Sizes;

/// Pixels of a patch's side.
const PATCH: u64 = 16;
/// Blocks.
const DEPTH: u32 = 12;
/// Features of one head.
const HEAD: u64 = 64;

/// A. Dosovitskiy et al., "An image is worth 16x16 words", 2021, with `heads` heads of 64 features at width 1; the mean over all patches takes
/// the class token's place.
pub(crate) fn vit(builder: &mut Builder, sizes: &Sizes, heads: u64) -> Vec<Edge> {
    let heads = ((heads as f64 * sizes.width).round() as u64).max(1);
    let width = HEAD * heads;
    let images = builder.input("input", &sizes.images(3));
    let patches = builder.convolve(&images, "patches", Filter::window(PATCH, PATCH, 0).with_channels(width), Linear);
    let &[batch, _, height, columns] = patches.dims() else { return Vec::new() };
    let count = height * columns;
    let flat = builder.reshape(&patches, "patches", &[batch, width, count]);
    let mut x = builder.transpose(&flat, "patches", &[0, 2, 1]);
    for number in 1..=DEPTH {
        let part = |part: &str| format!("block{number}/{part}");
        let y = builder.normalise_rows(&x, &part("norm1"));
        let y = attention(builder, &y, &part("attention"), [batch, count, heads]);
        x = builder.add(&x, &y, &part("add1"));
        let y = builder.normalise_rows(&x, &part("norm2"));
        let y = builder.project(&y, &part("mlp1"), 4 * width);
        let y = builder.activate(&y, &part("gelu"), Gelu);
        let y = builder.project(&y, &part("mlp2"), width);
        x = builder.add(&x, &y, &part("add2"));
    }
    x = builder.normalise_rows(&x, "norm");
    x = builder.mean(&x, "pool", 1, false);
    vec![builder.dense(&x, "classifier", CLASSES, Linear)]
}

fn attention(builder: &mut Builder, x: &Edge, name: &str, [batch, count, heads]: [u64; 3]) -> Edge {
    let part = |part: &str| format!("{name}/{part}");
    let width = HEAD * heads;
    let all = builder.project(x, &part("qkv"), 3 * width);
    let parts = builder.split(&all, name, 2, 3);
    let mut turned = |part: &Edge, name: &str, order: &[usize]| {
        let heads = builder.reshape(part, name, &[batch, count, heads, HEAD]);
        builder.transpose(&heads, name, order)
    };
    let q = turned(&parts[0], &part("q"), &[0, 2, 1, 3]);
    let k = turned(&parts[1], &part("k"), &[0, 2, 3, 1]);
    let v = turned(&parts[2], &part("v"), &[0, 2, 1, 3]);
    let scores = builder.multiply_matrices(&q, &k, &part("scores"));
    let scores = builder.scale(&scores, &part("scores"), (HEAD as f64).powf(-0.5));
    let weights = builder.softmax(&scores, name);
    let mixed = builder.multiply_matrices(&weights, &v, &part("mix"));
    let mixed = builder.transpose(&mixed, &part("mix"), &[0, 2, 1, 3]);
    let mixed = builder.reshape(&mixed, &part("mix"), &[batch, count, width]);
    builder.project(&mixed, &part("out"), width)
}
