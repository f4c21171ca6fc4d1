//! A prediction as notes of an ONNX file, for viewers of graphs.

use graph::Annotations;
use learn::predict::{Bounds, LayerPrediction, Prediction};

/// The notes: totals of the model, and for each node the layer that contains it, with the layer's figures. A node of several layers
/// has the figures of each, the longest first, those of the second under `2.runtime_ms` and so on.
pub(super) fn notes(prediction: &Prediction) -> Annotations {
    let totals = &prediction.totals;
    let mut notes = Annotations::default();
    notes.model.push(("device".into(), prediction.device.clone()));
    add(&mut notes.model, "", "runtime_ms", totals.runtime.whole().map(|t| t.0), totals.runtime_bounds);
    add(&mut notes.model, "", "energy_mj", totals.energy.whole().map(|e| e.0), totals.energy_bounds);
    add(&mut notes.model, "", "power_w", totals.average_power().map(|p| p.0), totals.average_power_bounds);
    let mut layers_of = std::collections::HashMap::<&str, usize>::new();
    let time = |layer: &LayerPrediction| layer.row.runtime_prediction.map_or(0.0, |t| t.0);
    let mut layers: Vec<&LayerPrediction> = prediction.layers.iter().collect();
    layers.sort_by(|a, b| time(b).total_cmp(&time(a)));
    for layer in layers {
        for node in &layer.operators {
            let count = layers_of.entry(node).or_default();
            *count += 1;
            let prefix = if *count > 1 { format!("{count}.") } else { String::new() };
            add_layer(notes.nodes.entry(node.clone()).or_default(), &prefix, layer);
        }
    }
    notes
}

fn add_layer(into: &mut Vec<(String, String)>, prefix: &str, layer: &LayerPrediction) {
    let row = &layer.row;
    into.push((format!("{prefix}layer"), layer.layer_name.clone()));
    into.push((format!("{prefix}layer_type"), layer.layer_type.clone()));
    if layer.operators.len() > 1 {
        into.push((format!("{prefix}layer_nodes"), layer.operators.len().to_string()));
    }
    into.push((format!("{prefix}runtime_source"), row.runtime_source.name().to_owned()));
    add(into, prefix, "runtime_ms", row.runtime_prediction.map(|t| t.0), row.runtime_bounds);
    add(into, prefix, "power_w", row.power_prediction.map(|p| p.0), row.power_bounds);
    add(into, prefix, "energy_mj", row.energy_prediction.map(|e| e.0), None);
}

/// A figure with its bounds; what is not known has no note.
fn add(into: &mut Vec<(String, String)>, prefix: &str, name: &str, value: Option<f64>, bounds: Option<Bounds>) {
    let Some(value) = value else { return };
    into.push((format!("{prefix}{name}"), format!("{value:.6}")));
    if let Some(Bounds { lower, upper, level }) = bounds {
        let text = format!("{lower:.6} to {upper:.6} ({:.0} %)", 100.0 * level);
        into.push((format!("{prefix}{name}_interval"), text));
    }
}
