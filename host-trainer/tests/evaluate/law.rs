//! Data that follow a known law, and the program that learns it.

use std::path::Path;
use std::process::{Command, Output};

pub(super) fn host_trainer(arguments: &[&str], threads: &str) -> Output {
    Command::new(env!("CARGO_BIN_EXE_host-trainer"))
        .args(arguments)
        .env("RAYON_NUM_THREADS", threads)
        .env_remove("HOST_TRAINER_CONFIG")
        .output()
        .expect("the program runs")
}

pub(super) fn path(path: &Path) -> &str {
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
pub(super) fn data(folder: &Path, networks: std::ops::Range<u32>, measured: bool) {
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

pub(super) fn fit(kind: &str, data: &Path, out: &Path, threads: &str) {
    fit_with(kind, "[hybrid]\nmost_rounds = 60\n[mlp]\nepochs = 40\nmembers = 1\n", data, out, threads);
}

/// Fits with options in TOML.
pub(super) fn fit_with(kind: &str, options: &str, data: &Path, out: &Path, threads: &str) {
    let config = out.with_extension("toml");
    std::fs::write(&config, options).expect("options");
    let arguments = ["--quiet", "fit", "--kind", kind, "--test-models", "none", "--config", path(&config)];
    let output = host_trainer(&[&arguments[..], &["--data", path(data), "--out", path(out)]].concat(), threads);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
