//! Which layers of two engines contain the same operators.

use crate::alignment::align;
use crate::operators::{converted_for, is_numbered, region};
use crate::side::SideLayer;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap, HashSet};

/// How the layers of a group were found to go together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MatchedBy {
    /// They contain the same operators; or they contain none and have the same name, type and output.
    Operator,
    /// They do the same by kind, output and number of weights.
    Shape,
    /// They lie between the same neighbours and end in the same shape.
    Place,
    /// Only one side has them.
    Nothing,
}

impl MatchedBy {
    /// The word that tables carry.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Shape => "shape",
            Self::Place => "place",
            Self::Nothing => "nothing",
        }
    }
}

/// Layers of both engines that together contain the same operators; on one side only for operators that the other lacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Group {
    /// Positions in the first engine's list, in order: layers that compute.
    pub(crate) a: Vec<usize>,
    /// Positions in the second engine's list.
    pub(crate) b: Vec<usize>,
    /// Conversions in the first engine's list that were added for them.
    pub(crate) conversions_a: Vec<usize>,
    /// Conversions in the second engine's list.
    pub(crate) conversions_b: Vec<usize>,
    /// How they were found.
    pub(crate) by: MatchedBy,
}

/// The groups, in execution order of the first engine, and whether equal names of operators were found to mean different
/// ones.
pub(crate) fn groups(a: &[SideLayer], b: &[SideLayer]) -> (Vec<Group>, bool) {
    let (work_a, work_b) = (working(a), working(b));
    let mut edges = edges(a, &work_a, b, &work_b);
    let distrusted = are_contradicted(a, b, &edges);
    if distrusted {
        edges.retain(|(i, j)| {
            let (a, b) = (&a[*i].operators, &b[*j].operators);
            a.is_empty() || a.iter().any(|operator| !is_numbered(operator) && b.contains(operator))
        });
    }
    let mut found = connected(&work_a, &work_b, &edges);
    let alone = |only: fn(&Group) -> &Vec<usize>, other: fn(&Group) -> &Vec<usize>| -> Vec<usize> {
        let mut alone: Vec<usize> =
            found.iter().filter(|g| other(g).is_empty()).flat_map(|g| only(g).iter().copied()).collect();
        alone.sort_unstable();
        alone
    };
    let (rest_a, rest_b) = (alone(|g| &g.a, |g| &g.b), alone(|g| &g.b, |g| &g.a));
    let list_a: Vec<&SideLayer> = rest_a.iter().map(|&i| &a[i]).collect();
    let list_b: Vec<&SideLayer> = rest_b.iter().map(|&i| &b[i]).collect();
    let aligned = align(&list_a, &list_b);
    if !aligned.is_empty() {
        let taken_a: HashSet<usize> = aligned.iter().flat_map(|x| &x.a).map(|&i| rest_a[i]).collect();
        let taken_b: HashSet<usize> = aligned.iter().flat_map(|x| &x.b).map(|&i| rest_b[i]).collect();
        found.retain_mut(|group| {
            if group.a.is_empty() {
                group.b.retain(|i| !taken_b.contains(i));
            } else if group.b.is_empty() {
                group.a.retain(|i| !taken_a.contains(i));
            }
            !(group.a.is_empty() && group.b.is_empty())
        });
        found.extend(aligned.into_iter().map(|x| Group {
            a: x.a.iter().map(|&i| rest_a[i]).collect(),
            b: x.b.iter().map(|&i| rest_b[i]).collect(),
            conversions_a: Vec::new(),
            conversions_b: Vec::new(),
            by: if x.by_shape { MatchedBy::Shape } else { MatchedBy::Place },
        }));
    }
    attach(a, &mut found, |g| &g.a, |g| &mut g.conversions_a);
    attach(b, &mut found, |g| &g.b, |g| &mut g.conversions_b);
    sort(&mut found);
    (found, distrusted)
}

/// Positions of layers that compute what the model asks for.
fn working(layers: &[SideLayer]) -> Vec<usize> {
    let works = |layer: &SideLayer| !layer.is_free && !layer.is_conversion();
    (0..layers.len()).filter(|&i| works(&layers[i])).collect()
}

