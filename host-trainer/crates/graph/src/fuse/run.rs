//! All rules, in TensorRT's order: epilogues, merges, pointwise chains, chains into convolutions.

use super::channels::{Channels, channels, is_range};
use super::group::{Group, Groups, Kind};
use super::{convolutions, kernels, pointwise, regions};
use crate::network::Network;
use crate::operator::Class;
use crate::options::{Build, Options};

/// Which operators run together, and which tensors lie inside others.
#[derive(Debug)]
pub(crate) struct Fused {
    pub(crate) groups: Groups,
    pub(crate) channels: Channels,
}

/// Applies all rules.
pub(crate) fn fuse(network: &Network, options: &Options) -> Fused {
    let mut groups = Groups::new(network.ops.len());
    let region = regions::regions(network);
    convolutions::epilogues(network, &region, &mut groups);
    convolutions::merge_equal(network, &mut groups);
    pointwise::chains(network, &region, &mut groups);
    if options.precision != Build::Fp32 {
        convolutions::take_pointwise(network, &mut groups, options.residual_silu);
    }
    kernels::kernels(network, &region, &mut groups);
    pointwise::shapes(network, &region, &mut groups);
    for op in 0..network.ops.len() {
        if groups.owner(op).is_some() {
            continue;
        }
        let kind = match network.ops[op].class {
            Class::Pooling => Kind::Pooling,
            Class::Concat => Kind::Concat,
            Class::Split | Class::Slice if is_range(network, op) => Kind::Range,
            _ => Kind::Single,
        };
        groups.add(Group::of(kind, vec![op]));
    }
    let channels = channels(network, &groups);
    Fused { groups, channels }
}
