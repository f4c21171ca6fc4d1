//! Every file beside the ONNX project's own checker and ONNX Runtime, by `scripts/check_networks.py`.
//!
//! It needs Python with onnx, onnxruntime and numpy: the one that `LAYERJOULE_PYTHON` names, else `python3`. Where there is none, the
//! test is ignored; under continuous integration it fails.
#![allow(missing_docs, clippy::print_stdout)]

use gated_tests::{peer, run};
use networks::{
    ARCHITECTURES, Combination, Nonlinearity, NumberFormat, SingleLayer, Sizes, WeightStorage, WriteOptions,
    layers_file,
};
use std::fs::File;
use std::io::BufWriter;
use std::path::Path;
use std::process::{Command, ExitCode, Stdio};

fn python() -> Command {
    Command::new(std::env::var_os("LAYERJOULE_PYTHON").unwrap_or_else(|| "python3".into()))
}

fn write(folder: &Path, name: &str, file: &networks::OnnxFile) {
    let path = folder.join(format!("{name}.onnx"));
    let mut out = BufWriter::new(File::create(&path).expect("creates"));
    file.write(&mut out).expect("writes");
}

fn every_file_is_valid_and_runs() {
    let folder = tempfile::tempdir().expect("temporary folder");
    for architecture in ARCHITECTURES {
        // Small enough to run in a moment.
        let sizes = Sizes { batch: 2, side: if architecture.name == "lenet" { 28 } else { 64 }, width: 0.25 };
        for (format, storage) in [
            (NumberFormat::Fp32, WeightStorage::Stored),
            (NumberFormat::Fp32, WeightStorage::Shape),
            (NumberFormat::Fp16, WeightStorage::Stored),
            (NumberFormat::Int8, WeightStorage::Stored),
            (NumberFormat::Int8, WeightStorage::Shape),
        ] {
            let options = WriteOptions { format, storage, seed: 1 };
            let name = format!("{}-{}-{storage:?}", architecture.name, format.name());
            write(folder.path(), &name, &architecture.file(&sizes, &options));
        }
    }
    let input = [8, 10, 12];
    let layers = [
        SingleLayer::Convolution {
            batch: 2,
            input: [16, 30, 20],
            channels: 32,
            kernel: [5, 3],
            stride: [2, 1],
            padding: [2, 1],
            dilation: 2,
            groups: 4,
            after: Nonlinearity::HardSwish,
        },
        SingleLayer::Pooling { batch: 1, input, kernel: [3, 3], stride: [2, 2], padding: [1, 1], is_mean: true },
        SingleLayer::Pooling { batch: 1, input, kernel: [10, 12], stride: [1, 1], padding: [0, 0], is_mean: true },
        SingleLayer::Elements { batch: 1, input, combination: Combination::Product },
        SingleLayer::Elements { batch: 1, input, combination: Combination::Nonlinearity(Nonlinearity::Gelu) },
        SingleLayer::Dense { batch: 3, inputs: 100, outputs: 50 },
        SingleLayer::Softmax { rows: 4, columns: 64 },
    ];
    write(folder.path(), "layers", &layers_file("layers", &layers, &WriteOptions::default()));
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../scripts/check_networks.py");
    let output = python().arg(script).arg(folder.path()).output().expect("Python runs");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn main() -> ExitCode {
    let there = python()
        .args(["-c", "import numpy, onnx, onnxruntime"])
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success());
    let missing =
        "needs Python with the packages of scripts/requirements.txt: install them, or name one in LAYERJOULE_PYTHON";
    run(vec![peer("every_file_is_valid_and_runs", there, missing, every_file_is_valid_and_runs)])
}
