//! Kernels inside a Myelin region: matrix products, and what is generated between them. Rule 12.

use super::group::{Group, Groups, Kind};
use crate::network::{Network, OpId};
use crate::operator::Class;
use std::collections::BTreeMap;

/// Splits regions into matrix products and generated kernels.
pub(crate) fn kernels(network: &Network, region: &[Option<usize>], groups: &mut Groups) {
    let count = network.ops.len();
    let alone = |op: OpId| matches!(network.ops[op].class, Class::MatMul | Class::Gemm | Class::Select);
    // A product takes in the activation behind it, as its bias is taken in already.
    let mut epilogue: Vec<Option<OpId>> = vec![None; count];
    for op in
        (0..count).filter(|&op| region[op].is_some() && matches!(network.ops[op].class, Class::MatMul | Class::Gemm))
    {
        epilogue[op] = network
            .only_reader(network.ops[op].output())
            .filter(|&reader| region[reader] == region[op] && network.node(reader).operator == "Relu");
    }
    let taken: Vec<OpId> = epilogue.iter().flatten().copied().collect();
    let mut is_taken = vec![false; count];
    for op in taken {
        is_taken[op] = true;
    }
    let stands_alone = |op: OpId| alone(op) || is_taken[op];
    // Stages: what a product, a sort or a softmax makes is read in a later stage.
    let mut stage = vec![0_u32; count];
    for op in 0..count {
        let Some(own) = region[op] else { continue };
        let before = network.ops[op].inputs.iter().filter_map(|input| network.producer.get(input));
        let highest = before.filter(|&&maker| region[maker] == Some(own)).map(|&maker| {
            let ends = alone(maker) || network.ops[maker].class == Class::Softmax;
            stage[maker] + u32::from(ends && !alone(op))
        });
        stage[op] = highest.max().unwrap_or(0);
    }
    let mut parent: Vec<usize> = (0..count).collect();
    for op in (0..count).filter(|&op| region[op].is_some() && !stands_alone(op)) {
        for &reader in network.ops[op].outputs.iter().flat_map(|&output| network.readers(output)) {
            if region[reader] == region[op] && !stands_alone(reader) && stage[reader] == stage[op] {
                let (a, b) = (root(&mut parent, op), root(&mut parent, reader));
                parent[a.max(b)] = a.min(b);
            }
        }
    }
    let mut clusters: BTreeMap<usize, Vec<OpId>> = BTreeMap::new();
    for op in (0..count).filter(|&op| region[op].is_some() && !is_taken[op]) {
        if alone(op) {
            let mut ops = vec![op];
            ops.extend(epilogue[op]);
            let kind = if network.ops[op].class == Class::Select { Kind::Kernel } else { Kind::Product };
            groups.add(Group { region: region[op], ..Group::of(kind, ops) });
        } else {
            clusters.entry(root(&mut parent, op)).or_default().push(op);
        }
    }
    for ops in clusters.into_values() {
        let of = ops.first().and_then(|&op| region[op]);
        let only_views = ops.iter().all(|&op| network.ops[op].class == Class::View);
        let kind = if only_views { Kind::View } else { Kind::Kernel };
        groups.add(Group { region: of, ..Group::of(kind, ops) });
    }
}

fn root(parent: &mut [usize], mut op: usize) -> usize {
    while parent[op] != op {
        parent[op] = parent[parent[op]];
        op = parent[op];
    }
    op
}
