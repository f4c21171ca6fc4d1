//! Table of attribution errors on runs of a brute-force board with known truth: sensor families, networks, stamps,
//! disturbances.
//!
//! `cargo bench -p host-trainer --bench attribution [-- --seeds N] [--first SEED] [--runs 3000,30000] [--only TEXT]…`; `--only` keeps the
//! scenarios whose line contains the text. Runs of 30,000 inferences take some seconds each.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use align::run::Options;
use rayon::prelude::*;
use shared::engine;
use shared::random::Random;
use shared::run_folder::{LayerStamp, LayerTimes, Manifest, Rail, Sensor, Total};
use shared::sensor::SensorFamily;
use shared::units::{Micros, Millis, Watts};
use simulate::{Load, LoadLayer};
use std::path::Path;
use study::{Board, Disturbances, Judged, Reader, judge};

/// Durations of an engine's layers with powers that follow no formula: log-normal above idle.
fn sample(model: &str, spread: f64) -> Load {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../sample_data/{model}_trt_engine_info.json"));
    let mut load = Load::of_engine(&engine::read(&path).unwrap().0, 1);
    power(&mut load, spread, 4.0, 11);
    load
}

fn power(load: &mut Load, spread: f64, level: f64, seed: u64) {
    let mut random = Random::new(seed);
    load.idle = Watts(4.6);
    load.host_gap = Millis(0.25);
    for layer in &mut load.layers {
        layer.power = load.idle + Watts(level * (spread * random.normal()).exp());
    }
}

fn random(layers: usize) -> Load {
    let mut random = Random::new(5);
    let layers = (0..layers)
        .map(|i| LoadLayer {
            name: format!("layer{i}"),
            duration: Millis(0.01 + 0.1 * random.uniform().powi(2)),
            power: Watts(0.0),
        })
        .collect();
    let mut load = Load::of_layers(layers);
    power(&mut load, 0.35, 4.0, 12);
    load
}

fn sensors() -> Vec<(&'static str, SensorFamily, f64, Reader)> {
    let us = Micros;
    let recursive = |samples| SensorFamily::Recursive { samples, conversion: us(140.0), cycle: us(840.0) };
    vec![
        ("meter 20 kHz", SensorFamily::Meter { period: us(50.0) }, 0.03, Reader::OwnStamps),
        (
            "window 1.1/2.2 ms",
            SensorFamily::Window { refresh: us(2200.0), window: us(1100.0) },
            0.01,
            Reader::Polls(1300.0, 40.0),
        ),
        (
            "INA3221 AVG 1, 1.1 ms, 3 channels",
            SensorFamily::Recursive { samples: 1, conversion: us(1100.0), cycle: us(6600.0) },
            0.01,
            Reader::Polls(1300.0, 40.0),
        ),
        ("INA3221 AVG 1, 0.84 ms", recursive(1), 0.025, Reader::Polls(400.0, 15.0)),
        ("INA3221 AVG 4, 0.84 ms", recursive(4), 0.025, Reader::Polls(400.0, 15.0)),
        ("INA3221 AVG 16, 0.84 ms", recursive(16), 0.025, Reader::Polls(400.0, 15.0)),
        ("INA3221 AVG 512, 0.84 ms", recursive(512), 0.025, Reader::Polls(400.0, 15.0)),
        (
            "INA226 4 x 140 us, 0.84 ms",
            SensorFamily::Block { samples: 4, conversion: us(140.0), spacing: us(840.0) },
            0.025,
            Reader::Polls(400.0, 15.0),
        ),
        (
            "INA226 16 x 140 us, 0.28 ms",
            SensorFamily::Block { samples: 16, conversion: us(140.0), spacing: us(280.0) },
            0.025,
            Reader::Polls(1300.0, 40.0),
        ),
        ("mean 8.4 ms", SensorFamily::Meter { period: us(8400.0) }, 0.005, Reader::Polls(1300.0, 40.0)),
        ("INA3221 AVG 1, read at 1 ms, chip known", recursive(1), 0.025, Reader::Polls(1000.0, 15.0)),
        ("INA3221 AVG 1, read at 2.3 ms, chip known", recursive(1), 0.025, Reader::Polls(2300.0, 40.0)),
        ("INA3221 AVG 1, read at 1 ms", recursive(1), 0.025, Reader::Polls(1000.0, 15.0)),
        ("INA3221 AVG 1, read at 2.3 ms", recursive(1), 0.025, Reader::Polls(2300.0, 40.0)),
    ]
}

