//! Attribution against the truth of a brute-force board, at a size that takes seconds; the crate `study` has the full
//! table (`benches/attribution.rs`). What is asserted is honesty: intervals that hold, nothing called measured that is not, never worse than a constant.
#![allow(missing_docs, clippy::unwrap_used)]

mod programs;

use align::method::Method;
use align::run::Options;
use shared::random::Random;
use shared::run_folder::{Clock, LayerStamp, LayerTimes, Manifest, Rail, Sensor, Total};
use shared::sensor::SensorFamily;
use shared::units::{Micros, Millis, Watts};
use simulate::{Load, LoadLayer, PollModel, SensorModel, Truth};
use std::fs;
use std::path::Path;
use std::process::{Command, Output};
use study::{Board, Disturbances, ExperimentPlan, Judged, Reader, align_folder, judge};

const US: fn(f64) -> Micros = Micros;

fn network(seed: u64) -> Load {
    let mut random = Random::new(seed);
    let layers = (0..14)
        .map(|i| LoadLayer {
            name: format!("layer{i}"),
            duration: Millis(0.02 + 0.15 * random.uniform().powi(2)),
            power: Watts(4.6 + 4.0 * (0.35 * random.normal()).exp()),
        })
        .collect();
    let mut load = Load::of_layers(layers);
    (load.idle, load.host_gap) = (Watts(4.6), Millis(0.25));
    load
}

fn board(family: SensorFamily, reader: Reader, disturbances: Disturbances) -> Board {
    let (noise_w, quantum_w) = if reader == Reader::OwnStamps { (0.03, 0.0) } else { (0.02, 0.04) };
    Board { family, noise_w, quantum_w, reader, disturbances, callback: true }
}

fn run(board: &Board, runs: u32, manifest: Option<&Manifest>) -> Vec<Judged> {
    (1..=3)
        .map(|seed| {
            let measured = board.run(&network(seed), runs, seed, false);
            let folder = tempfile::tempdir().unwrap();
            judge(&measured, manifest, folder.path(), &Options::default()).unwrap().0
        })
        .collect()
}

/// Intervals hold, and what is called measured is within its interval.
fn honest(name: &str, all: &[Judged]) {
    let sum = |f: &dyn Fn(&Judged) -> usize| all.iter().map(f).sum::<usize>() as f64;
    let (layers, held) = (sum(&|j| j.layers), sum(&|j| j.held));
    assert!(held >= 0.85 * layers, "{name}: {held} of {layers} intervals hold: {all:?}");
    let (measured, right) = (sum(&|j| j.measured), sum(&|j| j.measured_held));
    assert!(
        right >= 0.85 * measured,
        "{name}: {right} of {measured} measured layers are within their intervals: {all:?}"
    );
    for j in all {
        assert!(j.error <= 1.02 * j.constant, "{name}: worse than a constant: {j:?}");
    }
}

fn error(all: &[Judged]) -> f64 {
    all.iter().map(|j| j.error).sum::<f64>() / all.len() as f64
}

fn fast() -> Reader {
    Reader::Polls(400.0, 15.0)
}

fn ina3221(samples: u32) -> SensorFamily {
    SensorFamily::Recursive { samples, conversion: US(140.0), cycle: US(840.0) }
}

#[test]
fn a_meter_measures_layers_with_and_without_smoothing_before_it() {
    for disturbances in [Disturbances::CLEAN, Disturbances { smoothing_us: 200.0, ..Disturbances::CLEAN }] {
        let all = run(&board(SensorFamily::Meter { period: US(50.0) }, Reader::OwnStamps, disturbances), 1500, None);
        honest("meter", &all);
        assert!(error(&all) < 0.03, "{all:?}");
    }
}

#[test]
fn an_ina3221_is_deconvolved_through_its_recursive_mean() {
    for (samples, within) in [(1, 0.05), (4, 0.08)] {
        let all = run(&board(ina3221(samples), fast(), Disturbances::CLEAN), 4000, None);
        honest("INA3221", &all);
        assert!(error(&all) < within, "AVG {samples}: {all:?}");
    }
}

