//! Table of attribution errors on runs of a brute-force board with known truth: sensor families, networks, stamps,
//! disturbances. Prints rows of a Markdown table; `--help` explains columns and options.
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
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../../sample_data/{model}_trt_engine_info.json"));
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

const HELP: &str = "\
Options: --seeds N (runs of each scenario, 2)  --first SEED (100)  --runs 3000,30000  --only TEXT (scenarios whose name contains the
text; may be repeated)  --bounds N (runs of each scenario whose bound is worked out, 1)  --verbose
Columns: n, runs; error, of layers' power above idle, absolute, relative, weighted by run time; bound, the mean absolute error of an
unbiased estimator that knows response and noise (Cramer and Rao) on a load without disturbances of its own; bound, fitted, that of one that
finds the response from the same readings and meets the scatter of stamps and powers; constant, the error of energy
above idle over the layers' time; groups, the error with each layer in a group standing for the group's mean; level, the error of all
layers' energy above idle; hold, 90 % intervals that hold the truth; measured, attributed, not identifiable: layers of all runs, and those
of the measured ones that hold; spread, their errors over their standard deviations, root mean square: 1 where intervals are right; groups
hold: groups called measured, and those of them that hold.";

struct Arguments {
    seeds: u64,
    runs: Vec<u32>,
    only: Vec<String>,
    verbose: bool,
    bounds: u64,
    first: u64,
}

fn arguments() -> Arguments {
    let mut found =
        Arguments { seeds: 2, runs: vec![3_000, 30_000], only: Vec::new(), verbose: false, bounds: 1, first: 100 };
    let mut all = std::env::args().skip(1);
    while let Some(argument) = all.next() {
        let mut value = || all.next().unwrap_or_default();
        match argument.as_str() {
            "--seeds" => found.seeds = value().parse().unwrap(),
            "--runs" => found.runs = value().split(',').map(|n| n.parse().unwrap()).collect(),
            "--only" => found.only.push(value()),
            "--verbose" => found.verbose = true,
            "--first" => found.first = value().parse().unwrap(),
            "--bounds" => found.bounds = value().parse().unwrap(),
            "--help" => {
                println!("{HELP}");
                std::process::exit(0);
            }
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
        "| sensor; network; inferences; stamps; load | n | error | bound | bound, fitted | constant | groups | level | hold \
         | measured, of these hold | spread | attributed | not identifiable | groups hold |"
    );
    println!("|{}", "---|".repeat(14));
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
            let run = board.run(load, runs, asked.first + seed, seed < asked.bounds);
            let folder = tempfile::tempdir().unwrap();
            let known = name.contains("chip known").then(|| manifest(board));
            let (judged, aligned) = judge(&run, known.as_ref(), folder.path(), &Options::default()).unwrap();
            if asked.verbose {
                for (what, value) in align::summary::lines(&aligned.quality) {
                    println!("    {what:<20} {value}");
                }
                println!("    {} {}", aligned.quality.method.name(), aligned.quality.because);
                println!("    {:?} {:?}", aligned.quality.response, aligned.quality.families);
                println!("    {:?}", aligned.quality.checks);
                let off = |power: Option<Watts>, high: Option<Watts>, truth: f64| match (power, high) {
                    (Some(p), Some(high)) => format!("{:.3} W, off {:+.3} of {:.3}", truth, p.0 - truth, (high - p).0),
                    _ => format!("{truth:.3} W"),
                };
                for (l, layer) in aligned.quality.layers.iter().enumerate() {
                    println!("    {l:>3} {}: {:?}", off(layer.power, layer.power_high, run.watts[l]), layer.verdict);
                }
                for group in &aligned.quality.groups {
                    let time = |l: usize| run.durations[l];
                    let all = group.first..=group.last;
                    let truth = all.clone().map(|l| run.watts[l] * time(l)).sum::<f64>() / all.map(time).sum::<f64>();
                    let range = format!("{}–{}", group.first, group.last);
                    println!("    {range} {}: {:?}", off(group.power, group.power_high, truth), group.verdict);
                }
            }
            judged
        })
        .collect();
    let mean = |f: &dyn Fn(&Judged) -> f64| {
        let known: Vec<f64> = judged.iter().map(f).filter(|v| !v.is_nan()).collect();
        known.iter().sum::<f64>() / known.len() as f64 * 1e2
    };
    let sum = |f: &dyn Fn(&Judged) -> usize| judged.iter().map(f).sum::<usize>();
    let part = |a: usize, b: usize| {
        if b > 0 { format!("{:.0} % of {b}", a as f64 / b as f64 * 1e2) } else { "none".into() }
    };
    // Beyond the spread of layers' powers, readings say nothing.
    let bound = |of: &dyn Fn(&Judged) -> f64| match mean(of) {
        bound if bound.is_nan() => "–".into(),
        bound if bound > 100.0 => "> 100 %".into(),
        bound => format!("{bound:.2} %"),
    };
    let (known, fitted) = (bound(&|j| j.bound), bound(&|j| j.bound_fitted));
    let spread = (mean(&|j| j.spread) / 1e2).sqrt();
    let (layers, measured, attributed) = (sum(&|j| j.layers), sum(&|j| j.measured), sum(&|j| j.attributed));
    println!(
        "| {name} | {} | {:.2} % | {known} | {fitted} | {:.1} % | {:.2} % | {:+.1} % | {} | {} | {spread:.2} | {attributed} | {} | {} |",
        judged.len(),
        mean(&|j| j.error),
        mean(&|j| j.constant),
        mean(&|j| j.grouped),
        mean(&|j| j.level),
        part(sum(&|j| j.held), layers),
        part(sum(&|j| j.measured_held), measured),
        layers - measured - attributed,
        part(sum(&|j| j.groups.1), sum(&|j| j.groups.0)),
    );
}
