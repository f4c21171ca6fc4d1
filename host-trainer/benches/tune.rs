//! Best values after 100 trials on functions with known minima, one line of JSON a seed: `benches/tune/compare.py` has the
//! same functions and sets them beside Optuna's.
//!
//! `cargo bench -p host-trainer --bench tune [-- TRIALS [SEEDS]]`
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used)]

use tune::sampler::{Observation, Sampler, Situation, TrialResult, propose};
use tune::space::{Parameters, Point, Space};

const BRANIN: &str = "x = { low = -5.0, high = 10.0 }\ny = { low = 0.0, high = 15.0 }";
const HARTMANN: &str = "x0 = { low = 0.0, high = 1.0 }\nx1 = { low = 0.0, high = 1.0 }\nx2 = { low = 0.0, high = 1.0 }\n\
     x3 = { low = 0.0, high = 1.0 }\nx4 = { low = 0.0, high = 1.0 }\nx5 = { low = 0.0, high = 1.0 }";
const MIXED: &str = "rate = { low = 1e-5, high = 1e-1, log = true }\ndecay = { low = 1e-7, high = 1e-2, log = true }\n\
     dropout = { low = 0.0, high = 0.5 }\nlayers = { low = 1, high = 5 }\nwidth = { low = 4, high = 256, log = true }\n\
     kind = [\"a\", \"b\", \"c\"]\nbatch = [16, 32, 64, 128]";

fn number(parameters: &Parameters, name: &str) -> f64 {
    let value = &parameters[name];
    value.as_float().unwrap_or_else(|| value.as_integer().unwrap() as f64)
}

/// Dixon and Szegö, 1978; least 0.397887.
fn branin(p: &Parameters) -> f64 {
    let (x, y) = (number(p, "x"), number(p, "y"));
    let pi = std::f64::consts::PI;
    (y - 5.1 / (4.0 * pi * pi) * x * x + 5.0 / pi * x - 6.0).powi(2) + 10.0 * (1.0 - 1.0 / (8.0 * pi)) * x.cos() + 10.0
}

/// Hartmann's function of six numbers; least -3.32237.
fn hartmann(p: &Parameters) -> f64 {
    let weights = [1.0, 1.2, 3.0, 3.2];
    let a = [
        [10.0, 3.0, 17.0, 3.5, 1.7, 8.0],
        [0.05, 10.0, 17.0, 0.1, 8.0, 14.0],
        [3.0, 3.5, 1.7, 10.0, 17.0, 8.0],
        [17.0, 8.0, 0.05, 10.0, 0.1, 14.0],
    ];
    let c = [
        [1312.0, 1696.0, 5569.0, 124.0, 8283.0, 5886.0],
        [2329.0, 4135.0, 8307.0, 3736.0, 1004.0, 9991.0],
        [2348.0, 1451.0, 3522.0, 2883.0, 3047.0, 6650.0],
        [4047.0, 8828.0, 8732.0, 5743.0, 1091.0, 381.0],
    ];
    let term = |i: usize| {
        let inner: f64 = (0..6).map(|j| a[i][j] * (number(p, &format!("x{j}")) - 1e-4 * c[i][j]).powi(2)).sum();
        weights[i] * (-inner).exp()
    };
    -(0..4).map(term).sum::<f64>()
}

/// Shaped like the tuning of a network: rates on logarithmic scales, whole numbers, choices that interact; least 0.
fn mixed(p: &Parameters) -> f64 {
    let kind = p["kind"].as_str().unwrap();
    let batch = number(p, "batch");
    let best_rate: f64 = if kind == "b" { 3e-3 } else { 3e-4 };
    let rate = (number(p, "rate") / best_rate).log10();
    let decay = (number(p, "decay") / 1e-5).log10();
    let width = (number(p, "width") / 64.0).log2();
    let offset = match kind {
        "a" => 0.5,
        "b" => 0.0,
        _ => 1.0,
    };
    offset
        + rate * rate
        + 0.1 * decay * decay
        + 8.0 * (number(p, "dropout") - 0.1).powi(2)
        + 0.15 * (number(p, "layers") - 3.0).powi(2)
        + 0.1 * width * width
        + 0.2 * (batch / 32.0).log2().abs()
}

type Function = fn(&Parameters) -> f64;

fn main() {
    let told: Vec<u64> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let (trials, seeds) = (told.first().copied().unwrap_or(100), told.get(1).copied().unwrap_or(10));
    let functions: [(&str, &str, Function); 3] =
        [("branin", BRANIN, branin), ("hartmann6", HARTMANN, hartmann), ("mixed", MIXED, mixed)];
    for (name, text, function) in functions {
        let space = Space::from_table(&toml::from_str(text).unwrap()).unwrap();
        for (sampler, generation) in [(Sampler::Tpe, 1), (Sampler::Tpe, 8), (Sampler::Random, 8)] {
            for seed in 0..seeds {
                let best = best(&space, function, sampler, generation, seed, trials);
                let sampler = sampler.name();
                println!(
                    "{{\"function\":\"{name}\",\"sampler\":\"{sampler}\",\"generation\":{generation},\"seed\":{seed},\"best\":{best}}}"
                );
            }
        }
    }
}

fn best(space: &Space, function: Function, sampler: Sampler, generation: u64, seed: u64, trials: u64) -> f64 {
    let (mut earlier, mut best): (Vec<Observation>, f64) = (Vec::new(), f64::INFINITY);
    let mut number = 0;
    while number < trials {
        let (mut pending, mut values): (Vec<Point>, Vec<f64>) = (Vec::new(), Vec::new());
        for number in number..(number + generation).min(trials) {
            let situation = Situation { seed, number, earlier: &earlier, pending: &pending };
            let parameters = propose(sampler, space, situation).unwrap();
            let value = function(&parameters);
            best = best.min(value);
            values.push(value);
            pending.push(space.point(&parameters).unwrap());
        }
        number += values.len() as u64;
        let finished = pending.into_iter().zip(values);
        earlier.extend(finished.map(|(point, value)| Observation { point, result: TrialResult::Complete(value) }));
    }
    best
}