#[test]
fn a_block_of_conversions_is_not_taken_for_one_window() {
    let comb = SensorFamily::Block { samples: 4, conversion: US(140.0), spacing: US(840.0) };
    honest("INA226", &run(&board(comb, fast(), Disturbances::CLEAN), 4000, None));
}

#[test]
fn everything_that_spoils_a_measurement_widens_intervals() {
    for (name, family, reader) in [
        ("meter", SensorFamily::Meter { period: US(50.0) }, Reader::OwnStamps),
        ("window", SensorFamily::Window { refresh: US(2200.0), window: US(1100.0) }, Reader::Polls(1300.0, 40.0)),
        ("INA3221", ina3221(1), fast()),
    ] {
        honest(name, &run(&board(family, reader, Disturbances::ALL), 3000, None));
    }
}

#[test]
fn behind_a_slow_filter_the_constant_stands_with_wide_intervals() {
    let all = run(&board(ina3221(512), fast(), Disturbances::CLEAN), 2500, None);
    honest("INA3221 at boot", &all);
    assert!(all.iter().all(|j| j.measured == 0), "{all:?}");
}

/// What the agent records of a chip.
fn manifest(family: SensorFamily) -> Manifest {
    let mut manifest = Manifest::new("net", "test");
    let sensor = Sensor { chip: Some("ina3221".into()), ..Sensor::default() }.with_family(family);
    manifest.power.rails = vec![Rail { label: "VDD_IN".into(), sensor, ..Rail::default() }];
    manifest.power.total = Total::Rail(0);
    manifest.clock = Clock::default();
    manifest.layer_times = LayerTimes { stamp: LayerStamp::Callback, with_power: true, cycles_per_entry: 1 };
    manifest
}

#[test]
fn a_reader_slower_than_the_chip_loses_nothing_when_the_chip_is_known() {
    let board = board(ina3221(1), Reader::Polls(1000.0, 15.0), Disturbances::CLEAN);
    let unknown = run(&board, 4000, None);
    honest("read slowly", &unknown);
    let known = run(&board, 4000, Some(&manifest(ina3221(1))));
    honest("read slowly, chip known", &known);
    assert!(error(&known) < 0.06 && error(&known) < 0.6 * error(&unknown), "{known:?} {unknown:?}");
}

#[test]
fn sharing_is_the_energy_above_idle_over_the_layers_time() {
    let board = board(ina3221(512), fast(), Disturbances::CLEAN);
    let measured = board.run(&network(1), 1500, 1, false);
    let folder = tempfile::tempdir().unwrap();
    let options = Options { method: Method::Share, ..Options::default() };
    let (judged, aligned) = judge(&measured, None, folder.path(), &options).unwrap();
    let powers: Vec<f64> = aligned.quality.layers.iter().map(|l| l.power.unwrap().0).collect();
    assert!(powers.iter().all(|p| (p - powers[0]).abs() < 1e-9), "{powers:?}");
    assert!((judged.error - judged.constant).abs() < 2e-3, "{judged:?}");
    // Gaps draw idle power here, as the share takes it.
    assert!(judged.level.abs() < 0.03, "{judged:?}");
}

#[test]
fn behind_a_slow_filter_an_experiment_tells_layers_apart() {
    let experiment = |loops, seed| {
        let mut load = network(seed);
        // The host waits at the power that it works at.
        (load.pause_power, load.host) = (Some(Watts(5.0)), Watts(5.0));
        let (sensor, poll) = (SensorModel::ina3221_boot(), PollModel::reference_loop());
        let plan = ExperimentPlan { load, sensor, poll, time: Millis(3000.0), loops };
        let folder = tempfile::tempdir().unwrap();
        let truth = plan.write(folder.path(), seed).unwrap();
        align_folder(&truth, folder.path(), &Options::default()).unwrap()
    };
    let (pauses, aligned) = experiment(false, 1);
    let energy = &aligned.quality.energy;
    assert!(energy.outside_measured && (energy.outside_power.unwrap().0 - 5.0).abs() < 0.3, "{energy:?}");
    assert_eq!(pauses.measured, 0, "pauses tell nothing of single layers: {pauses:?}");
    let all: Vec<Judged> = (1..=3).map(|seed| experiment(true, seed).0).collect();
    honest("experiment", &all);
    assert!(error(&all) < 0.05 && all.iter().all(|j| 2 * j.measured >= j.layers), "{all:?}");
}

