//! `host-trainer dataset` through the real binary.
#![allow(missing_docs, clippy::unwrap_used, clippy::print_stderr)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn dataset(preprocessed: &Path, results: &Path, options: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .args(["dataset", "--preprocessed-data-dir"])
        .arg(preprocessed)
        .arg("--result-dir")
        .arg(results)
        .args(options)
        .output()
        .unwrap()
}

fn engine() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data/alexnet_trt_engine_info.json")
}

/// Preprocessed data of AlexNet with so many inferences; the layer of that number has just three measured powers.
fn preprocessed(root: &Path, cycles: u32, thin: usize) -> Vec<String> {
    let folder = root.join("alexnet");
    fs::create_dir_all(&folder).unwrap();
    fs::copy(engine(), folder.join("trt_engine_info.json")).unwrap();
    let (engine, _) = shared::engine::read(&engine()).unwrap();
    let mut text = String::from(
        "cycle,layer_name,layer_type,layer_power_including_idle_power_micro_watt,\
         layer_power_excluding_idle_power_micro_watt,layer_run_time\n",
    );
    for cycle in 1..=cycles {
        for (i, layer) in engine.layers.iter().enumerate() {
            let power =
                if i == thin && cycle > 3 { ",".into() } else { format!("{}.0,{}.0", 6_000_000 + i, 2_000_000 + i) };
            text += &format!(
                "{cycle},\"{}\",{},{power},0.{}\n",
                layer.name.replace('"', "\"\""),
                layer.layer_type,
                1 + i % 9
            );
        }
    }
    fs::write(folder.join("power_runtime_mapping_layerwise.csv"), text).unwrap();
    engine.layers.iter().map(|l| l.name.clone()).collect()
}

#[test]
fn a_thin_layer_is_left_out_and_named_and_the_network_stays() {
    let root = tempfile::tempdir().unwrap();
    let results = tempfile::tempdir().unwrap();
    let (engine, _) = shared::engine::read(&engine()).unwrap();
    let thin = engine.layers.iter().position(|l| l.layer_type == "CaskConvolution").unwrap();
    let names = preprocessed(root.path(), 12, thin);
    let output = dataset(root.path(), results.path(), &[]);
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    assert!(stderr.contains(&names[thin]) && stderr.contains("3 measurements"), "{stderr}");
    let convolutions = fs::read_to_string(results.path().join("alexnet/convolutional.csv")).unwrap();
    assert!(!convolutions.contains(&names[thin]));
    assert!(convolutions.lines().count() > 2);
    // Fewer are enough when so asked.
    let output = dataset(root.path(), results.path(), &["--per-layer-measurements", "3"]);
    assert!(output.status.success());
    assert!(fs::read_to_string(results.path().join("alexnet/convolutional.csv")).unwrap().contains(&names[thin]));
    let output = dataset(root.path(), results.path(), &["--per-layer-measurements", "13"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(!results.path().join("alexnet/convolutional.csv").exists(), "rows of an earlier run must not linger");
}

#[test]
fn what_is_written_is_what_the_trainer_reads() {
    let root = tempfile::tempdir().unwrap();
    let results = tempfile::tempdir().unwrap();
    let names = preprocessed(root.path(), 10, usize::MAX);
    assert!(dataset(root.path(), results.path(), &[]).status.success());
    let data = learn::training::read(results.path()).unwrap();
    let rows: Vec<_> = data.tables.values().flatten().collect();
    assert!(rows.len() > 8 && rows.iter().all(|row| names.contains(&row.layer)));
    for row in &rows {
        let index = names.iter().position(|n| *n == row.layer).unwrap();
        assert!((row.power.unwrap().microwatts() - 2_000_000.0 - index as f64).abs() < 1e-6);
    }
    assert_eq!(data.totals.len(), 1);
    // Totals without an alignment report: run time alone is known.
    assert!(data.totals[0].runtime.is_some() && data.totals[0].power.is_none());
    let provenance: serde_json::Value =
        serde_json::from_slice(&fs::read(results.path().join("alexnet/provenance.json")).unwrap()).unwrap();
    assert_eq!(provenance["made_from"][0][1].as_str().unwrap().len(), 64);
    assert!(provenance["written"].as_array().unwrap().len() >= 4);
    // With idle power.
    assert!(dataset(root.path(), results.path(), &["--power", "total"]).status.success());
    let data = learn::training::read(results.path()).unwrap();
    assert!(data.tables.values().flatten().all(|row| row.power.unwrap().0 > 5.9));
}

#[test]
fn a_folder_without_data_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let output = dataset(root.path(), root.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("host-trainer align"));
}
