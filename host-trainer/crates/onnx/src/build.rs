//! Builds the one graph shape that our models have: a float32 matrix of raw features in, one float32 column out.
//!
//! Inside, the arithmetic is in double precision: a polynomial of layer sizes adds terms of 10¹² that nearly cancel, and
//! float32 would leave noise of the result's own size.

use super::proto::{
    AttributeProto, AttributeType, DataType, Dimension, GraphProto, ModelProto, NodeProto, OperatorSetIdProto,
    StringStringEntryProto, TensorProto, TensorShapeProto, TensorTypeProto, TypeProto, ValueInfoProto,
};
use prost::Message;

/// Name of the graph's input.
pub const INPUT: &str = "features";
/// The operator set written. Old enough for JetPack 5's ONNX Runtime, new enough for `ReduceSum` with axes as input.
const OPSET: i64 = 13;
/// The file format version that goes with [`OPSET`].
const IR_VERSION: i64 = 7;

/// A tensor inside a graph under construction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Value(String);

/// A graph under construction.
///
/// ```
/// use onnx::{GraphBuilder, Model};
///
/// // y = 2 a + 3 b
/// let mut graph = GraphBuilder::new();
/// let features = graph.input();
/// let weights = graph.doubles(&[2.0, 3.0], &[2, 1]);
/// let output = graph.apply("MatMul", &[&features, &weights], Vec::new());
/// let bytes = graph.finish(&output, "runtime", 2, &[("unit", "ms".to_owned())]);
///
/// let model = Model::load(&bytes)?;
/// assert_eq!(model.feature_count(), 2);
/// assert_eq!(model.predict(&[1.0, 1.0, 10.0, 0.5])?, [5.0, 21.5]);
/// # Ok::<(), onnx::OnnxError>(())
/// ```
#[derive(Debug, Default)]
pub struct GraphBuilder {
    nodes: Vec<NodeProto>,
    constants: Vec<TensorProto>,
}

impl GraphBuilder {
    /// An empty graph.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The graph's input, rows of features, in double precision.
    pub fn input(&mut self) -> Value {
        let input = Value(INPUT.to_owned());
        self.cast(&input, DataType::Double)
    }

    /// A constant of doubles.
    pub fn doubles(&mut self, values: &[f64], dims: &[i64]) -> Value {
        self.constant(DataType::Double, values.iter().flat_map(|v| v.to_le_bytes()).collect(), dims)
    }

    /// A constant of floats.
    pub fn floats(&mut self, values: &[f32], dims: &[i64]) -> Value {
        self.constant(DataType::Float, values.iter().flat_map(|v| v.to_le_bytes()).collect(), dims)
    }

    /// A constant of integers.
    pub fn integers(&mut self, values: &[i64], dims: &[i64]) -> Value {
        self.constant(DataType::Int64, values.iter().flat_map(|v| v.to_le_bytes()).collect(), dims)
    }

    fn constant(&mut self, data_type: DataType, raw_data: Vec<u8>, dims: &[i64]) -> Value {
        let name = format!("c{}", self.constants.len());
        self.constants.push(TensorProto {
            name: name.clone(),
            dims: dims.to_vec(),
            data_type: data_type as i32,
            raw_data,
            ..Default::default()
        });
        Value(name)
    }

    /// Applies an operator of the standard domain to values and returns its single output.
    pub fn apply(&mut self, operator: &str, inputs: &[&Value], attributes: Vec<AttributeProto>) -> Value {
        self.apply_in_domain("", operator, inputs, attributes)
    }

    /// Applies an operator of any domain and returns its single output; `finish` imports the domains used.
    pub fn apply_in_domain(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
    ) -> Value {
        self.apply_for_output(domain, operator, inputs, attributes, 0)
    }

    /// Applies an operator of several outputs and returns the one at `position`; those behind it are left out.
    pub fn apply_for_output(
        &mut self,
        domain: &str,
        operator: &str,
        inputs: &[&Value],
        attributes: Vec<AttributeProto>,
        position: usize,
    ) -> Value {
        let number = self.nodes.len();
        let mut outputs: Vec<String> = (0..position).map(|i| format!("v{number}_{i}")).collect();
        let output = format!("v{number}");
        outputs.push(output.clone());
        self.nodes.push(NodeProto {
            name: format!("{operator}_{number}"),
            op_type: operator.to_owned(),
            domain: domain.to_owned(),
            input: inputs.iter().map(|value| value.0.clone()).collect(),
            output: outputs,
            attribute: attributes,
            ..Default::default()
        });
        Value(output)
    }