/// Runs a program in a folder, successfully.
fn run_in(folder: &Path, program: &Path, arguments: &str) -> Output {
    let output = Command::new(program).current_dir(folder).args(arguments.split(' ')).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

/// What `align` says of the run `net` in a folder, and what was true. The layers' power above idle: its mean absolute relative
/// error weighted by run time, the layers whose interval holds the truth, and those with a verdict.
fn aligned(folder: &Path, verdict: &str) -> (f64, usize, usize, serde_json::Value, Truth) {
    let host = Path::new(env!("CARGO_BIN_EXE_host-trainer"));
    let output = run_in(folder, host, "align --raw-data-dir raw_data --result-dir aligned --format json");
    let report: serde_json::Value = serde_json::from_slice::<serde_json::Value>(&output.stdout).unwrap()[0].clone();
    let truth: Truth = serde_json::from_slice(&fs::read(folder.join("raw_data/net/truth.json")).unwrap()).unwrap();
    let time: f64 = truth.layers.iter().map(|layer| layer.duration_ms).sum();
    let (mut error, mut held, mut with) = (0.0, 0, 0);
    for (layer, truth_of) in report["layers"].as_array().unwrap().iter().zip(&truth.layers) {
        assert_eq!(layer["name"].as_str(), Some(truth_of.name.as_str()));
        if truth_of.duration_ms > 0.0 {
            let of = |name: &str| layer[name].as_f64().unwrap();
            let net = truth_of.power_w - truth.idle_w;
            error += (of("power_w") - truth_of.power_w).abs() / net * truth_of.duration_ms / time;
            held += usize::from((of("power_low_w")..=of("power_high_w")).contains(&truth_of.power_w));
            with += usize::from(layer["verdict"] == verdict);
        }
    }
    (error, held, with, report, truth)
}

#[test]
fn an_experiment_of_the_agent_measures_layers_behind_a_slow_filter() {
    let agent = programs::agent();
    let engine = concat!(env!("CARGO_MANIFEST_DIR"), "/../sample_data/resnet18_trt_engine_info.json");
    let profile = |folder: &Path, further: &str| {
        // The host works little: what it draws differs between launching, collecting and waiting, which is one component here.
        let load = r#"{"pause_power": 5.0, "launch": 0.01, "collect": 0.005, "host_gap": 0.03}"#;
        fs::write(folder.join("load.json"), load).unwrap();
        let simulated = format!(
            "profile --runner simulated --simulate-fast --simulate-sensor ina3221-boot --simulate-load load.json \
             --engine-info {engine} --name net --runs 3000 --profiled 200"
        );
        run_in(folder, &agent, &(simulated + further));
    };
    let single = tempfile::tempdir().unwrap();
    profile(single.path(), "");
    let (_, held, unknown, report, truth) = aligned(single.path(), "not_identifiable");
    let layers = truth.layers.iter().filter(|layer| layer.duration_ms > 0.0).count();
    assert_eq!(unknown, layers, "a single run tells nothing of layers: {report}");
    assert!(10 * held >= 8 * layers, "{held} of {layers} intervals hold: {report}");
    let energy = report["energy"]["unprofiled"][2].as_f64().unwrap();
    assert!((energy / (truth.energy_mj / f64::from(truth.cycles)) - 1.0).abs() < 0.02, "{energy} {truth:?}");

    let experiment = tempfile::tempdir().unwrap();
    profile(experiment.path(), " --design auto --design-time 10m");
    let (error, held, measured, report, _) = aligned(experiment.path(), "measured");
    assert!(error < 0.05, "{error} {report}");
    assert!(
        10 * held >= 8 * layers && 2 * measured >= layers,
        "{held} hold, {measured} measured of {layers}: {report}"
    );
}
