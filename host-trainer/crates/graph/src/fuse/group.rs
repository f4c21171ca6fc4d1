//! Operators that run as one layer.

use crate::network::{Network, OpId};
use crate::read::TensorId;
use std::collections::HashSet;

/// The number of a group.
pub(crate) type GroupId = usize;

/// What a group of operators runs as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Kind {
    /// A convolution with what is fused behind it.
    Convolution,
    /// A transposed convolution.
    Deconvolution,
    /// A dense layer.
    Dense,
    /// A pooling.
    Pooling,
    /// Element-wise arithmetic.
    Pointwise,
    /// A matrix product inside a region that Myelin compiles.
    Product,
    /// Any other kernel inside such a region.
    Kernel,
    /// A concatenation: no layer, but copies of what cannot be written in place.
    Concat,
    /// A range of channels: no layer where its readers can take a range.
    Range,
    /// Shapes that change without a move.
    View,
    /// Axes that move.
    Shuffle,
    /// A layer of its own.
    Single,
}

/// Operators that run one after the other inside one layer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Branch {
    /// The operators, in order.
    pub(crate) ops: Vec<OpId>,
    /// Element-wise operators that a convolution takes in as a pointwise epilogue.
    pub(crate) pointwise: Vec<OpId>,
}

/// Operators that run as one layer.
#[derive(Debug, Clone)]
pub(crate) struct Group {
    pub(crate) kind: Kind,
    /// One, or several for convolutions that run side by side.
    pub(crate) branches: Vec<Branch>,
    /// The Myelin region that it belongs to.
    pub(crate) region: Option<usize>,
}

impl Group {
    pub(crate) fn of(kind: Kind, ops: Vec<OpId>) -> Self {
        Self { kind, branches: vec![Branch { ops, pointwise: Vec::new() }], region: None }
    }

    /// All its operators.
    pub(crate) fn ops(&self) -> impl Iterator<Item = OpId> + '_ {
        self.branches.iter().flat_map(|branch| branch.ops.iter().chain(&branch.pointwise).copied())
    }

    /// The operator that names it: the convolution, the pooling, …
    pub(crate) fn head(&self) -> Option<OpId> {
        self.branches.first()?.ops.first().copied()
    }

    /// Tensors that it reads and does not make itself, each once, the head's first.
    pub(crate) fn inputs(&self, network: &Network) -> Vec<TensorId> {
        let made: HashSet<TensorId> = self.ops().flat_map(|op| network.ops[op].outputs.iter().copied()).collect();
        let mut seen = HashSet::new();
        let all = self.ops().flat_map(|op| network.ops[op].inputs.iter().copied());
        all.filter(|input| !made.contains(input) && seen.insert(*input)).collect()
    }

    /// Tensors that it makes and others read, or that are outputs of the model.
    pub(crate) fn outputs(&self, network: &Network) -> Vec<TensorId> {
        let own: HashSet<OpId> = self.ops().collect();
        let all = self.ops().flat_map(|op| network.ops[op].outputs.iter().copied());
        all.filter(|&output| {
            network.outputs.contains(&output) || network.readers(output).iter().any(|reader| !own.contains(reader))
        })
        .collect()
    }

    /// Whether it adds a tensor that another layer makes.
    pub(crate) fn has_residual(&self, network: &Network) -> bool {
        self.kind == Kind::Convolution
            && self.branches.iter().any(|branch| {
                let tail = branch.ops.iter().skip(1).chain(&branch.pointwise);
                let own: HashSet<TensorId> =
                    branch.ops.iter().chain(&branch.pointwise).map(|&op| network.ops[op].output()).collect();
                tail.flat_map(|&op| &network.ops[op].inputs).any(|input| !own.contains(input))
            })
    }
}

/// Which operators run together.
#[derive(Debug)]
pub(crate) struct Groups {
    pub(crate) all: Vec<Group>,
    owner: Vec<Option<GroupId>>,
}

impl Groups {
    pub(crate) fn new(operators: usize) -> Self {
        Self { all: Vec::new(), owner: vec![None; operators] }
    }

    /// The group of an operator.
    pub(crate) fn owner(&self, op: OpId) -> Option<GroupId> {
        self.owner.get(op).copied().flatten()
    }

    /// Adds a group.
    pub(crate) fn add(&mut self, group: Group) -> GroupId {
        let id = self.all.len();
        for op in group.ops() {
            self.owner[op] = Some(id);
        }
        self.all.push(group);
        id
    }

    /// Moves operators into a group, behind those that it has.
    pub(crate) fn append(&mut self, group: GroupId, op: OpId) {
        self.owner[op] = Some(group);
        if let Some(branch) = self.all[group].branches.first_mut() {
            branch.ops.push(op);
        }
    }

    /// Moves the operators of a pointwise group into a convolution.
    pub(crate) fn absorb(&mut self, group: GroupId, pointwise: GroupId) {
        let ops: Vec<OpId> = self.all[pointwise].ops().collect();
        self.all[pointwise].branches.clear();
        for &op in &ops {
            self.owner[op] = Some(group);
        }
        if let Some(branch) = self.all[group].branches.first_mut() {
            branch.pointwise.extend(ops);
        }
    }

    /// Moves the branches of groups into the first of them.
    pub(crate) fn merge(&mut self, groups: &[GroupId]) {
        let Some((&first, rest)) = groups.split_first() else { return };
        for &other in rest {
            let branches = std::mem::take(&mut self.all[other].branches);
            for op in branches.iter().flat_map(|branch| branch.ops.iter().chain(&branch.pointwise)) {
                self.owner[*op] = Some(first);
            }
            self.all[first].branches.extend(branches);
        }
    }

    /// The group that makes a tensor.
    pub(crate) fn maker(&self, network: &Network, tensor: TensorId) -> Option<GroupId> {
        self.owner(*network.producer.get(&tensor)?)
    }
}
