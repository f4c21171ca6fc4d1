//! Sizes of real engine files against what their weights say, and the memory of every real engine info.
#![allow(missing_docs, clippy::unwrap_used)]

use gated_tests::{data, measured, run};
use memory::{FILE_BEYOND_WEIGHTS, Memory};
use std::fs;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![
        measured("engine_files_are_as_large_as_estimated", "arttrt_jetson", engine_files_are_as_large_as_estimated),
        measured("every_engine_info_has_its_memory", "engine_info", every_engine_info_has_its_memory),
    ])
}

const MIB: f64 = (1 << 20) as f64;

fn engine_files_are_as_large_as_estimated() {
    let mut reader = csv::Reader::from_path(data("arttrt_jetson/latency.csv")).unwrap();
    let header = reader.headers().unwrap().clone();
    let column = |name: &str| header.iter().position(|h| h == name).unwrap();
    let (engine, size, parameters) = (column("engine"), column("size_mb"), column("parameters"));
    let mut beyond = Vec::new();
    for record in reader.records().map(Result::unwrap) {
        let bytes = match &record[engine] {
            "TRT_fp32" => 4.0,
            "TRT_fp16" => 2.0,
            "TRT_int8" => 1.0,
            _ => continue,
        };
        let (Ok(size), Ok(parameters)) = (record[size].parse::<f64>(), record[parameters].parse::<f64>()) else {
            continue;
        };
        beyond.push(size * MIB - parameters * bytes);
    }
    assert!(beyond.len() > 100, "{} builds", beyond.len());
    assert!(beyond.iter().all(|bytes| *bytes > 0.0), "the weights are a lower bound");
    let within = beyond.iter().filter(|bytes| **bytes <= FILE_BEYOND_WEIGHTS as f64).count();
    assert!(20 * within >= 19 * beyond.len(), "the estimate covers 19 of 20 builds, not {within} of {}", beyond.len());
}

fn every_engine_info_has_its_memory() {
    let (mut read, mut estimated) = (0, 0);
    for entry in fs::read_dir(data("engine_info")).unwrap().map(Result::unwrap) {
        let Ok((engine, _)) = shared::engine::read(&entry.path()) else { continue };
        read += 1;
        let memory = Memory::of(&engine, 0);
        let (file, device) = (memory.engine_file, memory.device);
        estimated += usize::from(device.is_some_and(|bytes| bytes.estimate.is_some()));
        for bytes in [file, device].into_iter().flatten() {
            assert!(bytes.estimate.is_none_or(|estimate| estimate >= bytes.at_least), "{:?}", entry.path());
        }
        assert!(device.is_some() || !memory.notes.is_empty(), "{:?}: nothing is known, nothing says why", entry.path());
        show(&format!("{:?} {memory:?}", entry.file_name()));
    }
    assert!(read >= 25 && estimated >= 20, "{read} engine infos read, {estimated} estimated");
    let names = shared::engine::read(&data("engine_info/unnamed__yolov5_fp16_names.layers.json")).unwrap_err();
    assert!(names.message.contains("names of 127 layers"), "names alone tell nothing of memory: {names:?}");
}

/// Writes the memory of each file where `SHOW` is set.
#[allow(clippy::print_stdout)]
fn show(line: &str) {
    if std::env::var_os("SHOW").is_some() {
        println!("{line}");
    }
}
