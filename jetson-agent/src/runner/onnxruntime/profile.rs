//! ONNX Runtime's profile: which nodes ran in each cycle, for how long, on what shapes.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::HashMap;

#[derive(Deserialize)]
struct Event {
    #[serde(default)]
    cat: String,
    #[serde(default)]
    name: String,
    #[serde(default)]
    ts: f64,
    #[serde(default)]
    dur: f64,
    #[serde(default)]
    args: Map<String, Value>,
}

/// One node in one cycle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NodeRun {
    /// Duration in ms. The profile counts whole µs.
    pub ms: f64,
    /// Its end, ms after the cycle's start.
    pub end_ms: f64,
}

/// A profile: the nodes in execution order, and each cycle's runs of them.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Profile {
    /// Node names.
    pub nodes: Vec<String>,
    /// The nodes in the shape of a TensorRT engine info's layers.
    pub layers: Vec<Value>,
    /// Cycles; each has one entry a node.
    pub cycles: Vec<Vec<NodeRun>>,
}

/// Parses a profile. A cycle is what ran between two ends of `model_run`; one whose nodes are not those of the first, as
/// with control flow, is left out. `windows` are those of the model's poolings, which no profile tells.
///
/// # Errors
/// When it is no profile or names no node.
pub fn parse(content: &[u8], windows: &HashMap<String, Vec<u64>>) -> Result<Profile, String> {
    let events: Vec<Event> = shared::text::json::from_slice(content).map_err(|e| format!("is no profile: {e}"))?;
    let mut profile = Profile::default();
    let mut cycle: Vec<&Event> = Vec::new();
    for event in &events {
        if event.cat == "Node" && event.name.ends_with("_kernel_time") {
            cycle.push(event);
        } else if event.cat == "Session" && event.name == "model_run" {
            cycle.sort_by(|a, b| a.ts.total_cmp(&b.ts));
            let names: Vec<&str> = cycle.iter().map(|e| e.name.trim_end_matches("_kernel_time")).collect();
            if profile.nodes.is_empty() {
                profile.nodes = names.iter().map(|name| (*name).to_owned()).collect();
                profile.layers =
                    cycle.iter().zip(&profile.nodes).map(|(event, name)| layer(name, &event.args, windows)).collect();
            }
            if !names.is_empty() && names == profile.nodes {
                let run = |e: &&Event| NodeRun { ms: e.dur * 1e-3, end_ms: (e.ts + e.dur - event.ts).max(0.0) * 1e-3 };
                profile.cycles.push(cycle.iter().map(run).collect());
            }
            cycle.clear();
        }
    }
    if profile.nodes.is_empty() { Err("names no node that ran".into()) } else { Ok(profile) }
}

/// A tensor of `input_type_shape`: `{"float": [1, 3, 224, 224]}`.
fn tensors(args: &Map<String, Value>, key: &str) -> Vec<(String, Vec<i64>)> {
    let list = args.get(key).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .filter_map(|tensor| {
            let (kind, dims) = tensor.as_object()?.iter().next()?;
            Some((kind.clone(), dims.as_array()?.iter().filter_map(Value::as_i64).collect()))
        })
        .collect()
}

fn tensor(name: String, (kind, dims): &(String, Vec<i64>)) -> Value {
    let format = match kind.as_str() {
        "float" => "Row major linear FP32",
        "float16" => "Row major linear FP16 format",
        "int8" | "uint8" => "Row major Int8 format",
        "int32" => "Row major INT32 format",
        "int64" => "Row major INT64 format",
        "bool" => "Row major Bool format",
        other => other,
    };
    json!({ "Name": name, "Location": "Host", "Dimensions": dims, "Format/Datatype": format })
}

