//! Attribution against the truth of simulated runs, at a size that takes seconds; `benches/attribution.rs` has the full one.
#![allow(missing_docs, clippy::unwrap_used)]

use shared::random::Random;
use shared::sensor::SensorResponse;
use shared::units::{Millis, Watts};
use simulate::{Load, LoadLayer, PollModel, SensorModel};
use study::{Comparison, compare, simulate_logs};

const READ_FAST: PollModel =
    PollModel { period_ns: 1_300_000, jitter_ns: 40_000, stall_every_ns: 500_000_000, stall_ns: 3_000_000 };

fn network(seed: u64) -> Load {
    let mut random = Random::new(seed);
    let layers = (0..14)
        .map(|i| LoadLayer {
            name: format!("layer{i}"),
            duration: Millis(0.01 + 0.15 * random.uniform().powi(2)),
            power: Watts(5.0 + 4.5 * random.uniform()),
        })
        .collect();
    Load::of_layers(layers)
}

fn study(sensor: SensorModel, poll: PollModel, cycles: u32) -> Vec<Comparison> {
    let mut all = Vec::new();
    for seed in 1..=2 {
        for callback in [false, true] {
            let logs = simulate_logs(&network(seed), sensor, poll, cycles, callback, seed);
            all.push(compare(&logs, SensorResponse::default(), None).unwrap().0);
        }
    }
    for c in &all {
        assert!(c.deconvolve <= c.constant * 1.000_1, "worse than a constant: {c:?}");
        assert!(c.closure.abs() < 1e-9 && c.energy_error.abs() < 0.01, "{c:?}");
    }
    all
}

fn coverage(all: &[Comparison]) -> f64 {
    all.iter().map(|c| c.coverage).sum::<f64>() / all.len() as f64
}

#[test]
fn a_meter_at_20_khz_measures_layers() {
    let all = study(SensorModel::ideal_meter(), PollModel::streaming(), 600);
    assert!(all.iter().all(|c| c.deconvolve < 0.01), "{all:?}");
    assert!(coverage(&all) > 0.85, "{}", coverage(&all));
    // Callback stamps mislead the reference's rule however good the meter is.
    assert!(all.iter().skip(1).step_by(2).all(|c| c.window > 10.0 * c.deconvolve), "{all:?}");
}

#[test]
fn a_sensor_slower_than_an_inference_still_tells_layers_apart() {
    let all = study(SensorModel::ina3221_fast(), READ_FAST, 3_000);
    assert!(all.iter().all(|c| c.deconvolve < 0.03 && c.deconvolve < 0.3 * c.window), "{all:?}");
    assert!(coverage(&all) > 0.75, "{}", coverage(&all));
}

#[test]
fn where_nothing_can_be_told_the_mean_stands_with_a_wide_interval() {
    let all = study(SensorModel::ina3221_boot(), READ_FAST, 2_500);
    assert!(all.iter().all(|c| c.identified < 0.1 && c.half_width > 0.2), "{all:?}");
    assert!(coverage(&all) > 0.8, "{}", coverage(&all));
}

#[test]
fn a_logger_slower_than_its_sensor_is_no_worse_than_a_constant() {
    // When a reading was renewed is unknown: the fit tells less, and its intervals have to say so.
    let all = study(SensorModel::ina3221_fast(), PollModel::reference_loop(), 2_000);
    assert!(coverage(&all) > 0.7, "{} {all:?}", coverage(&all));
}
