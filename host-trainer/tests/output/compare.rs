//! `diff` and `check`, with saved predictions and a profile, whose figures no model changes.

use crate::session::Session;
use serde_json::{Value, json};

/// A saved prediction of a convolution, whose activation runs in it or alone, a reformat and a pooling.
fn prediction(precision: &str, is_split: bool, factor: f64) -> Value {
    let layer = |index: usize, name: &str, kind: &str, operators: &[&str], ms: f64| {
        let layer_type = match kind {
            "convolution" => "CaskConvolution",
            "pooling" => "CaskPooling",
            "reformat" => "Reformat",
            _ => "PointWiseV2",
        };
        json!({
            "index": index, "layer_name": name, "layer_type": layer_type, "kind": kind, "operators": operators,
            "precision": precision, "output": [1, 64, 56, 56], "weights": if kind == "convolution" { json!(36864) } else { Value::Null },
            "power_prediction": 5.0, "runtime_prediction": ms, "energy_prediction": 5.0 * ms, "power_bounds": null,
            "runtime_bounds": null, "runtime_source": "model", "power_source": "model", "outside_training_range": [],
        })
    };
    let mut layers = Vec::new();
    if is_split {
        layers.push(layer(0, "Reformatting CopyNode for Input Tensor 0 to conv1", "reformat", &[], 0.05));
        layers.push(layer(1, "conv1", "convolution", &["conv1"], factor * 0.4));
        layers.push(layer(2, "PWN(relu1)", "pointwise", &["relu1"], 0.1));
    } else {
        layers.push(layer(0, "conv1 + relu1", "convolution", &["conv1", "relu1"], factor * 0.4));
    }
    layers.push(layer(layers.len(), "pool", "pooling", &["pool"], 0.02));
    let total: f64 = layers.iter().filter_map(|layer| layer["runtime_prediction"].as_f64()).sum();
    let bounds = json!({"lower": 0.9 * total, "upper": 1.1 * total, "level": 0.9});
    json!({
        "schema_version": 1, "engine": format!("{precision}.json"), "device": "board", "layers": layers,
        "totals": {"runtime_bounds": bounds, "energy_bounds": null, "runtime_modelled_percent": 100.0}, "warnings": [],
    })
}

const BUDGETS: &str = r#"[network."*"]
coverage_min = 90

[network.fp16]
runtime_ms = 0.5

[network.int8]
runtime_ms = { max = 0.52, level = "warn" }
energy_mj = 1.0
"#;

fn session() -> Session {
    let session = Session::new();
    session.write("fp16.json", prediction("fp16", false, 1.0).to_string());
    session.write("int8.json", prediction("int8", true, 0.9).to_string());
    session.write(
        "measured.profile.json",
        r#"[{"count": 100}, {"name": "conv1", "averageMs": 0.5}, {"name": "relu1", "averageMs": 0.02}, {"name": "pool", "averageMs": 0.02}]"#,
    );
    session.write("budgets.toml", BUDGETS);
    session
}

#[test]
fn two_engines() {
    let session = session();
    session.check("diff", "diff fp16.json int8.json");
    session.check("diff-markdown", "diff fp16.json int8.json --format markdown --top 2");
    session.check("diff-csv", "diff fp16.json int8.json --format csv");
    session.check("diff-profile", "diff fp16.json measured.profile.json");
    session.check("diff-missing", "diff fp16.json no.json");
}

#[test]
fn budgets() {
    let session = session();
    session.check("check", "check --budgets budgets.toml fp16.json int8.json");
    session.check("check-undecided", "check --budgets budgets.toml --undecided fail int8.json --format markdown");
    session.check("check-github", "check --budgets budgets.toml fp16.json int8.json --format github");
    session.write("unknown.toml", "[network.fp16]\nruntim_ms = 1\n");
    session.check("check-unknown-key", "check --budgets unknown.toml fp16.json");
    session.write("profile.toml", "[network.measured]\nruntime_ms = 0.53\nenergy_mj = 1\n");
    session.check("check-profile", "check --budgets profile.toml measured.profile.json");
}
