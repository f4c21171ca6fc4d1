//! The embedded runtime: tract, with an evaluation of tree ensembles of our own. Tract's builds views for every tree and row
//! and looks through other trees' leaves, so that a hundred small trees took tens of times as long as all the rest.

use std::sync::{Arc, OnceLock};
use tract_onnx::Onnx;
use tract_onnx::model::ParsingContext;
use tract_onnx::pb::{ModelProto, NodeProto};
use tract_onnx::tract_core::ops::array::Slice;
use tract_onnx::tract_hir::internal::*;

/// A model that is ready to run, by several threads at once.
#[derive(Debug)]
pub(super) struct Plan(Arc<TypedRunnableModel>);

impl Plan {
    /// Prepares a model of one input and one output.
    pub(super) fn load(model: &ModelProto) -> TractResult<Self> {
        static ONNX: OnceLock<Onnx> = OnceLock::new();
        let onnx = ONNX.get_or_init(|| {
            let mut onnx = tract_onnx::onnx();
            onnx.op_register.insert("TreeEnsembleClassifier", read);
            onnx
        });
        let parsed = onnx.parse(model, None)?;
        ensure!(parsed.unresolved_inputs.is_empty(), "the graph misses {}", parsed.unresolved_inputs.join(", "));
        Ok(Self(parsed.model.into_optimized()?.into_runnable()?))
    }

    /// Runs rows of `columns` features, given one after the other: all values of the output.
    pub(super) fn run(&self, rows: &[f32], columns: usize) -> TractResult<Vec<f32>> {
        let input = Tensor::from_shape(&[rows.len() / columns, columns], rows)?;
        let outputs = self.0.run(tvec!(input.into()))?;
        let [output] = outputs.as_slice() else { bail!("{} outputs", outputs.len()) };
        Ok(output.try_as_plain_ram()?.as_slice::<f32>()?.to_vec())
    }
}

/// The trees of one node of the graph, as `fit::boost` writes them: branches by `<`, every child after its parent, every
/// leaf's weight to the first class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Trees {
    nodes: Vec<Node>,
    /// Number of each tree's first node.
    roots: Vec<usize>,
    classes: usize,
    /// Features that an input must have.
    columns: usize,
}

/// A node, told by bits so that it can be hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Node {
    /// Rows whose feature is below the threshold go to `yes`.
    Branch { feature: usize, threshold: u32, yes: usize, no: usize },
    /// Adds a weight.
    Leaf { weight: u32 },
}

/// Reads a `TreeEnsembleClassifier`.
fn read(_: &ParsingContext<'_>, node: &NodeProto) -> TractResult<(Box<dyn InferenceOp>, Vec<String>)> {
    Ok((expand(Trees::of(node)?), vec![]))
}

