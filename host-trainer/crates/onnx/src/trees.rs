//! Ensembles of trees, as this program's boosting writes them.

use super::error::{OnnxError, fault};
use super::proto::{AttributeProto, NodeProto};

/// The trees of one node of the graph, as `fit::boost` writes them: branches by `<`, every child after its parent, every
/// leaf's weight to the first class.
#[derive(Debug)]
pub(super) struct Trees {
    nodes: Vec<Node>,
    /// Number of each tree's first node.
    roots: Vec<usize>,
    pub(super) classes: usize,
    /// Features that an input must have.
    columns: usize,
}

/// A node of a tree.
#[derive(Debug, Clone, Copy)]
enum Node {
    /// Rows whose feature is below the threshold go to `yes`.
    Branch { feature: usize, threshold: f32, yes: usize, no: usize },
    /// Adds a weight.
    Leaf { weight: f32 },
}

/// A column of integers that count or number something.
fn numbers(node: &NodeProto, name: &str) -> Result<Vec<usize>, OnnxError> {
    let numbers = column(node, name)?.ints.iter().map(|number| usize::try_from(*number));
    numbers.collect::<Result<_, _>>().map_err(|_| fault(format!("`{name}` has a negative number")))
}

fn column<'a>(node: &'a NodeProto, name: &str) -> Result<&'a AttributeProto, OnnxError> {
    node.attribute(name).ok_or_else(|| fault(format!("no attribute `{name}`")))
}

/// An error with this message unless the condition holds.
fn ensure(holds: bool, message: &str) -> Result<(), OnnxError> {
    if holds { Ok(()) } else { Err(fault(message)) }
}

impl Trees {
    /// Reads the attributes of a `TreeEnsembleClassifier`.
    pub(super) fn of(node: &NodeProto) -> Result<Self, OnnxError> {
        let integers = |name: &str| numbers(node, name);
        let (tree_ids, node_ids) = (integers("nodes_treeids")?, integers("nodes_nodeids")?);
        let features = integers("nodes_featureids")?;
        let (yes, no) = (integers("nodes_truenodeids")?, integers("nodes_falsenodeids")?);
        let values = &column(node, "nodes_values")?.floats;
        let modes = &column(node, "nodes_modes")?.strings;
        let count = tree_ids.len();
        let lengths = [node_ids.len(), features.len(), yes.len(), no.len(), values.len(), modes.len()];
        ensure(count > 0 && lengths.iter().all(|length| *length == count), "columns of nodes differ in length")?;
        let transforms = node.attribute("post_transform").is_some_and(|transform| transform.s != b"NONE");
        let plain = !transforms && node.attribute("base_values").is_none();
        ensure(plain, "the trees' sum is changed afterwards, which this program's models do not ask for")?;

        let mut roots: Vec<usize> = Vec::new();
        for (i, (tree, id)) in tree_ids.iter().zip(&node_ids).enumerate() {
            if *tree == roots.len() {
                roots.push(i);
            }
            let next = roots
                .last()
                .is_some_and(|root| tree.checked_add(1) == Some(roots.len()) && root.checked_add(*id) == Some(i));
            ensure(next, "nodes are out of order")?;
        }
        let mut nodes = Vec::with_capacity(count);
        for (i, mode) in modes.iter().enumerate() {
            let root = roots[tree_ids[i]];
            let end = roots.get(tree_ids[i] + 1).copied().unwrap_or(count);
            nodes.push(match mode.as_slice() {
                b"LEAF" => Node::Leaf { weight: 0.0 },
                b"BRANCH_LT" => {
                    // Children after their parent: no walk goes round in circles.
                    let child = |id: usize| root.checked_add(id).filter(|child| (i + 1..end).contains(child));
                    let (Some(yes), Some(no)) = (child(yes[i]), child(no[i])) else {
                        return Err(fault(format!("a branch of tree {} leads out of it, or back", tree_ids[i])));
                    };
                    Node::Branch { feature: features[i], threshold: values[i], yes, no }
                }
                other => {
                    let mode = String::from_utf8_lossy(other);
                    return Err(fault(format!("a node of mode {mode}, which this program's models do not have")));
                }
            });
        }
        let (leaf_trees, leaf_nodes) = (integers("class_treeids")?, integers("class_nodeids")?);
        let (weights, class_ids) = (&column(node, "class_weights")?.floats, integers("class_ids")?);
        let same = [leaf_nodes.len(), weights.len(), class_ids.len()].iter().all(|length| *length == leaf_trees.len());
        ensure(same && class_ids.iter().all(|class| *class == 0), "leaves are not of the first class alone")?;
        for ((tree, id), weight) in leaf_trees.iter().zip(&leaf_nodes).zip(weights) {
            let at = roots.get(*tree).and_then(|root| root.checked_add(*id));
            match at.and_then(|at| nodes.get_mut(at)) {
                Some(Node::Leaf { weight: slot }) => *slot = *weight,
                _ => return Err(fault(format!("a weight of tree {tree} belongs to no leaf"))),
            }
        }
        let asked = nodes.iter().filter_map(|node| match node {
            Node::Branch { feature, .. } => Some(feature.saturating_add(1)),
            Node::Leaf { .. } => None,
        });
        let columns = asked.max().unwrap_or(0);
        let classes = column(node, "classlabels_int64s")?.ints.len();
        ensure(classes > 0, "trees without a class")?;
        Ok(Self { nodes, roots, classes, columns })
    }

    fn value(&self, root: usize, row: &[f32]) -> f32 {
        let mut at = root;
        loop {
            match self.nodes[at] {
                Node::Leaf { weight } => return weight,
                Node::Branch { feature, threshold, yes, no } => {
                    at = if row[feature] < threshold { yes } else { no };
                }
            }
        }
    }

    /// Scores of rows that are given one after the other, class after class for each row.
    pub(super) fn scores(&self, rows: &[f32], columns: usize) -> Result<Vec<f32>, OnnxError> {
        ensure(columns >= self.columns.max(1), &format!("trees ask for {} features of {columns}", self.columns))?;
        let mut sums = vec![0.0_f64; rows.len() / columns];
        for root in &self.roots {
            for (sum, row) in sums.iter_mut().zip(rows.chunks_exact(columns)) {
                *sum += f64::from(self.value(*root, row));
            }
        }
        let rest = self.classes - 1;
        Ok(sums.into_iter().flat_map(|sum| std::iter::once(sum as f32).chain(std::iter::repeat_n(0.0, rest))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::GraphBuilder;
    use crate::embedded::Plan;
    use crate::proto::{AttributeType, ModelProto};
    use proptest::prelude::*;

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

    fn load(attributes: Vec<AttributeProto>) -> Result<Plan, OnnxError> {
        use prost::Message;
        let mut graph = GraphBuilder::new();
        let input = graph.input();
        let input = graph.to_float(&input);
        let scores = graph.apply_for_output("ai.onnx.ml", "TreeEnsembleClassifier", &[&input], attributes, 1);
        let first = graph.columns(&scores, &[0]);
        let output = graph.to_double(&first);
        Plan::load(&ModelProto::decode(&graph.finish(&output, "runtime", 2, &[])[..]).expect("our own"), 2)
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
                Err(e) => e.to_string(),
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
                let scores = trees.scores(&row, row.len()).expect("as many features as it asks for");
                prop_assert!(scores.iter().all(|score| score.is_finite()));
            }
        }
    }
}
