//! The graph in `sample_data` is the one that this crate writes; `LAYERJOULE_WRITE_SAMPLES=1 cargo test -p networks --test sample` writes
//! it again. Whether others take it, `scripts/check_networks.py sample_data` says.

#![allow(missing_docs)]

use graph::{Options, engine_info};
use networks::{Architecture, Sizes, WeightStorage, WriteOptions};
use std::path::Path;

#[test]
fn the_sample_is_written_by_this_project() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../sample_data/resnet18.onnx");
    let resnet18 = Architecture::named("resnet18").expect("a known network");
    let options = WriteOptions { storage: WeightStorage::Shape, seed: 1, ..WriteOptions::default() };
    let written = resnet18.file(&Sizes::of_side(resnet18.side), &options).bytes();
    if std::env::var_os("LAYERJOULE_WRITE_SAMPLES").is_some() {
        std::fs::write(&path, &written).expect("the sample is written");
    }
    assert!(std::fs::read(&path).expect("the sample") == written, "the sample is not what this crate writes");
    let answer = engine_info(&path, &Options::default()).expect("a graph");
    // ResNet-18 as torchvision has it.
    assert_eq!((answer.macs, answer.engine.parameters()), (1_814_073_344, 11_684_712));
}