/// Stride, and padding before and behind, of each axis in space: they follow from the extents.
fn strides(kernel: &[i64], input: &[i64], output: &[i64]) -> (Vec<i64>, [Vec<i64>; 2]) {
    let extent = |dims: &[i64], axis: usize| dims.get(axis + 2).copied().unwrap_or(1).max(1);
    let (mut stride, mut padding) = (Vec::new(), [Vec::new(), Vec::new()]);
    for (axis, window) in kernel.iter().enumerate() {
        let (from, to) = (extent(input, axis), extent(output, axis));
        let step = ((from as f64 / to as f64).round() as i64).max(1);
        let all = ((to - 1).saturating_mul(step).saturating_add(*window).saturating_sub(from)).max(0);
        stride.push(step);
        padding[0].push(all / 2);
        padding[1].push(all - all / 2);
    }
    (stride, padding)
}

/// A node as TensorRT would describe the layer. The profile tells shapes, not attributes: a convolution's kernel, groups
/// and output channels follow from its weights' shape, a pooling's window is that of the model's operator.
fn layer(name: &str, args: &Map<String, Value>, windows: &HashMap<String, Vec<u64>>) -> Value {
    let operator = args.get("op_name").and_then(Value::as_str).unwrap_or("Unknown");
    let inputs = tensors(args, "input_type_shape");
    let outputs = tensors(args, "output_type_shape");
    let convolution = matches!(operator, "Conv" | "FusedConv" | "NhwcFusedConv");
    let activations = if convolution || operator.ends_with("Gemm") { 1 } else { inputs.len() };
    let mut layer = json!({
        "Name": name,
        "LayerType": match operator {
            "Conv" | "FusedConv" | "NhwcFusedConv" => "CaskConvolution",
            "Gemm" | "FusedGemm" | "MatMul" => "gemm",
            "MaxPool" | "AveragePool" | "GlobalAveragePool" | "GlobalMaxPool" => "CaskPooling",
            "Relu" | "Add" | "Mul" | "Clip" | "Sigmoid" | "BatchNormalization" => "ElementWise",
            "Softmax" => "SoftMax",
            "Reshape" | "Flatten" | "Transpose" | "ReorderInput" | "ReorderOutput" | "Concat" | "Pad" => "Reformat",
            other => other,
        },
        "Inputs": inputs.iter().take(activations).enumerate()
            .map(|(i, t)| tensor(format!("{name}:in{i}"), t)).collect::<Vec<_>>(),
        "Outputs": outputs.iter().enumerate().map(|(i, t)| tensor(format!("{name}:out{i}"), t)).collect::<Vec<_>>(),
        "ParameterType": operator,
        "Origin": "ONNX Runtime",
    });
    let (Some(input), Some(output)) = (inputs.first(), outputs.first()) else { return layer };
    if convolution && let Some((_, weights)) = inputs.get(1).filter(|(_, dims)| dims.len() >= 3) {
        let kernel = &weights[2..];
        let (stride, [before, after]) = strides(kernel, &input.1, &output.1);
        let channels = input.1.get(1).copied().unwrap_or(1);
        layer["ParameterType"] = "Convolution".into();
        layer["Kernel"] = json!(kernel);
        layer["Stride"] = json!(stride);
        layer["PrePadding"] = json!(before);
        layer["PostPadding"] = json!(after);
        layer["Dilation"] = json!(vec![1; kernel.len()]);
        layer["OutMaps"] = json!(weights[0]);
        layer["Groups"] = json!((channels / weights[1].max(1)).max(1));
        layer["Weights"] = json!({ "Type": "Float", "Count": weights.iter().product::<i64>() });
    } else if operator.starts_with("Global") {
        layer["ParameterType"] = "Pooling".into();
        layer["WindowSize"] = json!(input.1.get(2..).unwrap_or_default());
    } else if operator.ends_with("Pool") {
        layer["ParameterType"] = "Pooling".into();
        // The stride follows from the extents.
        let axes = input.1.len().saturating_sub(2);
        layer["Stride"] = json!(strides(&vec![1; axes], &input.1, &output.1).0);
        if let Some(window) = windows.get(name).filter(|window| window.len() == axes) {
            let window: Vec<i64> = window.iter().map(|extent| i64::try_from(*extent).unwrap_or(i64::MAX)).collect();
            let (_, [before, after]) = strides(&window, &input.1, &output.1);
            layer["WindowSize"] = json!(window);
            layer["PrePadding"] = json!(before);
            layer["PostPadding"] = json!(after);
        }
    }
    layer
}

