//! Saved predictions: the documents that `predict --format json` writes, one or a list of them.

use crate::side::{Origin, Side, SideLayer};
use learn::predict::{Bounds, SCHEMA_VERSION};
use memory::Memory;
use serde::Deserialize;
use serde_json::Value;
use shared::engine::{LayerKind, Precision};
use shared::failure::Failure;
use shared::limits;
use shared::text::json;
use shared::units::{Millijoules, Millis, Watts};
use std::path::Path;

#[derive(Debug, Deserialize)]
struct Document {
    schema_version: u32,
    #[serde(default)]
    engine: String,
    device: String,
    layers: Vec<Layer>,
    totals: Totals,
    #[serde(default)]
    memory: Option<Memory>,
    #[serde(default)]
    warnings: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Layer {
    index: usize,
    layer_name: String,
    layer_type: String,
    kind: LayerKind,
    // Older documents end here.
    #[serde(default)]
    operators: Vec<String>,
    #[serde(default)]
    precision: Option<Precision>,
    #[serde(default)]
    output: Vec<i64>,
    #[serde(default)]
    weights: Option<u64>,
    power_prediction: Option<Watts>,
    runtime_prediction: Option<Millis>,
    energy_prediction: Option<Millijoules>,
    runtime_source: String,
    #[serde(default)]
    outside_training_range: Vec<String>,
}

#[derive(Debug, Deserialize)]
struct Totals {
    runtime_bounds: Option<Bounds>,
    energy_bounds: Option<Bounds>,
    #[serde(default)]
    average_power_bounds: Option<Bounds>,
    runtime_modelled_percent: Option<f64>,
}

/// Whether a text is a saved prediction: no other file of ours or of TensorRT has these keys.
pub(crate) fn is_saved(head: &str) -> bool {
    head.contains("\"schema_version\"") || head.contains("\"runtime_prediction\"")
}

/// Reads a saved prediction, or several.
pub(crate) fn read(content: &[u8], path: &Path) -> Result<Vec<Side>, Failure> {
    let broken = |error: serde_json::Error| {
        Failure::data(format!("is not a saved prediction ({error})"))
            .at(path)
            .help("write one with `host-trainer predict --format json`")
            .caused_by(error)
    };
    let value: Value = json::from_slice(content).map_err(broken)?;
    let documents = match value {
        Value::Array(list) => list,
        one => vec![one],
    };
    let mut sides = Vec::with_capacity(documents.len());
    for document in documents {
        let version = document.get("schema_version").and_then(Value::as_u64);
        if version.is_some_and(|version| version > u64::from(SCHEMA_VERSION)) {
            return Err(Failure::data(format!("has the schema version {}", version.unwrap_or_default()))
                .at(path)
                .help(format!("this program reads up to {SCHEMA_VERSION}; use a newer one")));
        }
        let document: Document = serde_json::from_value(document).map_err(broken)?;
        if document.layers.len() > limits::ENGINE_LAYERS {
            return Err(Failure::data(format!("lists more than {} layers", limits::ENGINE_LAYERS)).at(path));
        }
        sides.push(side(document, path));
    }
    if sides.is_empty() {
        return Err(Failure::data("holds no prediction").at(path));
    }
    Ok(sides)
}

fn side(document: Document, path: &Path) -> Side {
    debug_assert!(document.schema_version <= SCHEMA_VERSION);
    let layers = document.layers.into_iter().map(|layer| {
        let named = SideLayer::named(layer.index, &layer.layer_name);
        SideLayer {
            layer_type: layer.layer_type,
            kind: layer.kind,
            operators: if layer.operators.is_empty() {
                named.operators.clone()
            } else {
                crate::operators::operators(&layer.operators)
            },
            precision: layer.precision,
            output: layer.output,
            weights: layer.weights,
            runtime: layer.runtime_prediction,
            power: layer.power_prediction,
            energy: layer.energy_prediction,
            is_free: layer.runtime_source == "free",
            outside_training_range: !layer.outside_training_range.is_empty(),
            ..named
        }
    });
    let name = if document.engine.is_empty() { path.display().to_string() } else { document.engine };
    Side {
        layers: layers.collect(),
        origin: Origin::Predicted { device: document.device },
        runtime_bounds: document.totals.runtime_bounds,
        energy_bounds: document.totals.energy_bounds,
        power_bounds: document.totals.average_power_bounds,
        coverage_percent: document.totals.runtime_modelled_percent,
        memory: document.memory,
        warnings: document.warnings,
        ..Side::measured(&name, Vec::new())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_of_an_older_version_is_read() {
        let text = br#"{"schema_version": 1, "engine": "a.json", "device": "board", "layers": [
            {"index": 0, "layer_name": "conv1 + relu1", "layer_type": "CaskConvolution", "kind": "convolution",
             "power_prediction": 2.0, "runtime_prediction": 0.5, "energy_prediction": 1.0, "power_bounds": null,
             "runtime_bounds": null, "runtime_source": "model", "power_source": "model", "outside_training_range": []}],
            "totals": {"runtime_bounds": {"lower": 0.4, "upper": 0.6, "level": 0.9}, "energy_bounds": null,
                       "runtime_modelled_percent": 100.0}, "warnings": []}"#;
        let sides = read(text, Path::new("p.json")).expect("a prediction");
        assert_eq!(sides[0].layers[0].operators, ["conv1", "relu1"]);
        assert_eq!(sides[0].runtime().whole(), Some(Millis(0.5)));
        assert_eq!(sides[0].runtime_bounds.map(|b| b.upper), Some(0.6));
        assert!(sides[0].memory.is_none());
    }

    #[test]
    fn what_is_no_prediction_is_refused_with_the_next_step() {
        for text in ["{\"schema_version\": 1}", "{\"schema_version\": 99}", "[]", "{\"schema_version\""] {
            let report = read(text.as_bytes(), Path::new("p.json")).expect_err(text).report(false);
            assert!(report.contains("p.json"), "{report}");
        }
    }
}
