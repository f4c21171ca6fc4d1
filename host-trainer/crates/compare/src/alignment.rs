//! Layers of two lists that do the same by their shape: the longest common order, then equal shapes out of order, then what
//! lies in the same gap.

use crate::side::SideLayer;
use shared::engine::LayerFamily;

/// Most cells of the table in which the longest common order is found; longer lists are matched by equal shapes alone.
const CELLS: usize = 16_000_000;

/// What a layer does, as far as its shape tells.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Shape<'a> {
    work: Work,
    output: &'a [i64],
    weights: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Weighted,
    Pooling,
    Pointwise,
    Other,
}

/// Dimensions without the batch and without trailing axes of extent 1: `[1000]` and `[1000, 1, 1]` are one shape.
fn extents(dims: &[i64]) -> &[i64] {
    let inner = dims.get(1..).unwrap_or_default();
    let end = inner.iter().rposition(|&extent| extent != 1).map_or(1, |last| last + 1);
    &inner[..end.min(inner.len())]
}

impl<'a> Shape<'a> {
    fn of(layer: &'a SideLayer) -> Self {
        let work = match layer.kind.family() {
            _ if layer.is_weighted() => Work::Weighted,
            LayerFamily::Pooling => Work::Pooling,
            LayerFamily::Pointwise => Work::Pointwise,
            _ => Work::Other,
        };
        Self { work, output: extents(&layer.output), weights: layer.weights }
    }

    /// Whether both do the same: unknown outputs match nothing.
    fn equals(&self, other: &Self) -> bool {
        let weights = match (self.weights, other.weights) {
            (Some(a), Some(b)) => a == b,
            _ => true,
        };
        self.work == other.work && self.output == other.output && !self.output.is_empty() && weights
    }
}

/// Layers that go together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Aligned {
    /// Positions in the first list.
    pub(crate) a: Vec<usize>,
    /// Positions in the second list.
    pub(crate) b: Vec<usize>,
    /// Whether their shapes are equal; else they lie in the same gap.
    pub(crate) by_shape: bool,
}

/// Aligns two lists. What goes with nothing is left out.
pub(crate) fn align(a: &[&SideLayer], b: &[&SideLayer]) -> Vec<Aligned> {
    let shapes_a: Vec<Shape<'_>> = a.iter().map(|layer| Shape::of(layer)).collect();
    let shapes_b: Vec<Shape<'_>> = b.iter().map(|layer| Shape::of(layer)).collect();
    let anchors = common_order(&shapes_a, &shapes_b);
    let mut partner_a: Vec<Option<usize>> = vec![None; a.len()];
    let mut partner_b: Vec<Option<usize>> = vec![None; b.len()];
    for &(i, j) in &anchors {
        (partner_a[i], partner_b[j]) = (Some(j), Some(i));
    }
    // A residual block's two convolutions may run in either order.
    for (i, shape) in shapes_a.iter().enumerate() {
        if partner_a[i].is_some() || shape.work != Work::Weighted {
            continue;
        }
        let expected = anchors.iter().rev().find(|(before, _)| *before < i).map_or(0, |(_, j)| *j);
        let free = shapes_b.iter().enumerate().filter(|(j, other)| partner_b[*j].is_none() && shape.equals(other));
        if let Some((j, _)) = free.min_by_key(|(j, _)| j.abs_diff(expected)) {
            (partner_a[i], partner_b[j]) = (Some(j), Some(i));
        }
    }
    let mut found: Vec<Aligned> = partner_a
        .iter()
        .enumerate()
        .filter_map(|(i, partner)| Some(Aligned { a: vec![i], b: vec![(*partner)?], by_shape: true }))
        .collect();
    let ends = anchors.iter().copied().chain([(a.len(), b.len())]);
    let (mut from_a, mut from_b) = (0, 0);
    for (to_a, to_b) in ends {
        let rest = |from: usize, to: usize, partner: &[Option<usize>]| -> Vec<usize> {
            (from..to).filter(|&i| partner[i].is_none()).collect()
        };
        let (left, right) = (rest(from_a, to_a, &partner_a), rest(from_b, to_b, &partner_b));
        if let (Some(&last_a), Some(&last_b)) = (left.last(), right.last()) {
            let (out_a, out_b) = (shapes_a[last_a].output, shapes_b[last_b].output);
            if !out_a.is_empty() && out_a == out_b {
                found.push(Aligned { a: left, b: right, by_shape: false });
            }
        }
        (from_a, from_b) = (to_a + 1, to_b + 1);
    }
    found
}