impl Trees {
    fn of(node: &NodeProto) -> TractResult<Self> {
        let integers = |name: &str| node.get_attr_vec::<usize>(name);
        let (tree_ids, node_ids) = (integers("nodes_treeids")?, integers("nodes_nodeids")?);
        let features = integers("nodes_featureids")?;
        let (yes, no) = (integers("nodes_truenodeids")?, integers("nodes_falsenodeids")?);
        let values = node.get_attr_vec::<f32>("nodes_values")?;
        let modes = node.get_attr_vec::<&str>("nodes_modes")?;
        let count = tree_ids.len();
        let lengths = [node_ids.len(), features.len(), yes.len(), no.len(), values.len(), modes.len()];
        ensure!(count > 0 && lengths.iter().all(|length| *length == count), "columns of nodes differ in length");
        let post_transform = node.get_attr_opt::<&str>("post_transform")?.unwrap_or("NONE");
        let plain = post_transform == "NONE" && node.attribute.iter().all(|attribute| attribute.name != "base_values");
        ensure!(plain, "the trees' sum is changed afterwards, which this program's models do not ask for");

        let mut roots: Vec<usize> = Vec::new();
        for (i, (tree, id)) in tree_ids.iter().zip(&node_ids).enumerate() {
            if *tree == roots.len() {
                roots.push(i);
            }
            ensure!(
                roots.last().is_some_and(|root| *tree + 1 == roots.len() && root + id == i),
                "nodes are out of order"
            );
        }
        let mut nodes = Vec::with_capacity(count);
        for (i, mode) in modes.iter().enumerate() {
            let root = roots[tree_ids[i]];
            let end = roots.get(tree_ids[i] + 1).copied().unwrap_or(count);
            nodes.push(match *mode {
                "LEAF" => Node::Leaf { weight: 0.0_f32.to_bits() },
                "BRANCH_LT" => {
                    // Children after their parent: no walk goes round in circles.
                    let child = |id: usize| root.checked_add(id).filter(|child| (i + 1..end).contains(child));
                    let (Some(yes), Some(no)) = (child(yes[i]), child(no[i])) else {
                        bail!("a branch of tree {} leads out of it, or back", tree_ids[i])
                    };
                    Node::Branch { feature: features[i], threshold: values[i].to_bits(), yes, no }
                }
                other => bail!("a node of mode {other}, which this program's models do not have"),
            });
        }
        let (leaf_trees, leaf_nodes) = (integers("class_treeids")?, integers("class_nodeids")?);
        let (weights, class_ids) = (node.get_attr_vec::<f32>("class_weights")?, integers("class_ids")?);
        let same = [leaf_nodes.len(), weights.len(), class_ids.len()].iter().all(|length| *length == leaf_trees.len());
        ensure!(same && class_ids.iter().all(|class| *class == 0), "leaves are not of the first class alone");
        for ((tree, id), weight) in leaf_trees.iter().zip(&leaf_nodes).zip(weights) {
            let at = roots.get(*tree).and_then(|root| root.checked_add(*id));
            match at.and_then(|at| nodes.get_mut(at)) {
                Some(Node::Leaf { weight: slot }) => *slot = weight.to_bits(),
                _ => bail!("a weight of tree {tree} belongs to no leaf"),
            }
        }
        let asked = nodes.iter().filter_map(|node| match node {
            Node::Branch { feature, .. } => Some(feature + 1),
            Node::Leaf { .. } => None,
        });
        let columns = asked.max().unwrap_or(0);
        let classes = node.get_attr_slice::<i64>("classlabels_int64s")?.len();
        ensure!(classes > 0, "trees without a class");
        Ok(Self { nodes, roots, classes, columns })
    }

    fn value(&self, root: usize, row: &[f32]) -> f32 {
        let mut at = root;
        loop {
            match self.nodes[at] {
                Node::Leaf { weight } => return f32::from_bits(weight),
                Node::Branch { feature, threshold, yes, no } => {
                    at = if row[feature] < f32::from_bits(threshold) { yes } else { no };
                }
            }
        }
    }

    /// Each row's scores, class after class.
    fn scores(&self, rows: &[f32], columns: usize) -> Vec<f32> {
        let mut sums = vec![0.0_f64; rows.len() / columns];
        for root in &self.roots {
            for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(columns)) {
                *sum += f64::from(self.value(*root, row));
            }
        }
        let rest = self.classes - 1;
        sums.into_iter().flat_map(|sum| std::iter::once(sum as f32).chain(std::iter::repeat_n(0.0, rest))).collect()
    }
}

impl Expansion for Trees {
    fn name(&self) -> StaticName {
        "TreeEnsembleClassifier".into()
    }

    fn nboutputs(&self) -> TractResult<usize> {
        Ok(2)
    }

    fn rules<'r, 'p: 'r, 's: 'r>(
        &'s self,
        solver: &mut Solver<'r>,
        inputs: &'p [TensorProxy],
        outputs: &'p [TensorProxy],
    ) -> InferenceResult {
        check_input_arity(inputs, 1)?;
        check_output_arity(outputs, 2)?;
        solver.equals(&outputs[0].datum_type, i64::datum_type())?;
        solver.equals(&outputs[1].datum_type, f32::datum_type())?;
        solver.equals(&outputs[0].rank, 1)?;
        solver.equals(&outputs[1].rank, 2)?;
        solver.equals(&outputs[0].shape[0], &inputs[0].shape[0])?;
        solver.equals(&outputs[1].shape[0], &inputs[0].shape[0])?;
        solver.equals(&outputs[1].shape[1], self.classes.to_dim())
    }

    fn wire(&self, prefix: &str, model: &mut TypedModel, inputs: &[OutletId]) -> TractResult<TVec<OutletId>> {
        use tract_onnx::tract_core::ops::{cast::cast, change_axes::AxisOp};
        let scores = model.wire_node(format!("{prefix}.scores"), self.clone(), inputs)?;
        // The labels, which no model of ours reads.
        let first = model.wire_node(format!("{prefix}.first"), Slice::new(1, 0, 1), &scores)?;
        let flat = model.wire_node(format!("{prefix}.flat"), AxisOp::Rm(1), &first)?;
        let labels = model.wire_node(format!("{prefix}.labels"), cast(i64::datum_type()), &flat)?;
        Ok(tvec!(labels[0], scores[0]))
    }
}

