//! What convolutions and dense layers take in: additions and activations (rules 1, 2 and 4), equal neighbours (rule 3),
//! pointwise chains (rule 8).

use super::group::{Group, GroupId, Groups, Kind};
use super::regions::is_dense;
use crate::infer::{Geometry, convolution_operands, geometry};
use crate::network::{Network, OpId};
use crate::operator::Class;
use crate::options::ResidualSilu;
use crate::read::TensorId;
use std::collections::{BTreeMap, HashSet};

/// Activations that convolutions compute themselves in every precision.
const ACTIVATIONS: [&str; 3] = ["Relu", "Clip", "LeakyRelu"];

fn is_activation(network: &Network, op: OpId) -> bool {
    network.ops[op].inputs.len() == 1 && ACTIVATIONS.contains(&network.node(op).operator.as_str())
}

/// Rules 1, 2 and 4: a group for each convolution and dense layer, with the addition and the activation behind it.
pub(crate) fn epilogues(network: &Network, region: &[Option<usize>], groups: &mut Groups) {
    for op in 0..network.ops.len() {
        let kind = match network.ops[op].class {
            Class::Convolution => Kind::Convolution,
            Class::Deconvolution => Kind::Deconvolution,
            Class::Gemm | Class::MatMul if is_dense(network, op) => Kind::Dense,
            _ => continue,
        };
        groups.add(Group::of(kind, vec![op]));
    }
    for op in 0..network.ops.len() {
        let Some(group) = groups.owner(op) else { continue };
        if groups.all[group].head() != Some(op) {
            continue;
        }
        let Some(mut reader) = network.only_reader(network.ops[op].output()) else { continue };
        if region[reader].is_some() {
            continue;
        }
        if groups.all[group].kind == Kind::Convolution && takes_addition(network, groups, op, reader) {
            groups.append(group, reader);
            match network.only_reader(network.ops[reader].output()) {
                Some(next) if region[next].is_none() => reader = next,
                _ => continue,
            }
        }
        if is_activation(network, reader) && groups.owner(reader).is_none() {
            groups.append(group, reader);
        }
    }
}

/// Whether a convolution takes in the addition that reads it: of two convolutions, the later one does.
fn takes_addition(network: &Network, groups: &Groups, op: OpId, addition: OpId) -> bool {
    let add = &network.ops[addition];
    let output = network.ops[op].output();
    if network.node(addition).operator != "Add" || groups.owner(addition).is_some() || add.inputs.len() != 2 {
        return false;
    }
    let Some(&other) = add.inputs.iter().find(|&&input| input != output) else { return false };
    if network.dims(other) != network.dims(output) || network.dims(other).is_empty() {
        return false;
    }
    let rival = network.producer.get(&other).copied().filter(|&rival| {
        network.ops[rival].class == Class::Convolution && network.only_reader(other) == Some(addition)
    });
    rival.is_none_or(|rival| network.ops[rival].nodes[0] < network.ops[op].nodes[0])
}

/// The geometry of a convolution or pooling; none where the file does not say it.
pub(crate) fn geometry_of(network: &Network, op: OpId) -> Option<Geometry> {
    let operator = &network.ops[op];
    let spatial = network.dims(*operator.inputs.first()?).get(2..)?;
    let node = network.node(op);
    let weights = match operator.class {
        Class::Convolution | Class::Deconvolution => network.dims(node.input(convolution_operands(node).1)?).get(2..),
        _ => None,
    };
    if operator.class == Class::Pooling && (node.operator.starts_with("Global") || node.operator.starts_with("Reduce"))
    {
        let ones = vec![1; spatial.len()];
        let zeros = vec![0; spatial.len()];
        return Some(Geometry {
            kernel: spatial.to_vec(),
            stride: ones.clone(),
            before: zeros.clone(),
            after: zeros,
            dilation: ones,
        });
    }
    geometry(node, spatial, weights).ok()
}

/// Most convolutions that run as one; two and three have been seen.
const SIDE_BY_SIDE: usize = 8;

/// Rule 3: convolutions of one input with equal geometry and the same epilogue, none or an equal Relu, run as one.
pub(crate) fn merge_equal(network: &Network, groups: &mut Groups) {
    type Key = (TensorId, Vec<Vec<i64>>, bool, bool);
    let mut equal: BTreeMap<Key, Vec<GroupId>> = BTreeMap::new();
    for (id, group) in groups.all.iter().enumerate() {
        let [branch] = group.branches.as_slice() else { continue };
        let (Kind::Convolution, Some(&head)) = (group.kind, branch.ops.first()) else { continue };
        let node = network.node(head);
        let has_relu = match branch.ops.as_slice() {
            [_] => false,
            [_, activation] if network.node(*activation).operator == "Relu" => true,
            _ => continue,
        };
        if node.int("group").unwrap_or(1) != 1 || network.ops[head].inputs.len() != 1 {
            continue;
        }
        let Some(Geometry { kernel, stride, before, after, dilation }) = geometry_of(network, head) else { continue };
        let key = (
            network.ops[head].inputs[0],
            vec![kernel, stride, before, after, dilation],
            has_relu,
            network.ops[head].is_int8,
        );
        equal.entry(key).or_default().push(id);
    }
    for same in equal.into_values() {
        for together in same.chunks(SIDE_BY_SIDE).filter(|together| together.len() > 1) {
            groups.merge(together);
        }
    }
}

/// Channels of the image that a convolution reads at most where TensorRT leaves a SiLU outside it: the first convolution.
const IMAGE_CHANNELS: i64 = 3;

/// Rule 8: in 16-bit (and 8-bit) engines, the pointwise chain behind a convolution runs inside it, unless it is the first
/// convolution or one that runs side by side with another.
pub(crate) fn take_pointwise(network: &Network, groups: &mut Groups, residual: ResidualSilu) {
    for pointwise in 0..groups.all.len() {
        if groups.all[pointwise].kind != Kind::Pointwise || groups.all[pointwise].branches.is_empty() {
            continue;
        }
        let own: HashSet<OpId> = groups.all[pointwise].ops().collect();
        let inputs = groups.all[pointwise].inputs(network);
        let convolution = inputs.iter().find_map(|&input| {
            let group = groups.maker(network, input)?;
            takes(network, groups, group, input, &own).then_some((group, input))
        });
        let Some((group, image)) = convolution else { continue };
        let others: Vec<TensorId> = inputs.into_iter().filter(|&input| input != image).collect();
        let fits = match others.as_slice() {
            [] => true,
            [other] => {
                let added =
                    own.iter().any(|&op| network.node(op).operator == "Add" && network.ops[op].inputs.contains(other));
                residual == ResidualSilu::Fused && added && network.dims(*other) == network.dims(image)
            }
            _ => false,
        };
        if fits {
            groups.absorb(group, pointwise);
        }
    }
}

/// Whether a group is a bare convolution whose output only these operators read.
fn takes(network: &Network, groups: &Groups, group: GroupId, image: TensorId, readers: &HashSet<OpId>) -> bool {
    let group = &groups.all[group];
    let [branch] = group.branches.as_slice() else { return false };
    let ([head], true) = (branch.ops.as_slice(), branch.pointwise.is_empty()) else { return false };
    let channels = network.ops[*head].inputs.first().and_then(|&input| network.dims(input).get(1)).copied();
    group.kind == Kind::Convolution
        && channels.is_some_and(|channels| channels > IMAGE_CHANNELS)
        && !network.outputs.contains(&image)
        && network.readers(image).iter().all(|reader| readers.contains(reader))
}
