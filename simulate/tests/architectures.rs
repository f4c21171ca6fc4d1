//! The sample networks: what they compute is what is published of them, and the committed files are what the generator
//! writes.

#![allow(missing_docs)]

use shared::engine::{Engine, LayerKind, Precision, parse};
use simulate::architectures::{NAMES, Options, engine_info};

fn engine(name: &str, options: Options) -> Engine {
    let info = engine_info(name, options).expect("known network");
    let (engine, diagnostics) = parse(info.as_bytes()).expect("layers");
    assert!(diagnostics.is_empty(), "{name}: {diagnostics:?}");
    engine
}

/// Multiply-accumulates and parameters (batch normalisation folded) of one image, as published with the models.
#[test]
fn work_and_parameters_are_the_published_ones() {
    for (name, giga_macs, mega_parameters) in [
        ("alexnet", 0.7142, 61.101),
        ("lenet", 0.000_416_5, 0.061_71),
        ("mobilenet_v2", 0.3008, 3.488),
        ("resnet18", 1.8141, 11.685),
        ("resnet50", 4.0892, 25.530),
        ("vgg16", 15.4703, 138.358),
    ] {
        let engine = engine(name, Options::default());
        let near = |value: u64, unit: f64, expected: f64| (value as f64 / unit / expected - 1.0).abs() < 1e-3;
        assert!(near(engine.macs(), 1e9, giga_macs), "{name}: {} MACs", engine.macs());
        assert!(near(engine.parameters(), 1e6, mega_parameters), "{name}: {} parameters", engine.parameters());
    }
}

#[test]
fn committed_samples_are_what_the_generator_writes() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data");
    for name in NAMES {
        let path = format!("{folder}/{name}_trt_engine_info.json");
        let committed = std::fs::read_to_string(&path).expect("a committed sample");
        let written = engine_info(name, Options::default()).expect("known network");
        assert!(committed == written, "{path} is stale: cargo run -p simulate --example sample_engines -- sample_data");
    }
}

#[test]
fn layers_are_fused_as_tensorrt_fuses_them() {
    let resnet = engine("resnet18", Options::default());
    let count = |kind| resnet.layers.iter().filter(|l| l.kind == kind).count();
    assert_eq!(count(LayerKind::Convolution), 20);
    assert_eq!(count(LayerKind::Pooling), 2);
    assert_eq!(count(LayerKind::Dense), 1);
    assert_eq!(resnet.layers[0].kind, LayerKind::Reformat);
    assert_eq!(resnet.layers.iter().filter(|l| l.global).count(), 1);
    assert_eq!(resnet.layers.iter().filter(|l| l.inputs.len() == 2).count(), 8, "one residual a block");
    let mobilenet = engine("mobilenet_v2", Options::default());
    assert_eq!(mobilenet.layers.iter().filter(|l| l.kind == LayerKind::DepthwiseConvolution).count(), 17);
    // Every input is the engine's or another layer's output.
    for layer in &mobilenet.layers {
        for input in &layer.inputs {
            let is_written = mobilenet.layers.iter().flat_map(|l| &l.outputs).any(|o| o.name == input.name);
            assert!(is_written || mobilenet.bindings.contains(&input.name), "{}", input.name);
        }
    }
}

#[test]
fn batch_and_precision_carry_through() {
    let options = Options { batch: 8, precision: Precision::Int8 };
    let (one, eight) = (engine("vgg16", Options::default()), engine("vgg16", options));
    assert_eq!(eight.macs(), 8 * one.macs());
    assert_eq!(eight.parameters(), one.parameters());
    for layer in eight.layers.iter().filter(|l| l.weights.is_some()) {
        assert_eq!(layer.precision(), Some(Precision::Int8), "{}", layer.name);
    }
    let single = engine("vgg16", Options { precision: Precision::Fp32, ..Options::default() });
    assert_eq!(single.layers[1].precision(), Some(Precision::Fp32));
    assert_eq!(single.layers[1].bytes_moved(), 2 * one.layers[1].bytes_moved());
}

#[test]
fn other_names_are_not_known() {
    assert!(engine_info("resnet", Options::default()).is_none());
}
