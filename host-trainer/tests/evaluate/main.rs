//! `fit` with every kind and `evaluate`, on data that follow a known law.

#![allow(clippy::expect_used)]

mod columns;
mod law;
mod report;

use law::{data, fit, host_trainer, path};
use serde_json::Value;
use std::path::Path;

fn evaluate(models: &Path, data: &Path, more: &[&str]) -> Vec<Value> {
    let arguments = ["evaluate", "--format", "json", "--models", path(models), "--data", path(data)];
    let output = host_trainer(&[&arguments[..], more].concat(), "2");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn mape(lines: &[Value], kind: &str, target: &str) -> f64 {
    let line = lines.iter().find(|l| l["kind"] == kind && l["target"] == target && l.get("network").is_none());
    let line = line.unwrap_or_else(|| panic!("no line for {kind} {target}"));
    assert_eq!(line["non_positive"], 0);
    line["mape_percent"].as_f64().expect("a figure")
}

#[test]
fn every_kind_learns_a_law_of_layers_and_evaluate_says_how_well() {
    let folder = tempfile::tempdir().expect("folder");
    let (train, test) = (folder.path().join("train"), folder.path().join("test"));
    data(&train, 0..60, true);
    data(&test, 60..80, true);
    for (kind, most) in [("physics", 2.0), ("hybrid", 2.0), ("auto", 2.0)] {
        let models = folder.path().join(kind);
        fit(kind, &train, &models, "2");
        let lines = evaluate(&models, &test, &[]);
        for layers in ["convolutional", "dense", "network"] {
            let error = mape(&lines, layers, "runtime");
            assert!(error < most, "{kind} {layers}: {error} %");
        }
        // Power saturates by another curve than the model's: it is learnt closely, not exactly.
        assert!(mape(&lines, "convolutional", "power") < 8.0, "{lines:?}");
        assert!(mape(&lines, "network", "energy") < 8.0);
        for key in ["n", "rmspe_percent", "within_10_percent", "r2", "interval_90_coverage_percent"] {
            assert!(lines[0][key].is_number(), "{key}: {:?}", lines[0]);
        }
    }
    let left_out = host_trainer(
        &["evaluate", "--leave-one-network-out", "--kind", "physics", "--format", "json", "--data", path(&test)],
        "2",
    );
    let left_out: Vec<Value> = serde_json::from_slice(&left_out.stdout).expect("JSON");
    assert!(mape(&left_out, "network", "runtime") < 3.0, "{left_out:?}");
    let by_network = evaluate(&folder.path().join("physics"), &test, &["--by-network"]);
    assert_eq!(by_network.iter().filter(|l| l["kind"] == "network" && l["network"] == "n61").count(), 3);
    let second = folder.path().join("hybrid");
    let side_by_side = evaluate(&folder.path().join("physics"), &test, &["--models", path(&second)]);
    assert!(side_by_side.iter().any(|line| line["models"] == path(&second)));
}

#[test]
fn totals_alone_teach_what_their_layers_cost() {
    let folder = tempfile::tempdir().expect("folder");
    let (train, test) = (folder.path().join("train"), folder.path().join("test"));
    data(&train, 0..60, false);
    data(&test, 60..80, true);
    for kind in ["physics", "hybrid"] {
        let models = folder.path().join(kind);
        fit(kind, &train, &models, "2");
        let lines = evaluate(&models, &test, &[]);
        assert!(mape(&lines, "network", "runtime") < 3.0, "{kind}: {lines:?}");
        assert!(mape(&lines, "network", "energy") < 8.0, "{kind}: {lines:?}");
        // The layers' own run times were never shown; sums tell them apart roughly.
        assert!(mape(&lines, "convolutional", "runtime") < 30.0, "{kind}: {lines:?}");
        assert!(lines.iter().any(|l| l["kind"] == "network" && l["interval_90_coverage_percent"].is_number()));
    }
    let refused = host_trainer(
        &["fit", "--data", path(&train), "--out", path(&folder.path().join("lasso")), "--kind", "lasso"],
        "1",
    );
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("physics or hybrid"));
}

#[test]
fn models_are_the_same_whatever_the_number_of_threads() {
    let folder = tempfile::tempdir().expect("folder");
    for (name, measured) in [("layers", true), ("totals", false)] {
        let train = folder.path().join(name);
        data(&train, 0..30, measured);
        let outs = ["1", "4"].map(|threads| {
            let out = folder.path().join(format!("{name}-{threads}"));
            fit("hybrid", &train, &out, threads);
            out
        });
        for model in ["convolutional/runtime", "convolutional/power", "dense/runtime"] {
            let [one, four] = [&outs[0], &outs[1]]
                .map(|out| std::fs::read(out.join("unnamed-device").join(model).join("model.onnx")).expect("a model"));
            assert!(one == four, "{name} {model}");
        }
    }
}