/// What the agent records of a chip: its nominal settings.
fn manifest(board: &Board) -> Manifest {
    let mut manifest = Manifest::new("net", "bench");
    let sensor = Sensor::default().with_family(board.family);
    manifest.power.rails = vec![Rail { label: "VDD_IN".into(), sensor, ..Rail::default() }];
    manifest.power.total = Total::Rail(0);
    let stamp = if board.callback { LayerStamp::Callback } else { LayerStamp::LayerEnd };
    manifest.layer_times = LayerTimes { stamp, with_power: true, cycles_per_entry: 1 };
    manifest
}

struct Arguments {
    seeds: u64,
    runs: Vec<u32>,
    only: Vec<String>,
    verbose: bool,
    bound: bool,
    first: u64,
}

fn arguments() -> Arguments {
    let mut found =
        Arguments { seeds: 2, runs: vec![3_000, 30_000], only: Vec::new(), verbose: false, bound: true, first: 100 };
    let mut all = std::env::args().skip(1);
    while let Some(argument) = all.next() {
        let mut value = || all.next().unwrap_or_default();
        match argument.as_str() {
            "--seeds" => found.seeds = value().parse().unwrap(),
            "--runs" => found.runs = value().split(',').map(|n| n.parse().unwrap()).collect(),
            "--only" => found.only.push(value()),
            "--verbose" => found.verbose = true,
            "--first" => found.first = value().parse().unwrap(),
            "--no-bound" => found.bound = false,
            _ => {}
        }
    }
    found
}

fn main() {
    let asked = arguments();
    let loads = [
        ("resnet18", sample("resnet18", 0.2)),
        ("mobilenet_v2", sample("mobilenet_v2", 0.45)),
        ("random 160", random(160)),
    ];
    println!(
        "{:<88} | {:>7} {:>8} {:>7} {:>7} {:>7} | {:>5} {:>14} {:>9} | {:>11}",
        "scenario", "error", "constant", "bound", "groups", "level", "hold", "of 'measured'", "att. n.i.", "of groups"
    );
    for &runs in &asked.runs {
        for (sensor, family, noise_w, reader) in sensors() {
            for (network, load) in &loads {
                for (stamps, callback) in [("ends", false), ("callback", true)] {
                    for (kind, disturbances) in [("clean", Disturbances::CLEAN), ("disturbed", Disturbances::ALL)] {
                        let name = format!("{sensor}; {network}; {runs}; {stamps}; {kind}");
                        if !asked.only.iter().all(|only| name.contains(only)) {
                            continue;
                        }
                        let board = Board {
                            family,
                            noise_w,
                            quantum_w: if noise_w > 0.028 { 0.0 } else { 0.04 },
                            reader,
                            disturbances,
                            callback,
                        };
                        scenario(&name, &board, load, runs, &asked);
                    }
                }
            }
        }
    }
}

fn scenario(name: &str, board: &Board, load: &Load, runs: u32, asked: &Arguments) {
    let judged: Vec<Judged> = (0..asked.seeds)
        .into_par_iter()
        .map(|seed| {
            let run = board.run(load, runs, asked.first + seed, asked.bound);
            let folder = tempfile::tempdir().unwrap();
            let known = name.contains("chip known").then(|| manifest(board));
            let (judged, aligned) = judge(&run, known.as_ref(), folder.path(), &Options::default()).unwrap();
            if asked.verbose {
                for (what, value) in align::summary::lines(&aligned.quality) {
                    println!("    {what:<20} {value}");
                }
                println!("    {} {}", aligned.quality.method.name(), aligned.quality.because);
                println!("    {:?} {:?}", aligned.quality.response, aligned.quality.families);
            }
            judged
        })
        .collect();
    let n = judged.len() as f64;
    let mean = |f: &dyn Fn(&Judged) -> f64| judged.iter().map(f).sum::<f64>() / n * 1e2;
    let sum = |f: &dyn Fn(&Judged) -> usize| judged.iter().map(f).sum::<usize>();
    let part = |a: usize, b: usize| if b > 0 { format!("{:.0}%", a as f64 / b as f64 * 1e2) } else { "-".into() };
    let (layers, measured) = (sum(&|j| j.layers), sum(&|j| j.measured));
    println!(
        "{name:<88} | {:>6.1}% {:>7.1}% {:>6.1}% {:>6.1}% {:>6.1}% | {:>5} {:>14} {:>9} | {:>11}",
        mean(&|j| j.error),
        mean(&|j| j.constant),
        mean(&|j| j.bound),
        mean(&|j| j.grouped),
        mean(&|j| j.level),
        part(sum(&|j| j.held), layers),
        format!("{} of {}", part(sum(&|j| j.measured_held), measured), measured),
        format!("{} {}", sum(&|j| j.attributed), layers - measured - sum(&|j| j.attributed)),
        format!("{} of {}", part(sum(&|j| j.groups.1), sum(&|j| j.groups.0)), sum(&|j| j.groups.0)),
    );
}
