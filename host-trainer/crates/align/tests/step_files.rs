//! The step response of a real board, where the measurements lie beside the repository.

#![allow(missing_docs)]

use align::step::relaxation;
use gated_tests::{data, measured, run};
use std::process::ExitCode;

fn main() -> ExitCode {
    run(vec![measured("the_lag_of_a_real_orin_log", "orin_lenet_alignment", the_lag_of_a_real_orin_log)])
}

fn the_lag_of_a_real_orin_log() {
    let text = std::fs::read_to_string(data("orin_lenet_alignment/step_response.csv")).expect("reads");
    let points: Vec<(f64, f64)> = text
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(','))
        .map(|(t, ma)| (t.parse::<f64>().expect("time") * 1e6, ma.parse().expect("current")))
        .collect();
    let (times, values): (Vec<f64>, Vec<f64>) = points.into_iter().unzip();
    let fit = relaxation(&times, &values).expect("a relaxation");
    assert!((fit.lag.0 - 0.412e6).abs() < 0.015e6, "{fit:?}");
    assert!(fit.rmse < 2.0 && fit.error.0 < 0.02e6, "{fit:?}");
}
