//! Attribution against the truth of a brute-force board, at a size that takes seconds; `benches/attribution.rs` has the full
//! table. What is asserted is honesty: intervals that hold, nothing called measured that is not, never worse than a constant.
#![allow(missing_docs, clippy::unwrap_used)]

use align::method::Method;
use align::run::Options;
use shared::random::Random;
use shared::run_folder::{Clock, LayerStamp, LayerTimes, Manifest, Rail, Sensor, Total};
use shared::sensor::SensorFamily;
use shared::units::{Micros, Millis, Watts};
use simulate::{Load, LoadLayer, PollModel, SensorModel};
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
