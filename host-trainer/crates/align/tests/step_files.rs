//! The step response of a real board, where the measurements lie beside the repository.

#![allow(missing_docs)]

use align::step::relaxation;
use gated_tests::{data, measured, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![
        measured("the_lag_of_a_real_orin_log", "orin_lenet_alignment", the_lag_of_a_real_orin_log),
        measured("a_real_orin_log_is_a_recursive_mean", "orin_lenet_alignment", a_real_orin_log_is_a_recursive_mean),
    ])
}

/// Times in µs and currents in mA.
fn step_response() -> (Vec<f64>, Vec<f64>) {
    let text = std::fs::read_to_string(data("orin_lenet_alignment/step_response.csv")).expect("reads");
    let points: Vec<(f64, f64)> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(t, ma)| (t.parse::<f64>().expect("time") * 1e6, ma.parse().expect("current")))
        .collect();
    points.into_iter().unzip()
}

/// Scatter in mA around a register that moves by 1/`average` of the difference once per cycle; levels by least squares, the
/// best of some phases.
fn recursive_rmse((times, values): (&[f64], &[f64]), average: u32, cycle_us: f64) -> f64 {
    let keep = 1.0 - 1.0 / f64::from(average);
    let n = times.len() as f64;
    let of_phase = |phase: f64| {
        let basis: Vec<f64> = times.iter().map(|t| keep.powf(((t - times[0]) / cycle_us + phase).floor())).collect();
        let mean = |v: &[f64]| v.iter().sum::<f64>() / n;
        let (b, v) = (mean(&basis), mean(values));
        let joint: f64 = basis.iter().zip(values).map(|(x, y)| (x - b) * (y - v)).sum();
        let slope = joint / basis.iter().map(|x| (x - b).powi(2)).sum::<f64>();
        let squares = basis.iter().zip(values).map(|(x, y)| (y - v - slope * (x - b)).powi(2)).sum::<f64>();
        (squares / n).sqrt()
    };
    (0..4).map(|k| of_phase(f64::from(k) / 4.0)).fold(f64::INFINITY, f64::min)
}

fn a_real_orin_log_is_a_recursive_mean() {
    let (times, values) = step_response();
    let exponential = relaxation(&times, &values).expect("a relaxation");
    let best = |average: u32| {
        let cycles = (0..400).map(|k| 300.0 * 1.01_f64.powi(k) * 512.0 / f64::from(average));
        cycles
            .map(|cycle| (cycle, recursive_rmse((&times, &values), average, cycle)))
            .min_by(|a, b| a.1.total_cmp(&b.1))
            .expect("cycles")
    };
    // JetPack sets AVG to 512; three channels of 140 µs twice make a cycle of 0.84 ms.
    let (cycle, rmse) = best(512);
    assert!((cycle - 840.0).abs() < 80.0, "{cycle} µs");
    // Steps of a cycle are far below the quantum of 8 mA: a recursive mean and an exponential leave the same.
    assert!((rmse / exponential.rmse - 1.0).abs() < 0.05, "{rmse} mA, exponential {exponential:?}");
    // The log tells the product of average and cycle alone.
    let (other, as_well) = best(256);
    assert!(
        (other / cycle / 2.0 - 1.0).abs() < 0.03 && (as_well / rmse - 1.0).abs() < 0.02,
        "{other} µs, {as_well} mA"
    );
}

fn the_lag_of_a_real_orin_log() {
    let (times, values) = step_response();
    let fit = relaxation(&times, &values).expect("a relaxation");
    assert!((fit.lag.0 - 0.412e6).abs() < 0.015e6, "{fit:?}");
    assert!(fit.rmse < 2.0 && fit.error.0 < 0.02e6, "{fit:?}");
}
