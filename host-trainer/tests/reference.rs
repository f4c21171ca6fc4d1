//! The reference's own examples and real engine infos, where they lie beside the repository.

use gated_tests::{data, measured, run};
use learn::features::{Column, Extraction, extract};
use serde_json::Value;
use shared::engine;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![
        measured(
            "reference_compatible_features_equal_the_reference_s_own",
            "reference_examples",
            reference_compatible_features_equal_the_reference_s_own,
        ),
        measured(
            "the_pooling_window_is_read_where_the_engine_info_tells_it",
            "reference_examples",
            the_pooling_window_is_read_where_the_engine_info_tells_it,
        ),
        measured("a_row_knows_the_work_of_its_layer", "engine_info", a_row_knows_the_work_of_its_layer),
    ])
}

/// The features that the reference's tests expect of the first layer of each kind, in its own reading: the pooling window is
/// taken to be the whole input.
fn reference_compatible_features_equal_the_reference_s_own() {
    let how = Extraction { reference_compatible: true };
    let mut compared = 0;
    for model in ["model1", "model2"] {
        let folder = data("reference_examples/example_preprocessed_data").join(model);
        let expected: Value =
            serde_json::from_slice(&std::fs::read(folder.join("expected_features.json")).expect("features"))
                .expect("JSON");
        let (engine, _) = engine::read(&folder.join("trt_engine_info.json")).expect("engine info");
        for (kind, columns) in expected.as_object().expect("kinds") {
            let shape = engine
                .layers
                .iter()
                .filter_map(|layer| extract(layer, how).ok())
                .find(|layer| layer.table().name() == kind)
                .unwrap_or_else(|| panic!("{model} has a {kind} layer"));
            for (name, value) in columns.as_object().expect("columns") {
                let column = Column::resolve(shape.table(), name).unwrap_or_else(|| panic!("{kind} has {name}"));
                assert_eq!(column.value(&shape), value.as_f64().expect("a number"), "{model} {kind} {name}");
                compared += 1;
            }
        }
    }
    assert!(compared > 30, "only {compared} features compared");
}

/// Without that option the same pooling has the window that the engine info tells.
fn the_pooling_window_is_read_where_the_engine_info_tells_it() {
    let path = data("reference_examples/example_preprocessed_data/model1/trt_engine_info.json");
    let (engine, _) = engine::read(&path).expect("engine info");
    let pooling = engine
        .layers
        .iter()
        .filter_map(|layer| extract(layer, Extraction::default()).ok())
        .find(|layer| layer.table() == engine::Table::Pooling)
        .expect("a pooling");
    let window = Column::resolve(pooling.table(), "kernel_0").expect("a column").value(&pooling);
    assert_eq!(window, 3.0);
}

/// MACs and bytes computed from a row of the training table are those computed from the layer it was read from.
fn a_row_knows_the_work_of_its_layer() {
    let (mut compared, mut differ) = (0, Vec::new());
    for entry in std::fs::read_dir(data("engine_info")).expect("engine infos").flatten() {
        let Ok((engine, _)) = engine::read(&entry.path()) else { continue };
        for layer in &engine.layers {
            let Ok(shape) = extract(layer, Extraction::default()) else { continue };
            let Some(macs) = layer.macs().filter(|m| *m > 0) else { continue };
            if !matches!(shape.table(), engine::Table::Convolutional | engine::Table::Dense) {
                continue;
            }
            // A pooling fused behind the convolution shrinks the layer's output, which is all that a row knows of it.
            if layer.fused.iter().any(|operator| operator.contains("MaxPool")) {
                continue;
            }
            compared += 1;
            let from_row = shape.work().macs.unwrap_or(0.0);
            if (from_row / macs as f64 - 1.0).abs() > 1e-6 {
                differ.push(format!("{:?} {} {from_row} {macs}", entry.file_name(), layer.name));
            }
        }
    }
    assert!(compared > 500, "only {compared} layers compared");
    assert!(differ.is_empty(), "{} of {compared}: {:#?}", differ.len(), &differ[..differ.len().min(10)]);
}