/// Pairs of layers that share an operator, or contain none and are called alike.
fn edges(a: &[SideLayer], work_a: &[usize], b: &[SideLayer], work_b: &[usize]) -> Vec<(usize, usize)> {
    fn by_operator<'a>(layers: &'a [SideLayer], work: &[usize]) -> HashMap<&'a str, Vec<usize>> {
        let mut by: HashMap<&str, Vec<usize>> = HashMap::new();
        for &i in work {
            for operator in &layers[i].operators {
                let places = by.entry(operator).or_default();
                if places.last() != Some(&i) {
                    places.push(i);
                }
            }
        }
        by
    }
    let (of_a, of_b) = (by_operator(a, work_a), by_operator(b, work_b));
    let mut edges = Vec::new();
    for &i in work_a {
        for operator in &a[i].operators {
            let own = of_a.get(operator.as_str()).map_or(&[][..], Vec::as_slice);
            let others = of_b.get(operator.as_str()).map_or(&[][..], Vec::as_slice);
            if own.len() == others.len() && own.len() > 1 {
                // The same operator in several layers on both sides (a constant that many read): each with its like.
                edges.extend(own.iter().zip(others).filter(|(own, _)| **own == i).map(|(own, other)| (*own, *other)));
            } else {
                edges.extend(others.iter().map(|&j| (i, j)));
            }
            if let Some((first, last)) = region(operator) {
                edges.extend(between(&of_b, first, last).map(|j| (i, j)));
            }
        }
    }
    for &j in work_b {
        for operator in &b[j].operators {
            if let Some((first, last)) = region(operator) {
                edges.extend(between(&of_a, first, last).map(|i| (i, j)));
            }
        }
    }
    let (named_a, named_b) = (by_name(a, work_a), by_name(b, work_b));
    for (key, own) in &named_a {
        let others = named_b.get(key).map_or(&[][..], Vec::as_slice);
        edges.extend(own.iter().zip(others).map(|(i, j)| (*i, *j)));
    }
    edges.retain(|(i, j)| work_a.binary_search(i).is_ok() && work_b.binary_search(j).is_ok());
    edges.sort_unstable();
    edges.dedup();
    edges
}

/// What tells layers apart that hold no operator of the model: name, type and output.
type Named<'a> = (&'a str, &'a str, &'a [i64]);

/// Positions of the layers that hold no operator of the model, since TensorRT added and named them.
fn by_name<'a>(layers: &'a [SideLayer], work: &[usize]) -> HashMap<Named<'a>, Vec<usize>> {
    let mut by: HashMap<Named<'_>, Vec<usize>> = HashMap::new();
    for &i in work.iter().filter(|&&i| layers[i].operators.is_empty()) {
        let layer = &layers[i];
        by.entry((&layer.name, &layer.layer_type, &layer.output)).or_default().push(i);
    }
    by
}

/// Positions from the layer with one operator to the layer with another, where both are found in this order.
fn between(by_operator: &HashMap<&str, Vec<usize>>, first: &str, last: &str) -> std::ops::Range<usize> {
    let place = |name: &str| by_operator.get(name).and_then(|places| places.first()).copied();
    match (place(first), place(last)) {
        (Some(from), Some(to)) if from <= to => from..to + 1,
        _ => 0..0,
    }
}

/// Whether operators with equal names are different ones: exporters that number them give the same number to others. They are
/// if most of them differ in what they compute; or if some differ in their weights and each side has numbers that the other
/// lacks, as after an operator was inserted.
fn are_contradicted(a: &[SideLayer], b: &[SideLayer], edges: &[(usize, usize)]) -> bool {
    let (mut agree, mut contradict, mut other_weights) = (0, 0, false);
    for &(i, j) in edges {
        let (a, b) = (&a[i], &b[j]);
        let shared = a.operators.iter().filter(|operator| b.operators.contains(operator));
        if shared.clone().count() == 0 || !shared.clone().all(|operator| is_numbered(operator)) {
            continue;
        }
        let equal = match (a.weights, b.weights) {
            (Some(a), Some(b)) => {
                other_weights |= a != b;
                a == b
            }
            _ if !a.output.is_empty() && !b.output.is_empty() => {
                a.kind == b.kind && a.output.get(1..) == b.output.get(1..)
            }
            _ => continue,
        };
        *(if equal { &mut agree } else { &mut contradict }) += 1;
    }
    contradict > agree || (other_weights && lacks_numbers_of(a, b) && lacks_numbers_of(b, a))
}

/// Whether a numbered operator of one side's convolutions and matrix products is in no layer of the other.
fn lacks_numbers_of(other: &[SideLayer], side: &[SideLayer]) -> bool {
    let there: HashSet<&str> = other.iter().flat_map(|layer| &layer.operators).map(String::as_str).collect();
    let mut weighted = side.iter().filter(|layer| layer.is_weighted()).flat_map(|layer| &layer.operators);
    weighted.any(|operator| is_numbered(operator) && !there.contains(operator.as_str()))
}