#[cfg(test)]
mod tests {
    use super::*;

    const PROFILE: &str = r#"[
        {"cat":"Session","pid":1,"tid":1,"dur":500,"ts":10,"ph":"X","name":"session_initialization","args":{}},
        {"cat":"Node","dur":30,"ts":1010,"ph":"X","name":"conv_kernel_time","args":{"op_name":"Conv",
          "input_type_shape":[{"float":[1,4,32,32]},{"float":[8,2,3,3]},{"float":[8]}],"output_type_shape":[{"float":[1,8,16,16]}]}},
        {"cat":"Node","dur":5,"ts":1045,"ph":"X","name":"relu_kernel_time","args":{"op_name":"Relu",
          "input_type_shape":[{"float":[1,8,16,16]}],"output_type_shape":[{"float":[1,8,16,16]}]}},
        {"cat":"Session","dur":60,"ts":1000,"ph":"X","name":"model_run","args":{}},
        {"cat":"Node","dur":20,"ts":2010,"ph":"X","name":"conv_kernel_time","args":{"op_name":"Conv"}},
        {"cat":"Node","dur":4,"ts":2035,"ph":"X","name":"relu_kernel_time","args":{"op_name":"Relu"}},
        {"cat":"Session","dur":50,"ts":2000,"ph":"X","name":"model_run","args":{}}]"#;

    #[test]
    fn cycles_and_layers_come_out_of_a_profile() {
        let profile = parse(PROFILE.as_bytes(), &HashMap::new()).expect("reads");
        assert_eq!(profile.nodes, ["conv", "relu"]);
        assert_eq!(profile.cycles.len(), 2);
        assert!((profile.cycles[0][1].end_ms - 0.05).abs() < 1e-9 && (profile.cycles[1][0].ms - 0.02).abs() < 1e-9);
        let conv = &profile.layers[0];
        assert_eq!(conv["Kernel"], json!([3, 3]));
        assert_eq!(
            (conv["Stride"].clone(), conv["Groups"].clone(), conv["OutMaps"].clone()),
            (json!([2, 2]), json!(2), json!(8))
        );
        let info = json!({ "Layers": profile.layers, "Bindings": [] });
        let (engine, _) = shared::engine::parse(info.to_string().as_bytes()).expect("an engine info");
        assert_eq!(engine.layers[0].kernel, Some(vec![3, 3]));
        assert_eq!(engine.layers[0].kind, shared::engine::LayerKind::GroupedConvolution);
    }

    #[test]
    fn the_window_of_a_pooling_is_the_models() {
        let args = json!({"op_name": "MaxPool", "input_type_shape": [{"float": [1, 64, 112, 112]}], "output_type_shape": [{"float": [1, 64, 56, 56]}]});
        let windows = HashMap::from([("/maxpool".to_owned(), vec![3, 3])]);
        let of = |name: &str| layer(name, args.as_object().expect("arguments"), &windows);
        let pooling = of("/maxpool");
        assert_eq!((&pooling["WindowSize"], &pooling["Stride"]), (&json!([3, 3]), &json!([2, 2])));
        assert_eq!((&pooling["PrePadding"], &pooling["PostPadding"]), (&json!([0, 0]), &json!([1, 1])));
        assert!(of("other").get("WindowSize").is_none());
    }

    #[test]
    fn what_is_no_profile_is_refused() {
        for bad in ["", "{}", "[]", r#"[{"cat":"Session","name":"model_run"}]"#] {
            assert!(parse(bad.as_bytes(), &HashMap::new()).is_err(), "{bad}");
        }
    }
}
