//! `fit` with every kind and `evaluate`, on data that follow a known law.

#![allow(clippy::expect_used)]

use serde_json::Value;
use std::path::Path;
use std::process::{Command, Output};

fn host_trainer(arguments: &[&str], threads: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .args(arguments)
        .env("RAYON_NUM_THREADS", threads)
        .env_remove("HOST_TRAINER_CONFIG")
        .output()
        .expect("the program runs")
}

fn path(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// Networks of convolutions and one dense layer each; run times are additive in work, power saturates.
struct Layer {
    channels: [u32; 2],
    extent: u32,
    kernel: u32,
}

fn layers(network: u32) -> Vec<Layer> {
    (0..2 + network % 3)
        .map(|i| Layer {
            channels: [16 + 8 * ((network * 7 + i * 3) % 9), 16 + 8 * ((network * 5 + i * 11) % 13)],
            extent: 8 + 4 * ((network * 3 + i * 5) % 8),
            kernel: [1, 3, 5][((network + i) % 3) as usize],
        })
        .collect()
}

fn cost(layer: &Layer) -> (f64, f64) {
    let [input, output] = layer.channels.map(f64::from);
    let (pixels, area) = (f64::from(layer.extent).powi(2), f64::from(layer.kernel).powi(2));
    let macs = input * output * pixels * area;
    let runtime = 0.02 + macs * 2e-9 + (input + output) * pixels * 4.0 * 3e-7;
    (runtime, 2.0 + 6.0 * macs / (macs + 1e7))
}

/// Writes the networks `from..to`; layers are measured, or else only totals are.
fn data(folder: &Path, networks: std::ops::Range<u32>, measured: bool) {
    let mut convolutions = String::from(
        "model,batch_size,input_size_0,input_size_1,input_size_2,output_size_0,output_size_1,output_size_2,kernel_0,\
         kernel_1,padding_0,padding_1,stride_0,stride_1,power,runtime,layer_name,precision\n",
    );
    let mut dense = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name,precision\n");
    let mut totals = String::from("model,batch_size,runtime,energy\n");
    for network in networks {
        let (mut time, mut energy) = (0.0, 0.0);
        for (i, layer) in layers(network).iter().enumerate() {
            let (runtime, power) = cost(layer);
            (time, energy) = (time + runtime, energy + runtime * power);
            let [input, output] = layer.channels;
            let (e, k, p) = (layer.extent, layer.kernel, layer.kernel - 1);
            let target = if measured { format!("{},{runtime}", power * 1e6) } else { ",".to_owned() };
            convolutions +=
                &format!("n{network},1,{input},{e},{e},{output},{e},{e},{k},{k},{p},{p},1,1,{target},c{i},fp32\n");
        }
        let features = 64 * (1 + network % 7);
        let (runtime, power) = (0.01 + f64::from(features) * 10.0 * 4.0 * 1e-6, 3.0);
        (time, energy) = (time + runtime, energy + runtime * power);
        let target = if measured { format!("{},{runtime}", power * 1e6) } else { ",".to_owned() };
        dense += &format!("n{network},1,{features},10,{target},fc,fp32\n");
        totals += &format!("n{network},1,{time},{energy}\n");
    }
    std::fs::create_dir_all(folder).expect("folder");
    std::fs::write(folder.join("convolutional.csv"), convolutions).expect("table");
    std::fs::write(folder.join("dense.csv"), dense).expect("table");
    std::fs::write(folder.join("networks.csv"), totals).expect("totals");
}

fn fit(kind: &str, data: &Path, out: &Path, threads: &str) {
    let config = data.join("options.toml");
    std::fs::write(&config, "[hybrid]\nmost_rounds = 60\n").expect("options");
    let arguments = ["--quiet", "fit", "--kind", kind, "--test-models", "none", "--config", path(&config)];
    let output = host_trainer(&[&arguments[..], &["--data", path(data), "--out", path(out)]].concat(), threads);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

fn evaluate(models: &Path, data: &Path, more: &[&str]) -> Vec<Value> {
    let arguments = ["evaluate", "--format", "json", "--models", path(models), "--data", path(data)];
    let output = host_trainer(&[&arguments[..], more].concat(), "2");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn mape(lines: &[Value], kind: &str, target: &str) -> f64 {
    let line = lines.iter().find(|l| l["kind"] == kind && l["target"] == target && l.get("network").is_none());
    let line = line.unwrap_or_else(|| panic!("no line for {kind} {target}"));
    assert_eq!(line["non_positive"], 0);
    line["mape_percent"].as_f64().expect("a figure")
}

#[test]
fn every_kind_learns_a_law_of_layers_and_evaluate_says_how_well() {
    let folder = tempfile::tempdir().expect("folder");
    let (train, test) = (folder.path().join("train"), folder.path().join("test"));
    data(&train, 0..60, true);
    data(&test, 60..80, true);
    for (kind, most) in [("physics", 2.0), ("hybrid", 2.0), ("auto", 2.0)] {
        let models = folder.path().join(kind);
        fit(kind, &train, &models, "2");
        let lines = evaluate(&models, &test, &[]);
        for layers in ["convolutional", "dense", "network"] {
            let error = mape(&lines, layers, "runtime");
            assert!(error < most, "{kind} {layers}: {error} %");
        }
        // Power saturates by another curve than the model's: it is learnt closely, not exactly.
        assert!(mape(&lines, "convolutional", "power") < 8.0, "{lines:?}");
        assert!(mape(&lines, "network", "energy") < 8.0);
        for key in ["n", "rmspe_percent", "within_10_percent", "r2", "interval_90_coverage_percent"] {
            assert!(lines[0][key].is_number(), "{key}: {:?}", lines[0]);
        }
    }
    let left_out = host_trainer(
        &["evaluate", "--leave-one-network-out", "--kind", "physics", "--format", "json", "--data", path(&test)],
        "2",
    );
    let left_out: Vec<Value> = serde_json::from_slice(&left_out.stdout).expect("JSON");
    assert!(mape(&left_out, "network", "runtime") < 3.0, "{left_out:?}");
    let by_network = evaluate(&folder.path().join("physics"), &test, &["--by-network"]);
    assert_eq!(by_network.iter().filter(|l| l["kind"] == "network" && l["network"] == "n61").count(), 3);
    let second = folder.path().join("hybrid");
    let side_by_side = evaluate(&folder.path().join("physics"), &test, &["--models", path(&second)]);
    assert!(side_by_side.iter().any(|line| line["models"] == path(&second)));
}

#[test]
fn totals_alone_teach_what_their_layers_cost() {
    let folder = tempfile::tempdir().expect("folder");
    let (train, test) = (folder.path().join("train"), folder.path().join("test"));
    data(&train, 0..60, false);
    data(&test, 60..80, true);
    for kind in ["physics", "hybrid"] {
        let models = folder.path().join(kind);
        fit(kind, &train, &models, "2");
        let lines = evaluate(&models, &test, &[]);
        assert!(mape(&lines, "network", "runtime") < 3.0, "{kind}: {lines:?}");
        assert!(mape(&lines, "network", "energy") < 8.0, "{kind}: {lines:?}");
        // The layers' own run times were never shown; sums tell them apart roughly.
        assert!(mape(&lines, "convolutional", "runtime") < 30.0, "{kind}: {lines:?}");
        assert!(lines.iter().any(|l| l["kind"] == "network" && l["interval_90_coverage_percent"].is_number()));
    }
    let refused = host_trainer(
        &["fit", "--data", path(&train), "--out", path(&folder.path().join("lasso")), "--kind", "lasso"],
        "1",
    );
    assert_eq!(refused.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("physics or hybrid"));
}

#[test]
fn models_are_the_same_whatever_the_number_of_threads() {
    let folder = tempfile::tempdir().expect("folder");
    for (name, measured) in [("layers", true), ("totals", false)] {
        let train = folder.path().join(name);
        data(&train, 0..30, measured);
        let outs = ["1", "4"].map(|threads| {
            let out = folder.path().join(format!("{name}-{threads}"));
            fit("hybrid", &train, &out, threads);
            out
        });
        for model in ["convolutional/runtime", "convolutional/power", "dense/runtime"] {
            let [one, four] = [&outs[0], &outs[1]]
                .map(|out| std::fs::read(out.join("unnamed-device").join(model).join("model.onnx")).expect("a model"));
            assert!(one == four, "{name} {model}");
        }
    }
}