impl Op for Trees {
    fn name(&self) -> StaticName {
        "TreeEnsembleClassifier".into()
    }

    op_as_typed_op!();
}

impl EvalOp for Trees {
    op_out_of_plan!();

    fn eval(&self, _: &EvalContext<'_>, inputs: TVec<TValue>) -> TractResult<TVec<TValue>> {
        let input = args_1!(inputs);
        let [rows, columns] = *input.shape() else { bail!("trees take a matrix") };
        ensure!(columns >= self.columns, "trees ask for {} features of {columns}", self.columns);
        let scores = if columns == 0 {
            vec![0.0; rows * self.classes]
        } else {
            self.scores(input.try_as_plain_ram()?.as_slice::<f32>()?, columns)
        };
        Ok(tvec!(Tensor::from_shape(&[rows, self.classes], &scores)?.into()))
    }
}

impl TypedOp for Trees {
    fn output_facts(&self, inputs: &[&TypedFact]) -> TractResult<TVec<TypedFact>> {
        let [input] = inputs else { bail!("trees take one input") };
        ensure!(input.datum_type == f32::datum_type() && input.rank() == 2, "trees take a matrix of floats");
        Ok(tvec!(f32::fact(&[input.shape[0].clone(), self.classes.to_dim()])))
    }

    as_op!();
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GraphBuilder;
    use proptest::prelude::*;
    use tract_onnx::pb::{AttributeProto, attribute_proto::AttributeType};

