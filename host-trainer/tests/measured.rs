//! Aligned runs and data sets of real boards, where the measurements lie beside the repository.
#![allow(missing_docs, clippy::unwrap_used)]

mod runs;

use gated_tests::{data, measured, run};
use runs::{host_trainer, quality, write_run};
use serde_json::Value;
use shared::run_folder::stamp::format_stamp;
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![
        measured(
            "the_references_examples_come_out_to_the_digit",
            "reference_examples/example_raw_data",
            the_references_examples_come_out_to_the_digit,
        ),
        measured(
            "the_real_lenet_excerpt_gives_its_energy_and_claims_no_layer",
            "orin_lenet_alignment",
            the_real_lenet_excerpt_gives_its_energy_and_claims_no_layer,
        ),
        measured(
            "real_callback_stamps_are_told_from_layer_ends",
            "orin_evpe",
            real_callback_stamps_are_told_from_layer_ends,
        ),
        measured(
            "the_references_statistics_come_out",
            "reference_examples/example_preprocessed_data",
            the_references_statistics_come_out,
        ),
    ])
}

fn the_references_examples_come_out_to_the_digit() {
    let raw = data("reference_examples/example_raw_data");
    let results = tempfile::tempdir().unwrap();
    let output = host_trainer("align", &raw, results.path(), &["--method", "window"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    for model in ["simple", "multiple_readings", "multiple_layers"] {
        let expected: Value =
            serde_json::from_slice(&fs::read(raw.join(model).join("expected_metrics_by_cycle.json")).unwrap()).unwrap();
        let folder = results.path().join(model);
        let mut reader = csv::Reader::from_path(folder.join("power_runtime_mapping_layerwise.csv")).unwrap();
        let header = reader.headers().unwrap().clone();
        let rows: Vec<csv::StringRecord> = reader.records().map(Result::unwrap).collect();
        assert_eq!(rows.len(), expected.as_array().unwrap().len());
        for (row, expected) in rows.iter().zip(expected.as_array().unwrap()) {
            // The reference's columns come first, in its order, with the text that pandas writes.
            for (column, (key, value)) in expected.as_object().unwrap().iter().enumerate() {
                assert_eq!(&header[column], key);
                let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                assert_eq!(row[column], text, "{model} {key}");
            }
        }
        let copy = fs::read(folder.join("trt_engine_info.json")).unwrap();
        assert_eq!(copy, fs::read(raw.join(model).join("trt_profiling/trt_engine_info.json")).unwrap());
    }
}

fn the_real_lenet_excerpt_gives_its_energy_and_claims_no_layer() {
    let folder = data("orin_lenet_alignment");
    let root = tempfile::tempdir().unwrap();
    // The excerpt has start times; our format has ends.
    let cycles: Vec<serde_json::Map<String, Value>> =
        serde_json::from_slice(&fs::read(folder.join("lenet_layerwise_latency.excerpt.json")).unwrap()).unwrap();
    let mut lists: std::collections::BTreeMap<String, Vec<String>> = std::collections::BTreeMap::new();
    for cycle in &cycles {
        for (layer, run) in cycle {
            let ms = run["elapsed_time"].as_f64().unwrap();
            let end_us = (run["start_time"].as_f64().unwrap() * 1e6 + ms * 1e3) as i64;
            lists.entry(layer.clone()).or_default().push(format!("[{ms},\"{}\"]", format_stamp(end_us * 1000)));
        }
    }
    let lists: Vec<String> =
        lists.iter().map(|(name, l)| format!("{}:[{}]", Value::from(name.as_str()), l.join(","))).collect();
    let power = fs::read(folder.join("lenet_power_log.excerpt.log")).unwrap();
    write_run(root.path(), "lenet", &power, format!("{{{}}}", lists.join(",")).as_bytes(), 4.182_323_8);
    let report = quality(root.path(), &["--sensor-lag-ms", "412"]);
    assert_eq!(report["sensor"]["quantum_ma"].as_f64(), Some(8.0));
    assert!(report["layers"].as_array().unwrap().iter().all(|l| l["verdict"] == "not_identifiable"));
    // 20 inferences in 86.3 ms; the reading falls by 64 mA over the 0.13 s of the excerpt, so that the load has already
    // dropped to where the step response ends: about 1,490 mA at 5.008 V.
    let energy = &report["energy"];
    assert!((energy["period_ms"].as_f64().unwrap() - 4.3).abs() < 0.3, "{energy}");
    assert!((energy["power_w"].as_f64().unwrap() / (1.49 * 5.008) - 1.0).abs() < 0.06, "{energy}");
}

fn real_callback_stamps_are_told_from_layer_ends() {
    let folder = data("orin_evpe");
    let root = tempfile::tempdir().unwrap();
    let latency = fs::read(folder.join("mobilenet_v2_trt_layer_latency_5cycles.json")).unwrap();
    let run = write_run(root.path(), "mobilenet_v2", b"", &latency, 4.66);
    fs::copy(folder.join("mobilenet_v2_trt_engine_info.json"), run.join("trt_profiling/trt_engine_info.json")).unwrap();
    fs::copy(folder.join("mobilenet_v2_tensorrt_5000runs.json"), run.join("mobilenet_v2_tensorrt.json")).unwrap();
    let report = quality(root.path(), &[]);
    assert_eq!(report["timeline"]["stamps"], "callback");
    assert_eq!((report["timeline"]["cycles"].as_u64(), report["timeline"]["incomplete"].as_u64()), (Some(5), Some(0)));
    assert_eq!(report["layers"].as_array().unwrap().len(), 167);
    // That file holds its JSON document as a JSON string.
    assert!((report["energy"]["latency_ms"].as_f64().unwrap() - 4.39).abs() < 0.01);
    assert!(report["energy"]["power_w"].is_null());
}

fn the_references_statistics_come_out() {
    let examples = data("reference_examples/example_preprocessed_data");
    let results = tempfile::tempdir().unwrap();
    let output = host_trainer(
        "dataset",
        &examples,
        results.path(),
        &["--per-layer-measurements", "1", "--reference-compatible"],
    );
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{stderr}");
    for model in ["model1", "model2"] {
        for name in ["average_power_stats", "average_run_time_stats"] {
            let file = format!("{model}_{name}.csv");
            let number = |text: &str| text.parse::<f64>().ok();
            let expected = fs::read_to_string(examples.join(model).join(&file)).unwrap();
            let ours = fs::read_to_string(results.path().join(model).join(&file)).unwrap();
            assert_eq!(ours.lines().count(), expected.lines().count());
            for (a, b) in ours.lines().zip(expected.lines()).flat_map(|(a, b)| a.split(',').zip(b.split(','))) {
                // Two ways to add the same numbers may differ in the last digit of a deviation.
                let close = number(a).zip(number(b)).is_some_and(|(a, b)| (a - b).abs() < 1e-12);
                assert!(a == b || close, "{file}: {a} {b}");
            }
        }
    }
}