/// Groups of layers that are joined by edges, directly or through others.
fn connected(work_a: &[usize], work_b: &[usize], edges: &[(usize, usize)]) -> Vec<Group> {
    let place_a: HashMap<usize, usize> = work_a.iter().enumerate().map(|(n, &i)| (i, n)).collect();
    let place_b: HashMap<usize, usize> = work_b.iter().enumerate().map(|(n, &j)| (j, work_a.len() + n)).collect();
    let mut parent: Vec<usize> = (0..work_a.len() + work_b.len()).collect();
    fn root(parent: &mut [usize], mut at: usize) -> usize {
        while parent[at] != at {
            parent[at] = parent[parent[at]];
            at = parent[at];
        }
        at
    }
    for (i, j) in edges {
        if let (Some(&x), Some(&y)) = (place_a.get(i), place_b.get(j)) {
            let (x, y) = (root(&mut parent, x), root(&mut parent, y));
            parent[y.max(x)] = x.min(y);
        }
    }
    let mut groups: BTreeMap<usize, Group> = BTreeMap::new();
    for n in 0..parent.len() {
        let at = root(&mut parent, n);
        let group = groups.entry(at).or_insert_with(|| Group {
            a: Vec::new(),
            b: Vec::new(),
            conversions_a: Vec::new(),
            conversions_b: Vec::new(),
            by: MatchedBy::Operator,
        });
        match n.checked_sub(work_a.len()) {
            None => group.a.push(work_a[n]),
            Some(m) => group.b.push(work_b[m]),
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    for group in &mut groups {
        if group.a.is_empty() || group.b.is_empty() {
            group.by = MatchedBy::Nothing;
        }
    }
    groups
}

/// Gives each conversion of an engine to the group that it was added for: the layer it names, else the next layer that
/// computes, else the one before.
fn attach(
    layers: &[SideLayer],
    groups: &mut Vec<Group>,
    of: fn(&Group) -> &Vec<usize>,
    conversions: fn(&mut Group) -> &mut Vec<usize>,
) {
    let mut group_of: BTreeMap<usize, usize> = BTreeMap::new();
    for (number, group) in groups.iter().enumerate() {
        group_of.extend(of(group).iter().map(|&i| (i, number)));
    }
    let by_name: HashMap<&str, usize> = group_of.keys().rev().map(|&i| (layers[i].name.as_str(), i)).collect();
    let mut alone = Vec::new();
    for (i, layer) in layers.iter().enumerate().filter(|(_, layer)| layer.is_conversion()) {
        let named = converted_for(&layer.name).and_then(|name| by_name.get(name)).copied();
        let next = || group_of.range(i..).next().map(|(place, _)| *place);
        let before = || group_of.range(..i).next_back().map(|(place, _)| *place);
        match named.or_else(next).or_else(before).and_then(|place| group_of.get(&place)) {
            Some(&number) => conversions(&mut groups[number]).push(i),
            None => alone.push(i),
        }
    }
    if !alone.is_empty() {
        let mut group = Group {
            a: Vec::new(),
            b: Vec::new(),
            conversions_a: Vec::new(),
            conversions_b: Vec::new(),
            by: MatchedBy::Nothing,
        };
        *conversions(&mut group) = alone;
        groups.push(group);
    }
}

/// In execution order of the first engine; what only the second has follows what precedes it there.
fn sort(groups: &mut Vec<Group>) {
    groups.sort_by_key(|group| group.b.iter().chain(&group.conversions_b).min().copied().unwrap_or(usize::MAX));
    let mut last = 0;
    let mut keyed: Vec<((usize, usize), Group)> = Vec::with_capacity(groups.len());
    for group in groups.drain(..) {
        let own = group.a.iter().chain(&group.conversions_a).min().copied();
        let key = match own {
            Some(at) => {
                last = at;
                (at, 0)
            }
            None => (last, 1),
        };
        keyed.push((key, group));
    }
    keyed.sort_by_key(|(key, _)| *key);
    groups.extend(keyed.into_iter().map(|(_, group)| group));
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::engine::LayerKind;

    fn named(names: &[&str]) -> Vec<SideLayer> {
        names.iter().enumerate().map(|(i, name)| SideLayer::named(i, name)).collect()
    }

    /// Each group as names joined by `;`, `a | b`.
    fn shown(a: &[SideLayer], b: &[SideLayer]) -> Vec<String> {
        let names = |layers: &[SideLayer], at: &[usize]| {
            at.iter().map(|&i| layers[i].name.clone()).collect::<Vec<_>>().join("; ")
        };
        groups(a, b).0.iter().map(|g| format!("{} | {}", names(a, &g.a), names(b, &g.b))).collect()
    }

    #[test]
    fn layers_are_matched_across_fusions() {
        let a = named(&["conv1 + relu1", "conv2", "PWN(PWN(sig2), mul2)", "conv3 || conv4", "only_a"]);
        let b = named(&["conv1", "relu1", "conv2 + PWN(PWN(sig2), mul2)", "conv3", "conv4", "only_b"]);
        assert_eq!(
            shown(&a, &b),
            [
                "conv1 + relu1 | conv1; relu1",
                "conv2; PWN(PWN(sig2), mul2) | conv2 + PWN(PWN(sig2), mul2)",
                "conv3 || conv4 | conv3; conv4",
                " | only_b",
                "only_a | ",
            ]
        );
    }

    #[test]
    fn a_region_contains_what_lies_between_its_ends() {
        let a = named(&["conv1", "{ForeignNode[q...out]}"]);
        let b = named(&["conv1", "q", "softmax", "out"]);
        assert_eq!(shown(&a, &b), ["conv1 | conv1", "{ForeignNode[q...out]} | q; softmax; out"]);
    }

    #[test]
    fn layers_that_tensorrt_added_are_matched_by_their_name() {
        let layer = |index: usize, name: &str, layer_type: &str, output: &[i64]| SideLayer {
            layer_type: layer_type.to_owned(),
            output: output.to_vec(),
            ..SideLayer::named(index, name)
        };
        let a = [layer(0, "dummy_shape_call__mye1", "shape_call", &[]), layer(1, "__myl_Sum_myl2_0", "kgen", &[1, 8])];
        assert!(a.iter().all(|layer| layer.operators.is_empty()));
        assert_eq!(
            shown(&a, &a),
            ["dummy_shape_call__mye1 | dummy_shape_call__mye1", "__myl_Sum_myl2_0 | __myl_Sum_myl2_0"]
        );
        // TensorRT gives its own names anew in each build: the same name may be another layer.
        let b = [layer(0, "__myl_Sum_myl2_0", "kgen", &[1, 16])];
        assert_eq!(shown(&a[1..], &b), ["__myl_Sum_myl2_0 | ", " | __myl_Sum_myl2_0"]);
    }

    #[test]
    fn a_conversion_belongs_to_the_layer_that_it_is_for() {
        let a = named(&["conv1", "conv2"]);
        let mut b = named(&["Reformatting CopyNode for Input Tensor 0 to conv2", "conv1", "x copy", "conv2"]);
        (b[2].kind, b[2].layer_type) = (LayerKind::Reformat, "Reformat".to_owned());
        let (found, _) = groups(&a, &b);
        assert_eq!(found.iter().map(|g| g.conversions_b.clone()).collect::<Vec<_>>(), [vec![], vec![0, 2]]);
    }

    #[test]
    fn numbers_of_another_export_are_not_trusted() {
        let conv = |name: &str, index: usize, channels: i64, weights: u64| SideLayer {
            kind: LayerKind::Convolution,
            output: vec![1, channels, 8, 8],
            weights: Some(weights),
            ..SideLayer::named(index, name)
        };
        let a = [conv("Conv_0", 0, 8, 10), conv("Conv_2", 1, 16, 20), conv("Conv_4", 2, 32, 30)];
        let b = [conv("Conv_1", 0, 8, 10), conv("Conv_4", 1, 16, 20), conv("Conv_9", 2, 32, 30)];
        assert_eq!(shown(&a, &b), ["Conv_0 | Conv_1", "Conv_2 | Conv_4", "Conv_4 | Conv_9"]);
        // After an operator was inserted, most numbers that both have still agree by chance.
        let b =
            [conv("Conv_0", 0, 8, 10), conv("Conv_1", 1, 8, 10), conv("Conv_3", 2, 16, 20), conv("Conv_5", 3, 32, 30)];
        let a = [&a[..], &[conv("Conv_5", 3, 64, 40)]].concat();
        assert_eq!(shown(&a, &b), ["Conv_0 | Conv_0", " | Conv_1", "Conv_2 | Conv_3", "Conv_4 | Conv_5", "Conv_5 | "]);
        // A layer that grew keeps its number, and so do all others.
        let b =
            [conv("Conv_0", 0, 8, 10), conv("Conv_2", 1, 16, 25), conv("Conv_4", 2, 32, 30), conv("Conv_5", 3, 64, 40)];
        assert_eq!(shown(&a, &b), ["Conv_0 | Conv_0", "Conv_2 | Conv_2", "Conv_4 | Conv_4", "Conv_5 | Conv_5"]);
        // Names that are no counters stay trusted where a layer has grown.
        let (a, b) = ([conv("fc", 0, 8, 10)], [conv("fc", 0, 8, 40)]);
        assert_eq!(shown(&a, &b), ["fc | fc"]);
    }
}
