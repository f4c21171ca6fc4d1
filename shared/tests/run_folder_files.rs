//! Files of runs on real boards are read, where they lie beside the repository.

#![allow(missing_docs)]

use gated_tests::{data, measured, run};
use shared::run_folder::{IdlePower, ModelRun, PowerLogReader, read_layer_latencies};
use std::fs::File;
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![
        measured("the_reference_s_inference_file", "reference_examples/example_raw_data", inference_file),
        measured("an_orin_s_idle_power", "orin_lenet_alignment", idle_power),
        measured("an_orin_s_power_log", "orin_lenet_alignment", power_log),
        measured("an_orin_s_layer_latencies", "orin_evpe", layer_latencies),
    ])
}

fn inference_file() {
    let run = ModelRun::read(&data("reference_examples/example_raw_data/simple/simple_tensorrt.json")).expect("reads");
    assert_eq!((run.config.model.as_str(), run.latencies.as_slice()), ("simple", [1.0].as_slice()));
}

fn idle_power() {
    let idle = IdlePower::read(&data("orin_lenet_alignment/idling_power.json")).expect("reads");
    assert!((idle.avg_idle_power - 4_182_323.798_965_708).abs() < 1e-6);
}

fn power_log() {
    let log = File::open(data("orin_lenet_alignment/lenet_power_log.excerpt.log")).expect("opens");
    let readings = PowerLogReader::new(log).flatten();
    assert_eq!(readings.filter(Result::is_ok).count(), 58);
}

fn layer_latencies() {
    let path = data("orin_evpe/mobilenet_v2_trt_layer_latency_5cycles.json");
    let latencies = read_layer_latencies(&path).expect("reads");
    assert_eq!(latencies.layers.len(), 167);
    assert!(latencies.layers.iter().all(|(_, entries)| entries.len() == 5));
}
