//! The order in which layers run: inputs first, otherwise as the nodes stand in the file.

use crate::fuse::{Fused, GroupId};
use crate::network::Network;
use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashSet};

/// Groups in the order in which they run. Groups without operators are left out.
pub(crate) fn order(network: &Network, fused: &Fused) -> Vec<GroupId> {
    let groups = &fused.groups;
    let mut waiting = vec![0_usize; groups.all.len()];
    let mut readers: Vec<Vec<GroupId>> = vec![Vec::new(); groups.all.len()];
    let mut key = vec![usize::MAX; groups.all.len()];
    for (id, group) in groups.all.iter().enumerate() {
        key[id] = group.ops().map(|op| network.ops[op].nodes[0]).min().unwrap_or(usize::MAX);
        let makers: HashSet<GroupId> =
            group.inputs(network).into_iter().filter_map(|t| groups.maker(network, t)).collect();
        for maker in makers.into_iter().filter(|&maker| maker != id) {
            waiting[id] += 1;
            readers[maker].push(id);
        }
    }
    let is_empty = |id: &GroupId| groups.all[*id].branches.is_empty();
    let mut ready: BinaryHeap<Reverse<(usize, GroupId)>> = (0..groups.all.len())
        .filter(|id| waiting[*id] == 0 && !is_empty(id))
        .map(|id| Reverse((key[id], id)))
        .collect();
    let mut order = Vec::new();
    while let Some(Reverse((_, id))) = ready.pop() {
        order.push(id);
        for &reader in &readers[id] {
            waiting[reader] -= 1;
            if waiting[reader] == 0 {
                ready.push(Reverse((key[reader], reader)));
            }
        }
    }
    order
}
