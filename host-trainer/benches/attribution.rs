//! Table of attribution errors on simulated runs with known truth.
//!
//! `cargo bench -p host-trainer --bench attribution [-- CYCLES…]`, 3,000 and 30,000 by default.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use shared::engine::{self, Engine};
use shared::random::Random;
use shared::sensor::SensorResponse;
use shared::units::{Millis, Watts};
use simulate::{Load, LoadLayer, PollModel, SensorModel};
use std::path::Path;
use study::{Comparison, compare, simulate_logs};

/// Layers of random length and power, with nothing for a model to know.
fn random(layers: usize, seed: u64) -> Load {
    let mut random = Random::new(seed);
    let layers = (0..layers)
        .map(|i| LoadLayer {
            name: format!("layer{i}"),
            duration: Millis(0.01 + 0.15 * random.uniform().powi(2)),
            power: Watts(5.0 + 4.5 * random.uniform()),
        })
        .collect();
    Load::of_layers(layers)
}

fn sample(model: &str) -> Engine {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sample_data");
    engine::read(&folder.join(format!("{model}_trt_engine_info.json"))).unwrap().0
}

fn main() {
    let counts: Vec<u32> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![3_000, 30_000] } else { counts };
    let (resnet, mobilenet) = (sample("resnet18"), sample("mobilenet_v2"));
    let mut jittery = random(26, 4);
    (jittery.host_gap, jittery.host_gap_deviation) = (Millis(1.5), 0.5);
    (jittery.duration_deviation, jittery.layer_gap) = (0.05, Millis(0.005));
    let loads: Vec<(&str, Load, Option<&Engine>)> = vec![
        ("random 26", random(26, 4), None),
        ("random 60", random(60, 5), None),
        ("gaps, jitter 26", jittery, None),
        ("resnet18", Load::of_engine(&resnet, 1), Some(&resnet)),
        ("mobilenet_v2", Load::of_engine(&mobilenet, 1), Some(&mobilenet)),
    ];
    let fast = PollModel { period_ns: 1_300_000, jitter_ns: 40_000, stall_every_ns: 500_000_000, stall_ns: 3_000_000 };
    let sensors = [
        ("meter 20 kHz", SensorModel::ideal_meter(), PollModel::streaming()),
        ("2.2 ms/1.1 ms", SensorModel::ina3221_fast(), fast),
        ("2.2 ms read at 2.29", SensorModel::ina3221_fast(), PollModel::reference_loop()),
        ("lag 0.41 s", SensorModel::ina3221_boot(), fast),
    ];
    println!(
        "{:<20} {:<16} {:>6} {:<8} | {:>7} {:>8} {:>7} {:>10} | {:>8} {:>10} {:>8} {:>8}",
        "sensor",
        "load",
        "cycles",
        "stamps",
        "window",
        "constant",
        "share",
        "deconvolve",
        "coverage",
        "half-width",
        "energy",
        "closure"
    );
    for &cycles in &counts {
        for (sensor_name, sensor, poll) in sensors {
            if std::env::var("ONLY").is_ok_and(|only| !sensor_name.contains(&only)) {
                continue;
            }
            let mut inside = (0.0, 0.0);
            for (load_name, load, engine) in &loads {
                for callback in [false, true] {
                    let logs = simulate_logs(load, sensor, poll, cycles, callback, 9);
                    let (c, ..) = compare(&logs, SensorResponse::default(), *engine).unwrap();
                    let layers = load.layers.len() as f64;
                    inside = (inside.0 + c.coverage * layers, inside.1 + layers);
                    row(sensor_name, load_name, cycles, callback, &c);
                }
            }
            println!(
                "{sensor_name:<20} all loads: coverage {:.0}% of {} intervals",
                inside.0 / inside.1 * 1e2,
                inside.1
            );
        }
    }
}

fn row(sensor: &str, load: &str, cycles: u32, callback: bool, c: &Comparison) {
    let percent = |v: f64| format!("{:.2}%", v * 1e2);
    println!(
        "{sensor:<20} {load:<16} {cycles:>6} {:<8} | {:>7} {:>8} {:>7} {:>10} | {:>7.0}% {:>10} {:>7.3}% {:>8.0e}",
        if callback { "callback" } else { "ends" },
        percent(c.window),
        percent(c.constant),
        percent(c.share),
        percent(c.deconvolve),
        c.coverage * 1e2,
        percent(c.half_width),
        c.energy_error * 1e2,
        c.closure.abs()
    );
}
