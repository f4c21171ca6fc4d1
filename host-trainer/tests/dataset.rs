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
fn models_are_learnt_from_a_list_of_graphs_and_total_times() {
    let root = tempfile::tempdir().unwrap();
    let results = root.path().join("training_data");
    let graph = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data/resnet18.onnx");
    // Twelve sizes of one network; its time grows with the pixels.
    let mut list = String::from("file,model,family,input_shape,runtime\n");
    for size in (128..=304).step_by(16) {
        let time = 0.5 + 3e-5 * f64::from(size * size);
        list += &format!("{},r{size},f{},input=1x3x{size}x{size},{time}\n", graph.display(), size / 32);
    }
    fs::write(root.path().join("measured.csv"), list).unwrap();
    let run = |arguments: &[&str]| {
        let output =
            Command::new(env!("CARGO_BIN_EXE_host-trainer")).args(arguments).current_dir(root.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    run(&["dataset", "--networks", "measured.csv", "--device", "my-board@15W", "--result-dir", "training_data"]);
    let data = learn::training::read(&results).unwrap();
    assert_eq!((data.totals.len(), data.families().values().collect::<std::collections::BTreeSet<_>>().len()), (12, 6));
    run(&["fit", "--data", "training_data", "--out", "models", "--kind", "physics", "--test-models", "none"]);
    let graph = graph.display().to_string();
    let answer = run(&[
        "--quiet",
        "predict",
        "--models",
        "models",
        "--onnx",
        &graph,
        "--input-shape",
        "input=1x3x248x248",
        "--format",
        "json",
    ]);
    let answer: serde_json::Value = serde_json::from_str(&answer).unwrap();
    let predicted = answer["totals"]["runtime_ms"].as_f64().unwrap();
    assert!((predicted / (0.5 + 3e-5 * 248.0 * 248.0) - 1.0).abs() < 0.05, "{predicted} ms");
    let card = fs::read_to_string(root.path().join("models/my-board@15W/convolutional/runtime/card.json")).unwrap();
    let card: serde_json::Value = serde_json::from_str(&card).unwrap();
    assert_eq!(card["scores"]["folds"], "by network, on totals");
    // As many layers in each network: their mean misses by the spread of the totals, about a third.
    let constant = card["scores"]["baselines"]["constant"]["mape_percent"].as_f64().unwrap();
    assert!((10.0..100.0).contains(&constant), "{constant} %");
}

/// The tables, totals and network files of a folder, by ending.
fn endings(results: &Path, ending: &str) -> usize {
    let is_table = |path: &Path| {
        path.extension().is_some_and(|found| found == ending) && !path.to_string_lossy().ends_with("_stats.csv")
    };
    let files =
        |folder: PathBuf| fs::read_dir(folder).unwrap().filter(|e| is_table(&e.as_ref().unwrap().path())).count();
    files(results.to_owned()) + files(results.join("alexnet"))
}

#[test]
fn tables_in_parquet_hold_the_rows_of_csv_and_take_their_place() {
    let root = tempfile::tempdir().unwrap();
    let results = tempfile::tempdir().unwrap();
    let names = preprocessed(root.path(), 10, usize::MAX);
    let read = |format: &str| {
        let output = dataset(root.path(), results.path(), &["--format", format]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        learn::training::read(results.path()).unwrap()
    };
    let csv = read("csv");
    assert!(endings(results.path(), "csv") >= 4);
    let parquet = read("parquet");
    assert!(csv.tables.values().flatten().all(|row| names.contains(&row.layer)));
    assert_eq!(format!("{:?}", parquet.tables), format!("{:?}", csv.tables));
    assert_eq!(parquet.totals, csv.totals);
    assert_eq!(endings(results.path(), "csv"), 0, "a table in both formats would count twice");
    assert!(results.path().join("alexnet/alexnet_layer_stats.csv").is_file());
    let provenance = fs::read_to_string(results.path().join("alexnet/provenance.json")).unwrap();
    assert!(provenance.contains("convolutional.parquet") && !provenance.contains("convolutional.csv"));
    // And back.
    assert_eq!(read("csv").hash, csv.hash);
    assert_eq!(endings(results.path(), "parquet"), 0);
}

/// Every file of a network's training data but its provenance, which names what it was made from.
fn training_files(results: &Path) -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = fs::read_dir(results.join("lenet"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), fs::read_to_string(&path).unwrap()))
        .filter(|(name, _)| name != "provenance.json")
        .collect();
    files.sort();
    files
}

#[test]
fn statistics_of_an_alignment_make_the_same_data_as_its_rows() {
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data/lenet_trt_engine_info.json");
    let (engine, _) = shared::engine::read(&sample).unwrap();
    let layers = engine.layers.iter().enumerate().map(|(i, layer)| simulate::LoadLayer {
        name: layer.name.clone(),
        duration: shared::units::Millis(0.05 + 0.02 * i as f64),
        power: shared::units::Watts(5.0 + i as f64 % 4.0),
    });
    let load = simulate::Load::of_layers(layers.collect());
    let poll = simulate::PollModel::streaming();
    let logs = study::simulate_logs(&load, simulate::SensorModel::ideal_meter(), poll, 200, false, 1);
    let raw = tempfile::tempdir().unwrap();
    let run = raw.path().join("lenet");
    fs::create_dir_all(run.join("trt_profiling")).unwrap();
    fs::write(run.join("lenet_power_log.log"), &logs.power).unwrap();
    fs::write(run.join("trt_profiling/trt_layer_latency.json"), &logs.latency).unwrap();
    fs::copy(&sample, run.join("trt_profiling/trt_engine_info.json")).unwrap();
    fs::write(raw.path().join("idling_power.json"), r#"{"timestamp": "", "avg_idle_power": 4200000.0}"#).unwrap();
    for method in ["auto", "share"] {
        let preprocessed = tempfile::tempdir().unwrap();
        let output = Command::new(env!("CARGO_BIN_EXE_host-trainer"))
            .args(["align", "--method", method, "--raw-data-dir"])
            .arg(raw.path())
            .arg("--result-dir")
            .arg(preprocessed.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let made = |results: &Path| {
            let output = dataset(preprocessed.path(), results, &["--per-layer-measurements", "1"]);
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            let provenance = fs::read_to_string(results.join("lenet/provenance.json")).unwrap();
            (training_files(results), fs::read_to_string(results.join("networks.csv")).unwrap(), provenance)
        };
        let results = [(); 3].map(|()| tempfile::tempdir().unwrap());
        let from_statistics = made(results[0].path());
        assert!(from_statistics.2.contains("layer_statistics.csv"));
        let statistics = preprocessed.path().join("lenet/layer_statistics.csv");
        let text = fs::read_to_string(&statistics).unwrap();
        fs::remove_file(&statistics).unwrap();
        let from_rows = made(results[1].path());
        assert!(!from_rows.2.contains("layer_statistics.csv"));
        assert!(from_statistics.0.len() >= 5);
        assert_eq!((from_statistics.0, from_statistics.1), (from_rows.0, from_rows.1), "{method}");
        // A mapping that was changed since is read itself.
        fs::write(&statistics, text).unwrap();
        let mapping = preprocessed.path().join("lenet/power_runtime_mapping_layerwise.csv");
        let rows = fs::read_to_string(&mapping).unwrap();
        fs::write(&mapping, rows.lines().take(40).collect::<Vec<_>>().join("\n")).unwrap();
        assert!(!made(results[2].path()).2.contains("layer_statistics.csv"));
        // EdgeProfiler's rule leaves rows alone, and no statistics of another method behind.
        let output = Command::new(env!("CARGO_BIN_EXE_host-trainer"))
            .args(["align", "--method", "window", "--raw-data-dir"])
            .arg(raw.path())
            .arg("--result-dir")
            .arg(preprocessed.path())
            .output()
            .unwrap();
        assert!(output.status.success() && !statistics.exists());
    }
}

#[test]
fn a_folder_without_data_says_what_to_do() {
    let root = tempfile::tempdir().unwrap();
    let output = dataset(root.path(), root.path(), &[]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("host-trainer align"));
}
