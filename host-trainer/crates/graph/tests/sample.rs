//! The graph in `sample_data` is the one that this test writes: `LAYERJOULE_WRITE_SAMPLES=1 cargo test -p graph --test sample`.

#![allow(missing_docs)]

mod onnx;

use graph::{Options, engine_info};
use std::path::Path;

#[test]
fn the_sample_is_written_by_this_project() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../sample_data/resnet18.onnx");
    let written = onnx::resnet18().bytes();
    if std::env::var_os("LAYERJOULE_WRITE_SAMPLES").is_some() {
        std::fs::write(&path, &written).expect("the sample is written");
    }
    assert_eq!(std::fs::read(&path).expect("the sample"), written);
    let answer = engine_info(&path, &Options::default()).expect("a graph");
    // ResNet-18 as torchvision has it.
    assert_eq!((answer.macs, answer.engine.parameters()), (1_814_073_344, 11_684_712));
}
