//! A finished model whose output is multiplied by factors.

use super::error::OnnxError;
use super::proto::{DataType, NodeProto, TensorProto};
use super::run::inspect;
use prost::Message;

/// What becomes of an output y: `low · min(y, limit) + high · (y − min(y, limit))`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rescaling {
    /// Up to here the factor is `low`.
    pub limit: f32,
    /// The factor up to the limit.
    pub low: f32,
    /// The factor of what exceeds it.
    pub high: f32,
}

impl Rescaling {
    /// The new value of an output.
    #[must_use]
    pub fn of(&self, value: f32) -> f32 {
        let below = value.min(self.limit);
        self.low * below + self.high * (value - below)
    }
}

/// A copy of a model whose output is rescaled; `metadata` replaces entries of the same key.
///
/// ```
/// use onnx::{GraphBuilder, Model, Rescaling, rescale};
///
/// let mut graph = GraphBuilder::new();
/// let input = graph.input();
/// let bytes = graph.finish(&input, "runtime", 1, &[("device", "a".to_owned())]);
/// let rescaling = Rescaling { limit: 1.0, low: 2.0, high: 3.0 };
/// let model = Model::load(&rescale(&bytes, rescaling, &[("device", "b".to_owned())])?)?;
/// assert_eq!(model.predict(&[0.5, 4.0])?, [1.0, 11.0]);
/// # Ok::<(), onnx::OnnxError>(())
/// ```
///
/// # Errors
/// Bytes that are no model of ours.
pub fn rescale(bytes: &[u8], rescaling: Rescaling, metadata: &[(&str, String)]) -> Result<Vec<u8>, OnnxError> {
    let (mut model, output, _) = inspect(bytes)?;
    let graph = model.graph.as_mut().ok_or_else(|| OnnxError::Damaged("it has no graph".into()))?;
    // Names that the graph does not have yet: a model may be rescaled twice.
    let taken: Vec<String> = graph
        .node
        .iter()
        .flat_map(|node| node.output.iter().chain([&node.name]))
        .chain(graph.initializer.iter().map(|constant| &constant.name))
        .cloned()
        .collect();
    let free = |name: &str| (0..).map(|n| format!("{name}_{n}")).find(|name| !taken.contains(name)).unwrap_or_default();
    let inner = free("unscaled");
    for node in &mut graph.node {
        node.output
            .iter_mut()
            .chain(&mut node.input)
            .filter(|name| **name == output)
            .for_each(|name| name.clone_from(&inner));
    }
    let mut constant = |name: &str, value: f32| {
        let name = free(name);
        graph.initializer.push(TensorProto {
            name: name.clone(),
            dims: vec![1, 1],
            data_type: DataType::Float as i32,
            raw_data: value.to_le_bytes().to_vec(),
            ..Default::default()
        });
        name
    };
    let (limit, low, high) =
        (constant("limit", rescaling.limit), constant("low", rescaling.low), constant("high", rescaling.high));
    let names = ["below", "above", "below_scaled", "above_scaled"].map(free);
    let [below, above, below_scaled, above_scaled] = &names;
    let steps = [
        ("Min", [&inner, &limit], below),
        ("Sub", [&inner, below], above),
        ("Mul", [below, &low], below_scaled),
        ("Mul", [above, &high], above_scaled),
        ("Add", [below_scaled, above_scaled], &output),
    ];
    for (operator, inputs, result) in steps {
        graph.node.push(NodeProto {
            name: free(&format!("{operator}_of_{result}")),
            op_type: operator.to_owned(),
            input: inputs.map(Clone::clone).to_vec(),
            output: vec![result.clone()],
            ..Default::default()
        });
    }
    for (key, value) in metadata {
        if let Some(entry) = model.metadata_props.iter_mut().find(|entry| entry.key == *key) {
            entry.value.clone_from(value);
        }
    }
    Ok(model.encode_to_vec())
}
