//! Concatenations and ranges of channels that need no layer, and the copies that remain. Rules 9 and 10.

use super::group::{GroupId, Groups, Kind};
use crate::infer::{Fact, axis};
use crate::network::{Network, OpId};
use crate::operator::Class;
use crate::read::TensorId;
use std::collections::{HashMap, HashSet};

/// Which tensors lie inside others.
#[derive(Debug, Default)]
pub(crate) struct Channels {
    /// Tensors that their makers write into a concatenation's output.
    pub(crate) in_place: HashMap<TensorId, TensorId>,
    /// Tensors that are read as a range of another.
    pub(crate) ranges: HashMap<TensorId, TensorId>,
    /// Ranges that are copied out, since a reader cannot take a range.
    pub(crate) copied: HashSet<OpId>,
}

/// Whether an operator takes a range of channels.
pub(crate) fn is_range(network: &Network, op: OpId) -> bool {
    let operator = &network.ops[op];
    let Some(&input) = operator.inputs.first() else { return false };
    let (from, to) = (network.dims(input), network.dims(operator.output()));
    match operator.class {
        Class::Split => axis(network.node(op).int("axis").unwrap_or(0), from.len()) == Ok(1) && from.len() > 2,
        Class::Slice => {
            let node = network.node(op);
            let steps = node.input(4).and_then(|id| network.fact(id)).and_then(Fact::as_ints);
            let is_dense = steps.is_none_or(|steps| steps.iter().all(|&step| step == 1));
            let differs = (0..from.len()).filter(|&at| from.get(at) != to.get(at)).collect::<Vec<_>>();
            is_dense && from.len() == to.len() && from.len() > 2 && differs == [1]
        }
        _ => false,
    }
}

/// Decides which tensors lie inside others.
pub(crate) fn channels(network: &Network, groups: &Groups) -> Channels {
    let mut channels = Channels::default();
    let residual: Vec<bool> = groups.all.iter().map(|group| group.has_residual(network)).collect();
    for (op, operator) in network.ops.iter().enumerate() {
        let Some(group) = groups.owner(op) else { continue };
        match groups.all[group].kind {
            Kind::Range => {
                let output = operator.output();
                let is_free = !network.outputs.contains(&output)
                    && network.readers(output).iter().all(|&reader| takes_range(network, groups, reader, output));
                if is_free {
                    // Sources come first, so that a range of a range leads to the whole in one step.
                    let source = operator.inputs[0];
                    let whole = channels.ranges.get(&source).copied().unwrap_or(source);
                    channels.ranges.insert(output, whole);
                } else {
                    channels.copied.insert(op);
                }
            }
            Kind::Concat => {
                for &input in &operator.inputs {
                    if !channels.in_place.contains_key(&input) && fits_in_place(network, groups, &residual, op, input) {
                        channels.in_place.insert(input, operator.output());
                    }
                }
            }
            _ => {}
        }
    }
    channels
}

/// Whether a reader can take a range of channels: a convolution of its image, a pointwise layer, a concatenation (which copies).
fn takes_range(network: &Network, groups: &Groups, reader: OpId, tensor: TensorId) -> bool {
    let Some(group) = groups.owner(reader) else { return false };
    match groups.all[group].kind {
        Kind::Convolution => is_image_of(network, reader, tensor),
        Kind::Pointwise | Kind::Concat => true,
        _ => false,
    }
}

fn is_image_of(network: &Network, reader: OpId, tensor: TensorId) -> bool {
    network.ops[reader].class == Class::Convolution && network.ops[reader].inputs.first() == Some(&tensor)
}

/// Whether the maker of a tensor can write it into a concatenation's output.
fn fits_in_place(network: &Network, groups: &Groups, residual: &[bool], concat: OpId, tensor: TensorId) -> bool {
    let Some(maker) = groups.maker(network, tensor) else { return false };
    let group = &groups.all[maker];
    let writes = match group.kind {
        Kind::Convolution => group.branches.len() == 1 && !residual[maker],
        Kind::Deconvolution | Kind::Pointwise | Kind::Pooling => true,
        _ => false,
    };
    let kind_of = |reader: &OpId| groups.owner(*reader).map(|group: GroupId| groups.all[group].kind);
    writes
        && !network.outputs.contains(&tensor)
        && network.readers(tensor).iter().filter(|&&reader| reader != concat).all(|reader| {
            matches!(kind_of(reader), Some(Kind::Convolution | Kind::Pointwise | Kind::Concat | Kind::Range))
        })
}
