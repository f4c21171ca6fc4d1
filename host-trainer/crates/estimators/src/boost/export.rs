//! Writes boosted trees as an ONNX tree ensemble.

use super::{Forest, Node, Tree};
use onnx::proto::{AttributeProto, AttributeType};
use onnx::{GraphBuilder, Value};

/// The scores' classes: three, since of one or two some runtimes make a probability and its complement.
const CLASSES: [i64; 3] = [0, 1, 2];

/// Trees a node. A node adds up in single precision, nodes are added up in double: few enough trees that no digit is lost,
/// enough that a forest is a handful of nodes.
const TREES_A_NODE: usize = 64;

impl Forest {
    /// Writes the sum over the trees into a graph for rows of features (`rows × features`, float): a column of doubles.
    ///
    /// It is written as `TreeEnsembleClassifier`s whose first class's raw score is the sum: `TreeEnsembleRegressor` says the
    /// same, but some runtimes do not have it.
    pub fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let sums: Vec<Value> = self.0.chunks(TREES_A_NODE).map(|trees| to_node(trees, graph, features)).collect();
        let sums = graph.beside(&sums.iter().collect::<Vec<_>>());
        let sums = graph.to_double(&sums);
        let axis = graph.integers(&[1], &[1]);
        graph.apply("ReduceSum", &[&sums, &axis], vec![])
    }
}

/// One node: the sum over some trees, a column of floats.
fn to_node(trees: &[Tree], graph: &mut GraphBuilder, features: &Value) -> Value {
    let mut nodes = NodeColumns::default();
    let mut leaves = LeafColumns::default();
    for (tree_id, tree) in trees.iter().enumerate() {
        for (node_id, node) in tree.0.iter().enumerate() {
            let (mode, feature, value, yes, no) = match *node {
                Node::Split { feature, threshold, left, right } => ("BRANCH_LT", feature, threshold, left, right),
                Node::Leaf(value) => {
                    leaves.trees.push(tree_id as i64);
                    leaves.nodes.push(node_id as i64);
                    leaves.weights.push(value);
                    ("LEAF", 0, 0.0, 0, 0)
                }
            };
            nodes.trees.push(tree_id as i64);
            nodes.ids.push(node_id as i64);
            nodes.features.push(feature as i64);
            nodes.values.push(value);
            nodes.yes.push(yes as i64);
            nodes.no.push(no as i64);
            nodes.modes.push(mode.as_bytes().to_vec());
        }
    }
    let attributes = vec![
        integers("classlabels_int64s", CLASSES.to_vec()),
        integers("class_ids", vec![0; leaves.nodes.len()]),
        integers("class_nodeids", leaves.nodes),
        integers("class_treeids", leaves.trees),
        floats("class_weights", leaves.weights),
        integers("nodes_treeids", nodes.trees),
        integers("nodes_nodeids", nodes.ids),
        integers("nodes_featureids", nodes.features),
        floats("nodes_values", nodes.values),
        integers("nodes_truenodeids", nodes.yes),
        integers("nodes_falsenodeids", nodes.no),
        AttributeProto {
            name: "nodes_modes".to_owned(),
            r#type: AttributeType::Strings as i32,
            strings: nodes.modes,
            ..Default::default()
        },
        AttributeProto {
            name: "post_transform".to_owned(),
            r#type: AttributeType::String as i32,
            s: b"NONE".to_vec(),
            ..Default::default()
        },
    ];
    let scores = graph.apply_for_output("ai.onnx.ml", "TreeEnsembleClassifier", &[features], attributes, 1);
    graph.columns(&scores, &[0])
}

#[derive(Default)]
struct NodeColumns {
    trees: Vec<i64>,
    ids: Vec<i64>,
    features: Vec<i64>,
    values: Vec<f32>,
    yes: Vec<i64>,
    no: Vec<i64>,
    modes: Vec<Vec<u8>>,
}

#[derive(Default)]
struct LeafColumns {
    trees: Vec<i64>,
    nodes: Vec<i64>,
    weights: Vec<f32>,
}

fn integers(name: &str, ints: Vec<i64>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Ints as i32, ints, ..Default::default() }
}

fn floats(name: &str, floats: Vec<f32>) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Floats as i32, floats, ..Default::default() }
}