/// Pairs of equal shapes in an order that both lists have: as much work as can be paired so, with multiplications before
/// everything else.
fn common_order(a: &[Shape<'_>], b: &[Shape<'_>]) -> Vec<(usize, usize)> {
    let width = b.len() + 1;
    if a.len().saturating_add(1).saturating_mul(width) > CELLS {
        return Vec::new();
    }
    let worth = |shape: &Shape<'_>| if shape.work == Work::Weighted { 4_u32 } else { 1 };
    let mut best = vec![0_u32; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let skip = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            let paired = if a[i].equals(&b[j]) { best[(i + 1) * width + j + 1] + worth(&a[i]) } else { 0 };
            best[i * width + j] = skip.max(paired);
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        let here = best[i * width + j];
        if a[i].equals(&b[j]) && here == best[(i + 1) * width + j + 1] + worth(&a[i]) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if here == best[(i + 1) * width + j] {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::engine::LayerKind;

    fn layer(kind: LayerKind, output: &[i64], weights: Option<u64>) -> SideLayer {
        SideLayer { kind, output: output.to_vec(), weights, ..SideLayer::named(0, "x") }
    }

    fn conv(channels: i64, weights: u64) -> SideLayer {
        layer(LayerKind::Convolution, &[1, channels, 8, 8], Some(weights))
    }

    fn pairs(a: &[SideLayer], b: &[SideLayer]) -> Vec<(Vec<usize>, Vec<usize>, bool)> {
        let list = |layers: &'_ [SideLayer]| layers.to_vec();
        let (a, b) = (list(a), list(b));
        align(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>())
            .into_iter()
            .map(|found| (found.a, found.b, found.by_shape))
            .collect()
    }

    #[test]
    fn a_residual_block_in_the_other_order_is_paired() {
        let a = [conv(8, 100), conv(16, 300), conv(16, 20), conv(32, 500)];
        let b = [conv(8, 100), conv(16, 20), conv(16, 300), conv(32, 500)];
        let mut found = pairs(&a, &b);
        found.sort();
        let equal = |i: usize, j: usize| (vec![i], vec![j], true);
        assert_eq!(found, [equal(0, 0), equal(1, 2), equal(2, 1), equal(3, 3)]);
    }

    #[test]
    fn layers_in_the_same_gap_with_the_same_end_go_together() {
        let pool = layer(LayerKind::Pooling, &[1, 8, 4, 4], None);
        let fused = SideLayer { output: vec![1, 8, 4, 4], ..conv(8, 100) };
        let end = conv(64, 900);
        let found = pairs(&[conv(8, 100), pool.clone(), end.clone()], &[fused, end.clone()]);
        assert_eq!(found, [(vec![2], vec![1], true), (vec![0, 1], vec![0], false)]);
        assert_eq!(pairs(&[pool], &[conv(3, 1)]), [], "they end in different shapes");
    }

    #[test]
    fn a_batch_and_trailing_ones_make_no_difference() {
        let a = layer(LayerKind::Dense, &[32, 1000, 1, 1], Some(5));
        let b = layer(LayerKind::Convolution, &[1, 1000], Some(5));
        assert_eq!(pairs(&[a], &[b]), [(vec![0], vec![0], true)]);
        assert_eq!(extents(&[1, 1, 1]), [1]);
        assert_eq!(extents(&[4]), [0; 0]);
    }
}
