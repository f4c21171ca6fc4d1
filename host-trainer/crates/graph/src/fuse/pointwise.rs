//! Chains of element-wise operators (rule 7), and of operators that only change shapes or move axes (rule 16).

use super::group::{Group, Groups, Kind};
use crate::network::{Network, OpId};
use crate::operator::Class;
use std::collections::BTreeMap;

/// Rule 7: an element-wise operator whose only reader is another one joins it.
pub(crate) fn chains(network: &Network, region: &[Option<usize>], groups: &mut Groups) {
    let belongs = |op: OpId| network.ops[op].class.is_pointwise();
    let joins = |from: OpId, to: OpId| {
        belongs(to) && network.dims(network.ops[from].output()) == network.dims(network.ops[to].output())
    };
    for ops in trees(network, region, groups, belongs, joins) {
        groups.add(Group::of(Kind::Pointwise, ops));
    }
}

/// Rule 16: shapes that change without a move are no layer at run time; axes that move take in the shapes around them.
pub(crate) fn shapes(network: &Network, region: &[Option<usize>], groups: &mut Groups) {
    let belongs = |op: OpId| matches!(network.ops[op].class, Class::View | Class::Transpose);
    for ops in trees(network, region, groups, belongs, |_, to| belongs(to)) {
        let moves = ops.iter().any(|&op| network.ops[op].class == Class::Transpose && !keeps_order(network, op));
        groups.add(Group::of(if moves { Kind::Shuffle } else { Kind::View }, ops));
    }
}

/// Whether a transposition moves only axes of one element.
fn keeps_order(network: &Network, op: OpId) -> bool {
    let node = network.node(op);
    let (Some(order), Some(&input)) = (node.ints("perm"), network.ops[op].inputs.first()) else { return false };
    let dims = network.dims(input);
    let long = |&axis: &i64| dims.get(usize::try_from(axis).unwrap_or(usize::MAX)).is_some_and(|&extent| extent > 1);
    let moved: Vec<i64> = order.iter().copied().filter(long).collect();
    moved.is_sorted()
}

/// Groups of operators in which each but the last has one reader, in the group.
fn trees(
    network: &Network,
    region: &[Option<usize>],
    groups: &Groups,
    belongs: impl Fn(OpId) -> bool,
    joins: impl Fn(OpId, OpId) -> bool,
) -> Vec<Vec<OpId>> {
    let is_free = |op: OpId| region[op].is_none() && groups.owner(op).is_none();
    let mut last: Vec<OpId> = (0..network.ops.len()).collect();
    let mut trees: BTreeMap<OpId, Vec<OpId>> = BTreeMap::new();
    for op in (0..network.ops.len()).rev().filter(|&op| is_free(op) && belongs(op)) {
        if let Some(reader) = network.only_reader(network.ops[op].output())
            && is_free(reader)
            && joins(op, reader)
        {
            last[op] = last[reader];
        }
        trees.entry(last[op]).or_default().push(op);
    }
    trees
        .into_values()
        .map(|mut ops| {
            ops.reverse();
            ops
        })
        .collect()
}