    /// Converts to single precision.
    pub fn to_float(&mut self, value: &Value) -> Value {
        self.cast(value, DataType::Float)
    }

    /// Converts to double precision.
    pub fn to_double(&mut self, value: &Value) -> Value {
        self.cast(value, DataType::Double)
    }

    fn cast(&mut self, value: &Value, to: DataType) -> Value {
        self.apply("Cast", &[value], vec![integer_attribute("to", to as i64)])
    }

    /// log(1 + x), element by element.
    pub fn log1p(&mut self, value: &Value) -> Value {
        let one = self.doubles(&[1.0], &[1]);
        let sum = self.apply("Add", &[value, &one], vec![]);
        self.apply("Log", &[&sum], vec![])
    }

    /// Columns of a matrix, chosen by index; an index may repeat.
    pub fn columns(&mut self, matrix: &Value, indices: &[usize]) -> Value {
        let indices: Vec<i64> = indices.iter().map(|&i| i as i64).collect();
        let indices = self.integers(&indices, &[indices.len() as i64]);
        self.apply("Gather", &[matrix, &indices], vec![integer_attribute("axis", 1)])
    }

    /// Matrices side by side.
    pub fn beside(&mut self, matrices: &[&Value]) -> Value {
        self.apply("Concat", matrices, vec![integer_attribute("axis", 1)])
    }

    /// The finished model: `output`, a column of doubles, leaves the graph as float32 under `output_name`.
    #[must_use]
    pub fn finish(
        mut self,
        output: &Value,
        output_name: &str,
        feature_count: usize,
        metadata: &[(&str, String)],
    ) -> Vec<u8> {
        let last = self.to_float(output);
        let renamed = self.nodes.iter_mut().flat_map(|node| &mut node.output).find(|name| **name == last.0);
        if let Some(name) = renamed {
            output_name.clone_into(name);
        }
        let mut domains: Vec<&str> = self.nodes.iter().map(|node| node.domain.as_str()).collect();
        domains.sort_unstable();
        domains.dedup();
        let opset_import = domains
            .iter()
            .map(|domain| OperatorSetIdProto {
                domain: (*domain).to_owned(),
                // `ai.onnx.ml` is the only other domain we write; version 3 holds its tree ensembles.
                version: if domain.is_empty() { OPSET } else { 3 },
            })
            .collect();
        let graph = GraphProto {
            name: output_name.to_owned(),
            input: vec![matrix_info(INPUT, feature_count)],
            output: vec![matrix_info(output_name, 1)],
            node: std::mem::take(&mut self.nodes),
            initializer: std::mem::take(&mut self.constants),
            ..Default::default()
        };
        ModelProto {
            ir_version: IR_VERSION,
            opset_import,
            producer_name: "host-trainer".to_owned(),
            producer_version: env!("CARGO_PKG_VERSION").to_owned(),
            metadata_props: metadata
                .iter()
                .map(|(key, value)| StringStringEntryProto { key: (*key).to_owned(), value: value.clone() })
                .collect(),
            graph: Some(graph),
            ..Default::default()
        }
        .encode_to_vec()
    }
}

/// An integer attribute of a node.
#[must_use]
pub fn integer_attribute(name: &str, value: i64) -> AttributeProto {
    AttributeProto { name: name.to_owned(), r#type: AttributeType::Int as i32, i: value, ..Default::default() }
}

fn matrix_info(name: &str, columns: usize) -> ValueInfoProto {
    let rows = Dimension { dim_param: Some("rows".to_owned()), ..Default::default() };
    let columns = Dimension { dim_value: Some(columns as i64), ..Default::default() };
    let tensor = TensorTypeProto {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: vec![rows, columns] }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto { tensor_type: Some(tensor), ..Default::default() }),
        ..Default::default()
    }
}
