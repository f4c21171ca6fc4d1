//! Every real engine info at hand yields its layers or a refusal that says exactly what the file is.

#![allow(missing_docs)]

use gated_tests::{data, measured, run};
use shared::engine::{Engine, EngineInfoError, LayerKind, parse};
use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![measured(
        "every_file_yields_layers_or_a_precise_refusal",
        "engine_info",
        every_file_yields_layers_or_a_precise_refusal,
    )])
}

const GIGA: f64 = 1e9;

fn files() -> Vec<PathBuf> {
    let entries = fs::read_dir(data("engine_info")).expect("the folder of engine infos");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "json"));
    paths.sort();
    assert!(paths.len() > 50, "only {} files", paths.len());
    paths
}

fn is_near(value: f64, expected: f64) -> bool {
    (value / expected - 1.0).abs() < 0.01
}

/// The architecture a file's name tells, with its multiply-accumulates for one image of 224 × 224 and its parameters.
fn published(name: &str) -> Option<(f64, f64)> {
    if name.contains("alexnet") {
        Some((0.7142 * GIGA, 61.10e6))
    } else if name.contains("mobilenet") {
        Some((0.3008 * GIGA, 3.49e6))
    } else if name.contains("resnet18") || name.contains("A100") {
        Some((1.8141 * GIGA, 11.69e6))
    } else {
        None
    }
}

fn every_file_yields_layers_or_a_precise_refusal() {
    for path in files() {
        let name = path.file_name().expect("name").to_string_lossy().into_owned();
        let content = fs::read(&path).expect("read");
        let outcome = parse(&content);
        if name.contains("metadata") {
            assert_eq!(outcome.expect_err(&name), EngineInfoError::Metadata, "{name}");
        } else if name.contains("profile") {
            assert_eq!(outcome.expect_err(&name), EngineInfoError::Profile, "{name}");
        } else if name == "trex__notebooks__layer_info.json" {
            assert_eq!(outcome.expect_err(&name), EngineInfoError::NamesOnly { layers: 86 }, "{name}");
        } else if name == "unnamed__yolov5_fp16_names.layers.json" {
            assert_eq!(outcome.expect_err(&name), EngineInfoError::NamesOnly { layers: 127 }, "{name}");
        } else {
            let (engine, diagnostics) = outcome.unwrap_or_else(|e| panic!("{name}: {e}"));
            check(&name, &engine);
            // The one file here with dimensions known only at run time; nothing else is odd about any.
            let expected = usize::from(name.contains("dynamic"));
            assert_eq!(diagnostics.len(), expected, "{name}: {diagnostics:?}");
        }
    }
}

fn check(name: &str, engine: &Engine) {
    assert!(!engine.layers.is_empty() && !engine.bindings.is_empty(), "{name}");
    for (index, layer) in engine.layers.iter().enumerate() {
        assert_eq!(layer.index, index, "{name}");
        assert_ne!(layer.kind, LayerKind::Unknown, "{name}: {}", layer.name);
        assert!(layer.macs().is_some(), "{name}: {}", layer.name);
        for tensor in layer.inputs.iter().chain(&layer.outputs) {
            assert!(tensor.precision.is_some(), "{name}: {} {}", layer.name, tensor.format);
        }
        if layer.layer_type.ends_with("Convolution") {
            // What the fields say must agree with the number of weights that TensorRT counted.
            let expected = layer.weights.expect("weights").count;
            let pixels: i64 = layer.outputs[0].dims[2..].iter().product();
            let macs = layer.macs().expect("macs");
            assert_eq!(macs, layer.batch().expect("batch") * pixels as u64 * expected, "{name}: {}", layer.name);
        }
        if layer.name.contains("mean") || layer.name.contains("GlobalAveragePool") {
            assert!(layer.kind != LayerKind::Pooling || layer.global, "{name}: {}", layer.name);
        }
        if layer.name.starts_with("Reformatting CopyNode") || layer.name.starts_with("__my") {
            continue;
        }
        if matches!(layer.kind, LayerKind::Convolution | LayerKind::Dense | LayerKind::Pooling) {
            assert!(!layer.fused.is_empty(), "{name}: {}", layer.name);
        }
    }
    let Some((macs, parameters)) = published(name) else { return };
    let batch = engine.layers[0].batch().expect("batch") as f64;
    assert!(is_near(engine.macs() as f64 / batch, macs), "{name}: {} MACs", engine.macs());
    assert!(is_near(engine.parameters() as f64, parameters), "{name}: {} parameters", engine.parameters());
}
