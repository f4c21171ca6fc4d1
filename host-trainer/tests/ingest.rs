//! `host-trainer ingest`, and what `align` and `dataset` make of it, through the real binary.
#![allow(missing_docs, clippy::unwrap_used)]

use serde_json::Value;
use std::fs;
use std::path::Path;
use std::process::{Command, Output};

fn trainer(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer")).args(arguments).current_dir(folder).output().unwrap()
}

fn succeeded(output: &Output) {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn trtexec_and_tegrastats_become_training_data() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data/lenet_trt_engine_info.json");
    let (engine, _) = shared::engine::read(&sample).unwrap();
    fs::copy(&sample, here.join("info.json")).unwrap();
    let mut profile = String::from("[{\"count\": 500}");
    for layer in &engine.layers {
        profile += &format!(",{{\"name\": {}, \"timeMs\": 50, \"averageMs\": 0.1}}", Value::from(layer.name.as_str()));
    }
    fs::write(here.join("profile.json"), profile + "]").unwrap();
    fs::write(here.join("times.json"), "[{\"computeMs\": 2.0, \"latencyMs\": 3.0}, {\"computeMs\": 4.0}]").unwrap();
    let mut log = String::new();
    for second in 0..30 {
        log += &format!(
            "01-28-2025 13:38:{second:02} RAM 1/2MB CPU [1%@729] VDD_IN {}mW/6000mW VDD_SOC 1mW/1mW\n",
            5990 + 20 * (second % 2)
        );
    }
    fs::write(here.join("tegra.log"), log).unwrap();
    succeeded(&trainer(
        &[
            "ingest",
            "--model",
            "lenet",
            "--layer-info",
            "info.json",
            "--profile",
            "profile.json",
            "--times",
            "times.json",
            "--tegrastats",
            "tegra.log",
            "--idle-power-w",
            "4.0",
        ],
        here,
    ));
    let output = trainer(&["align", "--format", "json"], here);
    succeeded(&output);
    let report: Value = serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].clone();
    let energy = &report["energy"];
    assert!((energy["power_w"].as_f64().unwrap() - 6.0).abs() < 0.01, "{energy}");
    assert!((energy["latency_ms"].as_f64().unwrap() - 3.0).abs() < 1e-9);
    // 6 W for 3 ms.
    assert!((energy["unprofiled"][2].as_f64().unwrap() - 18.0).abs() < 0.05, "{energy}");
    assert!(report["layers"].as_array().unwrap().iter().all(|l| l["verdict"] == "not_identifiable"));
    succeeded(&trainer(&["dataset", "--per-layer-measurements", "1"], here));
    let data = learn::training::read(&here.join("training_data")).unwrap();
    assert!(data.tables.values().flatten().count() >= 4);
    let total = &data.totals[0];
    assert!((total.energy.unwrap().0 - 18.0).abs() < 0.05 && (total.runtime.unwrap().0 - 3.0).abs() < 1e-9);
}

#[test]
fn flat_tables_become_a_run_folder() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    let mut power = String::from("t_us,V,A\n");
    let mut layers = String::from("layer_name,runtime_ms,t_us\n");
    for k in 0..4000_u32 {
        let at = 1_000_000 + 50 * k;
        // `a` runs for 0.6 ms at 8 W, `b` for 0.4 ms at 6 W, without a gap; a reading is the mean of its 50 µs.
        let watts = if (k + 19) % 20 < 12 { 8.0 } else { 6.0 };
        power += &format!("{at},5.0,{}\n", watts / 5.0);
        if k % 20 == 0 {
            layers += &format!("a,0.6,{}\nb,0.4,{}\n", at + 600, at + 1000);
        }
    }
    fs::write(here.join("power.csv"), power).unwrap();
    fs::write(here.join("layers.csv"), layers).unwrap();
    succeeded(&trainer(&["ingest", "--model", "net", "--power-csv", "power.csv", "--layers-csv", "layers.csv"], here));
    let output = trainer(&["align", "--format", "json"], here);
    succeeded(&output);
    let report: Value = serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].clone();
    assert_eq!(report["method"], "deconvolve", "{}", report["because"]);
    for (layer, watts) in report["layers"].as_array().unwrap().iter().zip([8.0, 6.0]) {
        assert!((layer["power_w"].as_f64().unwrap() - watts).abs() < 0.1, "{layer}");
    }
}

#[test]
fn what_cannot_be_imported_is_said() {
    let root = tempfile::tempdir().unwrap();
    let here = root.path();
    assert_eq!(trainer(&["ingest", "--model", "net"], here).status.code(), Some(2));
    assert_eq!(trainer(&["ingest", "--model", "../net", "--times", "x"], here).status.code(), Some(5));
    fs::write(here.join("t.log"), "RAM 1/2MB CV_ODD 1/1\n").unwrap();
    let output = trainer(&["ingest", "--model", "net", "--tegrastats", "t.log"], here);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("CV_ODD"));
    fs::write(here.join("p.json"), "{}").unwrap();
    assert_eq!(trainer(&["ingest", "--model", "../net", "--layers-csv", "t.log"], here).status.code(), Some(3));
    assert_eq!(trainer(&["ingest", "--model", "net", "--profile", "p.json"], here).status.code(), Some(3));
}
