//! Table of attribution errors on simulated runs. `cargo bench -p host-trainer --bench attribution [-- CYCLES…]`
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use host_trainer::align::sensor::Known;
use host_trainer::align::study::{compare, simulate_logs};
use shared::simulate::{Load, LoadLayer, PollModel, Random, SensorModel};
use shared::units::{Millis, Watts};
use std::time::Instant;

fn network(layers: usize, seed: u64) -> Load {
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

fn main() {
    let counts: Vec<u32> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    let counts = if counts.is_empty() { vec![3_000, 30_000] } else { counts };
    let fast_poll =
        PollModel { period_ns: 1_300_000, jitter_ns: 40_000, stall_every_ns: 500_000_000, stall_ns: 3_000_000 };
    println!(
        "{:<22} {:>6} {:>5} {:>4} | {:>7} {:>8} {:>7} {:>7} | {:>6} {:>6} {:>8} {:>8} {:>6} {:>5} {:>6}",
        "sensor",
        "cycles",
        "layers",
        "stmp",
        "window",
        "constant",
        "share",
        "deconv",
        "cover",
        "half",
        "energy",
        "closure",
        "ident",
        "infl",
        "s"
    );
    for &cycles in &counts {
        for layers in [26, 60] {
            let only = std::env::var("ONLY").unwrap_or_default();
            for (name, sensor, poll) in [
                ("20 kHz meter", SensorModel::ideal_meter(), PollModel::streaming()),
                ("2.2 ms, window 1.1 ms", SensorModel::ina3221_fast(), fast_poll),
                ("same, read at 2.29 ms", SensorModel::ina3221_fast(), PollModel::reference_loop()),
                ("lag 0.41 s", SensorModel::ina3221_boot(), fast_poll),
            ] {
                if !name.contains(&only) {
                    continue;
                }
                for callback in [false, true] {
                    let load = network(layers, 4);
                    let logs = simulate_logs(&load, sensor, poll, cycles, callback, 9);
                    let start = Instant::now();
                    let (c, evidence, survey) = compare(&logs, Known::default(), &vec![None; layers]).unwrap();
                    println!(
                        "{name:<22} {cycles:>6} {layers:>5} {:>4} | {:>6.2}% {:>7.2}% {:>6.2}% {:>6.2}% | {:>5.0}% {:>5.1}% {:>7.3}% {:>8.0e} {:>5.0}% {:>5.1} {:>6.2}",
                        if callback { "cb" } else { "end" },
                        c.window * 1e2,
                        c.constant * 1e2,
                        c.share * 1e2,
                        c.deconvolve * 1e2,
                        c.coverage * 1e2,
                        c.half_width * 1e2,
                        c.energy_error * 1e2,
                        c.closure.abs(),
                        c.identified * 1e2,
                        c.inflation,
                        start.elapsed().as_secs_f64()
                    );
                    if std::env::var_os("DETAIL").is_some() {
                        println!(
                            "   {:?} samples {} sigma {:?} s {:?} sensor {:?}",
                            (
                                evidence.response,
                                evidence.predicted,
                                evidence.solution.as_ref().map(|s| s.nuisances.clone())
                            ),
                            evidence.samples,
                            evidence.solution.as_ref().map(|s| s.noise_watts),
                            evidence.solution.as_ref().map(|s| s.spread_watts),
                            survey.sensor
                        );
                    }
                }
            }
        }
    }
}
