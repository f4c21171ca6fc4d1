//! Pairs of corresponding layers of two engines.

use shared::engine::{Layer, LayerKind};
use std::collections::{HashMap, VecDeque};

/// How two layers were paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum By {
    /// They have the same name.
    Name,
    /// They do the same operation on tensors of the same shape.
    Shape,
    /// One engine only has such a layer.
    Nothing,
}

/// A row of the comparison: positions in the two lists of layers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Pair {
    /// Position in the first list.
    pub(super) a: Option<usize>,
    /// Position in the second list.
    pub(super) b: Option<usize>,
    /// How they were paired.
    pub(super) by: By,
}

/// Operation and shapes of a layer, without its precision.
type Shape<'a> = (LayerKind, Option<&'a [i64]>, Option<&'a [i64]>, Option<&'a [u32]>, Option<&'a [u32]>, Option<u32>);

fn shape(layer: &Layer) -> Option<Shape<'_>> {
    let dims = |tensor: Option<&'_ shared::engine::Tensor>| tensor.map(|t| t.dims.len()).unwrap_or(0);
    // Layers without shapes are all alike; pairing those would be a guess.
    if dims(layer.input()) + dims(layer.output()) == 0 {
        return None;
    }
    Some((
        layer.kind,
        layer.input().map(|t| t.dims.as_slice()),
        layer.output().map(|t| t.dims.as_slice()),
        layer.kernel.as_deref(),
        layer.stride.as_deref(),
        layer.groups,
    ))
}

/// Pairs layers by name, then the rest by shape, each in execution order. Rows follow the first engine; layers of only the
/// second engine stand after the layer that they follow there.
pub(super) fn pair(a: &[&Layer], b: &[&Layer]) -> Vec<Pair> {
    let mut partner: Vec<Option<(usize, By)>> = vec![None; a.len()];
    let mut taken = vec![false; b.len()];
    let mut names: HashMap<&str, VecDeque<usize>> = HashMap::new();
    for (j, layer) in b.iter().enumerate() {
        names.entry(layer.name.as_str()).or_default().push_back(j);
    }
    for (i, layer) in a.iter().enumerate() {
        if let Some(j) = names.get_mut(layer.name.as_str()).and_then(VecDeque::pop_front) {
            (partner[i], taken[j]) = (Some((j, By::Name)), true);
        }
    }
    let mut shapes: HashMap<Shape<'_>, VecDeque<usize>> = HashMap::new();
    for (j, layer) in b.iter().enumerate().filter(|(j, _)| !taken[*j]) {
        if let Some(shape) = shape(layer) {
            shapes.entry(shape).or_default().push_back(j);
        }
    }
    for (i, layer) in a.iter().enumerate() {
        let Some(shape) = shape(layer).filter(|_| partner[i].is_none()) else { continue };
        if let Some(j) = shapes.get_mut(&shape).and_then(VecDeque::pop_front) {
            (partner[i], taken[j]) = (Some((j, By::Shape)), true);
        }
    }
    // A layer of only the second engine follows the row of the last paired layer before it.
    let mut row_of = vec![None; b.len()];
    for (i, partner) in partner.iter().enumerate() {
        if let Some((j, _)) = partner {
            row_of[*j] = Some(i);
        }
    }
    let (mut first, mut after): (Vec<usize>, Vec<Vec<usize>>) = (Vec::new(), vec![Vec::new(); a.len()]);
    let mut last = None;
    for (j, row) in row_of.iter().enumerate() {
        match (row, last) {
            (Some(row), _) => last = Some(*row),
            (None, Some(row)) => after[row].push(j),
            (None, None) => first.push(j),
        }
    }
    let only_b = |j: &usize| Pair { a: None, b: Some(*j), by: By::Nothing };
    let mut rows: Vec<Pair> = first.iter().map(only_b).collect();
    for (i, partner) in partner.iter().enumerate() {
        rows.push(match partner {
            Some((j, by)) => Pair { a: Some(i), b: Some(*j), by: *by },
            None => Pair { a: Some(i), b: None, by: By::Nothing },
        });
        rows.extend(after[i].iter().map(only_b));
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use shared::engine::{Engine, Precision, parse};
    use simulate::architectures::{Options, engine_info};

    fn engine(name: &str, precision: Precision) -> Engine {
        let info = engine_info(name, Options { precision, ..Options::default() }).expect("known");
        parse(info.as_bytes()).expect("our own").0
    }

    fn layers(engine: &Engine) -> Vec<&Layer> {
        engine.layers.iter().collect()
    }

    #[test]
    fn an_engine_pairs_with_itself_by_name() {
        let engine = engine("resnet18", Precision::Fp16);
        let pairs = pair(&layers(&engine), &layers(&engine));
        assert!(pairs.iter().enumerate().all(|(i, p)| *p == Pair { a: Some(i), b: Some(i), by: By::Name }));
    }

    #[test]
    fn renamed_layers_pair_by_shape_and_the_rest_stands_alone() {
        let (a, mut b) = (engine("resnet18", Precision::Fp16), engine("resnet18", Precision::Int8));
        for layer in &mut b.layers {
            layer.name = format!("renamed {}", layer.index);
        }
        let extra = Layer { name: "extra".into(), kind: LayerKind::Plugin, ..b.layers[3].clone() };
        b.layers.insert(4, extra);
        let pairs = pair(&layers(&a), &layers(&b));
        let alone: Vec<&Pair> = pairs.iter().filter(|p| p.a.is_none()).collect();
        assert!(alone.iter().any(|p| p.b == Some(4)), "{alone:?}");
        let convolutions = pairs.iter().filter(|p| p.a.is_some_and(|i| a.layers[i].kind == LayerKind::Convolution));
        assert!(convolutions.clone().count() > 10);
        for pair in convolutions {
            assert_eq!(pair.by, By::Shape, "{pair:?}");
        }
    }

    proptest! {
        #[test]
        fn every_layer_stands_in_exactly_one_row(names_a in prop::collection::vec(0u8..6, 0..30), names_b in prop::collection::vec(0u8..6, 0..30)) {
            let base = engine("lenet", Precision::Fp16);
            let make = |names: &[u8]| -> Vec<Layer> {
                names.iter().enumerate().map(|(index, n)| Layer { index, name: n.to_string(), ..base.layers[usize::from(*n) % base.layers.len()].clone() }).collect()
            };
            let (a, b) = (make(&names_a), make(&names_b));
            let pairs = pair(&a.iter().collect::<Vec<_>>(), &b.iter().collect::<Vec<_>>());
            let from_a: Vec<usize> = pairs.iter().filter_map(|p| p.a).collect();
            prop_assert_eq!(from_a, (0..a.len()).collect::<Vec<_>>());
            let mut from_b: Vec<usize> = pairs.iter().filter_map(|p| p.b).collect();
            from_b.sort_unstable();
            prop_assert_eq!(from_b, (0..b.len()).collect::<Vec<_>>());
        }
    }
}