    fn integers(name: &str, ints: &[i64]) -> AttributeProto {
        let (name, ints) = (name.to_owned(), ints.to_vec());
        AttributeProto { name, r#type: AttributeType::Ints as i32, ints, ..Default::default() }
    }

    fn floats(name: &str, floats: &[f32]) -> AttributeProto {
        let (name, floats) = (name.to_owned(), floats.to_vec());
        AttributeProto { name, r#type: AttributeType::Floats as i32, floats, ..Default::default() }
    }

    fn modes(modes: &[&str]) -> AttributeProto {
        let strings = modes.iter().map(|mode| mode.as_bytes().to_vec()).collect();
        let name = "nodes_modes".to_owned();
        AttributeProto { name, r#type: AttributeType::Strings as i32, strings, ..Default::default() }
    }

    /// Two trees: x₀ < 1 gives 10, else x₁ < 2 gives 20, else 30; and 0.5 whatever comes.
    fn attributes() -> Vec<AttributeProto> {
        vec![
            integers("classlabels_int64s", &[0, 1, 2]),
            integers("nodes_treeids", &[0, 0, 0, 0, 0, 1]),
            integers("nodes_nodeids", &[0, 1, 2, 3, 4, 0]),
            integers("nodes_featureids", &[0, 0, 1, 0, 0, 0]),
            floats("nodes_values", &[1.0, 0.0, 2.0, 0.0, 0.0, 0.0]),
            integers("nodes_truenodeids", &[1, 0, 3, 0, 0, 0]),
            integers("nodes_falsenodeids", &[2, 0, 4, 0, 0, 0]),
            modes(&["BRANCH_LT", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "LEAF"]),
            integers("class_treeids", &[0, 0, 0, 1]),
            integers("class_nodeids", &[1, 3, 4, 0]),
            integers("class_ids", &[0, 0, 0, 0]),
            floats("class_weights", &[10.0, 20.0, 30.0, 0.5]),
        ]
    }

    fn load(attributes: Vec<AttributeProto>) -> TractResult<Plan> {
        use prost::Message;
        let mut graph = GraphBuilder::new();
        let input = graph.input();
        let input = graph.to_float(&input);
        let scores = graph.apply_for_output("ai.onnx.ml", "TreeEnsembleClassifier", &[&input], attributes, 1);
        let first = graph.columns(&scores, &[0]);
        let output = graph.to_double(&first);
        Plan::load(&ModelProto::decode(&graph.finish(&output, "runtime", 2, &[])[..])?)
    }

    fn with(changed: AttributeProto) -> Vec<AttributeProto> {
        let kept = attributes().into_iter().filter(|attribute| attribute.name != changed.name);
        kept.chain([changed.clone()]).collect()
    }

    #[test]
    fn a_row_gets_the_sum_of_the_leaves_it_falls_into() {
        let plan = load(attributes()).expect("loads");
        let rows = [0.0, 9.0, 1.0, 1.0, 1.0, 2.0, f32::NAN, f32::NAN, -9.0, f32::NAN];
        assert_eq!(plan.run(&rows, 2).expect("runs"), [10.5, 20.5, 30.5, 30.5, 10.5]);
        assert_eq!(plan.run(&rows[..2], 2).expect("runs"), [10.5]);
    }

    #[test]
    fn what_is_no_tree_of_ours_is_refused() {
        let refused = |changed: AttributeProto, words: &str| {
            let message = match load(with(changed)) {
                Ok(_) => panic!("loaded, and should have been refused: {words}"),
                Err(e) => format!("{e:#}"),
            };
            assert!(message.contains(words), "{message}");
        };
        // A circle, which a walk would never leave; a branch into another tree; one beyond all nodes.
        refused(integers("nodes_truenodeids", &[0, 0, 3, 0, 0, 0]), "leads out of it, or back");
        refused(integers("nodes_falsenodeids", &[5, 0, 4, 0, 0, 0]), "leads out of it, or back");
        refused(integers("nodes_falsenodeids", &[i64::MAX, 0, 4, 0, 0, 0]), "leads out of it, or back");
        refused(integers("nodes_nodeids", &[0, 2, 1, 3, 4, 0]), "out of order");
        refused(integers("nodes_treeids", &[0, 0, 0, 0, 0, 7]), "out of order");
        refused(floats("nodes_values", &[1.0]), "differ in length");
        refused(modes(&["BRANCH_GT", "LEAF", "BRANCH_LT", "LEAF", "LEAF", "LEAF"]), "BRANCH_GT");
        refused(integers("class_nodeids", &[2, 3, 4, 0]), "belongs to no leaf");
        refused(integers("class_ids", &[0, 1, 0, 0]), "first class alone");
        refused(integers("classlabels_int64s", &[]), "class");
        refused(floats("base_values", &[1.0, 0.0, 0.0]), "changed afterwards");
    }

    #[test]
    fn a_feature_that_the_input_lacks_is_an_error_and_no_panic() {
        let plan = load(with(integers("nodes_featureids", &[0, 0, 5, 0, 0, 0])));
        assert!(plan.and_then(|plan| plan.run(&[0.0, 1.0], 2)).is_err());
    }

    proptest! {
        /// Whatever the columns hold, it is refused or every walk ends.
        #[test]
        fn no_columns_make_reading_panic_or_a_walk_endless(
            columns in prop::collection::vec(prop::collection::vec(-1_i64..6, 0..7), 9),
            branches in prop::collection::vec(any::<bool>(), 0..7),
            sound in any::<[bool; 9]>(),
        ) {
            let names = [
                "nodes_treeids", "nodes_nodeids", "nodes_featureids", "nodes_truenodeids", "nodes_falsenodeids",
                "class_treeids", "class_nodeids", "class_ids", "classlabels_int64s",
            ];
            let mut attribute = attributes();
            for ((name, column), sound) in names.iter().zip(&columns).zip(sound) {
                if !sound {
                    attribute.retain(|known| known.name != *name);
                    attribute.push(integers(name, column));
                }
            }
            if branches.len() == 6 {
                attribute.retain(|known| known.name != "nodes_modes");
                attribute.push(modes(&branches.iter().map(|b| if *b { "BRANCH_LT" } else { "LEAF" }).collect::<Vec<_>>()));
            }
            if let Ok(trees) = Trees::of(&NodeProto { attribute, ..Default::default() }) {
                let row = vec![0.5; trees.columns.max(1)];
                prop_assert!(trees.scores(&row, row.len()).iter().all(|score| score.is_finite()));
            }
        }
    }
}
