//! A board, its sensor chip and its reader by brute force: time goes on in steps of some microseconds, and the chip does
//! what its data sheet says, conversion by conversion. Nothing here is shared with the estimator or with the simulator.

use shared::random::Random;
use shared::run_folder::stamp::format_stamp;
use shared::sensor::SensorFamily;
use simulate::{Load, LoadLayer};
use std::io::Write;

/// The wall clock at the run's beginning.
pub(crate) const WALL_NS: i64 = 1_738_071_500_000_000_000;

/// How the register is read.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Reader {
    /// Each renewal once, with the chip's own stamp.
    OwnStamps,
    /// By a program with a clock of its own: time between readings and its jitter, in µs.
    Polls(f64, f64),
}

/// What spoils a measurement.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Disturbances {
    /// Time constant of regulators and capacitors before the chip, µs.
    pub smoothing_us: f64,
    /// What idle power rises by over the run, W.
    pub idle_rise_w: f64,
    /// What the host draws above idle between layers, W.
    pub host_w: f64,
    /// Mean and standard deviation of the callback's delay after the inference's end, µs.
    pub callback_us: (f64, f64),
    /// Relative deviation of a layer's power from one run to the next.
    pub power_deviation: f64,
    /// Share of a layer's power above idle that follows the layer before it.
    pub neighbour: f64,
}

impl Disturbances {
    /// Nothing but the callback's delay.
    pub const CLEAN: Self = Self {
        smoothing_us: 0.0,
        idle_rise_w: 0.0,
        host_w: 0.0,
        callback_us: (30.0, 2.0),
        power_deviation: 0.0,
        neighbour: 0.0,
    };
    /// All of them.
    pub const ALL: Self = Self {
        smoothing_us: 200.0,
        idle_rise_w: 1.0,
        host_w: 1.5,
        callback_us: (40.0, 6.0),
        power_deviation: 0.05,
        neighbour: 0.02,
    };
}

/// A board with a sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Board {
    /// The chip.
    pub family: SensorFamily,
    /// Noise of one conversion, W.
    pub noise_w: f64,
    /// Step of a reading, W; 0 is none.
    pub quantum_w: f64,
    /// How it is read.
    pub reader: Reader,
    /// What spoils the measurement.
    pub disturbances: Disturbances,
    /// Whether layers are stamped in the callback, else at their ends.
    pub callback: bool,
}

/// A run and its truth.
#[derive(Debug, Clone)]
pub struct BoardRun {
    /// The power log in EdgeProfiler's format.
    pub power: Vec<u8>,
    /// The latency file.
    pub latency: Vec<u8>,
    /// Mean power of each layer, idle included, W.
    pub watts: Vec<f64>,
    /// Mean duration of each layer, ms.
    pub durations: Vec<f64>,
    /// Idle power before the run, W.
    pub idle_w: f64,
    /// Mean idle power over the run, W.
    pub mean_idle_w: f64,
    /// Least standard deviation of each layer's power that any unbiased estimator can have that knows the response, W:
    /// Cramér and Rao's bound. Infinite where the readings do not determine it.
    pub bound: Vec<f64>,
}

/// One step of constant power: start, end, component, watts.
struct Steps {
    end_us: f64,
    component: usize,
    watts: f64,
}

impl Board {
    /// Runs a load. `with_bound` works out the bound, too, which takes longer.
    #[must_use]
    pub fn run(&self, load: &Load, runs: u32, seed: u64, with_bound: bool) -> BoardRun {
        let mut random = Random::new(seed);
        let mut plan = random.fork(1);
        let d = self.disturbances;
        let layers = load.layers.len();
        let (idle, lead_us) = (load.idle.0, 1.5e6);
        let mut steps = vec![Steps { end_us: lead_us, component: layers + 1, watts: idle }];
        let mut lists: Vec<Vec<u8>> = vec![Vec::new(); layers];
        let (mut energy, mut time) = (vec![0.0; layers], vec![0.0; layers]);
        let mut now = lead_us;
        let expected = (load.inference().0 + load.host_gap.0) * 1e3 * f64::from(runs);
        let warmup = 20;
        for cycle in 0..runs + warmup {
            let risen = |at: f64| d.idle_rise_w * ((at - lead_us) / expected).clamp(0.0, 1.0);
            let host = |at: f64| idle + risen(at) + d.host_w;
            let outside = if cycle < warmup { layers + 1 } else { layers };
            let mut go = |steps: &mut Vec<Steps>, us: f64, component: usize, watts: f64| {
                now += us;
                steps.push(Steps { end_us: now, component, watts });
                now
            };
            let start = steps[steps.len() - 1].end_us;
            let mut at = go(&mut steps, load.launch.0 * 1e3, outside, host(start));
            let mut ends = Vec::with_capacity(layers);
            let mut before = 0.0;
            for (l, layer) in load.layers.iter().enumerate() {
                let us = layer.duration.0 * 1e3 * (1.0 + load.duration_deviation * plan.normal().clamp(-3.0, 3.0));
                let net = (layer.power.0 - idle) * (1.0 + d.power_deviation * plan.normal());
                let net = net + d.neighbour * (before - net);
                before = net;
                let watts = idle + risen(at) + net;
                let end = go(&mut steps, us, l, watts);
                if cycle >= warmup {
                    time[l] += us;
                    energy[l] += us * watts;
                }
                ends.push((end, us));
                at = go(&mut steps, load.layer_gap.0 * 1e3, outside, host(end));
            }
            let end = go(&mut steps, load.collect.0 * 1e3, outside, host(at));
            // A gamma distribution of shape 4.
            let gamma: f64 = (0..4).map(|_| -plan.uniform().max(1e-12).ln()).sum::<f64>() / 4.0;
            go(&mut steps, load.host_gap.0 * 1e3 * gamma, outside, host(end));
            if cycle < warmup {
                continue;
            }
            let (mean, deviation) = d.callback_us;
            let shape = (mean / deviation.max(1e-3)).powi(2).round().clamp(1.0, 60.0);
            let delay: f64 = (0..shape as u32).map(|_| -plan.uniform().max(1e-12).ln()).sum::<f64>() / shape * mean;
            let mut callback = end + delay;
            for (list, (end, us)) in lists.iter_mut().zip(ends) {
                callback += 1.0 + 2.0 * plan.uniform();
                let stamp = if self.callback { callback } else { end };
                let separator = if list.is_empty() { "" } else { "," };
                let _ = write!(list, "{separator}[{:?},\"{}\"]", f64::from((us * 1e-3) as f32), wall(stamp));
            }
        }
        let end = now + 1.5e6;
        steps.push(Steps { end_us: end, component: layers + 1, watts: idle + d.idle_rise_w });
        let (power, bound) = self.measure(&steps, layers, &mut random, with_bound);
        let latency = latency_file(&load.layers, &lists);
        let watts = energy.iter().zip(&time).map(|(e, t)| if *t > 0.0 { e / t } else { idle }).collect();
        let durations = time.iter().map(|t| t / f64::from(runs) * 1e-3).collect();
        BoardRun { power, latency, watts, durations, idle_w: idle, mean_idle_w: idle + d.idle_rise_w / 2.0, bound }
    }

    /// The chip: conversion windows, one after the other, and the register that follows from them.
    fn measure(&self, steps: &[Steps], layers: usize, random: &mut Random, with_bound: bool) -> (Vec<u8>, Vec<f64>) {
        let (mut noise, mut reading) = (random.fork(2), random.fork(3));
        // Conversion, spacing of conversions, conversions of a block, what the register keeps.
        let (conversion, spacing, block, keep) = match self.family {
            SensorFamily::Window { refresh, window } => (window.0, refresh.0, 1, 0.0),
            SensorFamily::Block { samples, conversion, spacing } => (conversion.0, spacing.0, samples, 0.0),
            SensorFamily::Recursive { samples, conversion, cycle } => {
                (conversion.0, cycle.0, 1, 1.0 - 1.0 / f64::from(samples))
            }
            SensorFamily::Meter { period } => (period.0, period.0, 1, 0.0),
            SensorFamily::Counter { refresh } => (refresh.0, refresh.0, 1, 0.0),
            SensorFamily::Filtered { refresh, .. } => (1.0, refresh.0, 1, 0.0),
        };
        let lag = if let SensorFamily::Filtered { lag, .. } = self.family { lag.0 } else { 0.0 };
        // The chip's oscillator is off by up to 1 %.
        let off = if self.reader == Reader::OwnStamps { 1.0 } else { 1.0 + 0.01 * (2.0 * reading.uniform() - 1.0) };
        let (conversion, spacing) = (conversion * off, spacing * off);
        let size = layers + 2;
        let mut out = Vec::new();
        let step_us = (conversion / 8.0).min(2.0);
        let (mut level, mut filtered) = (steps[0].watts, steps[0].watts);
        let mut seen = vec![0.0; size];
        seen[layers + 1] = 1.0;
        let mut row = vec![0.0; size];
        let mut block_row = vec![0.0; size];
        let mut register = steps[0].watts;
        let (mut sum, mut sum_time, mut block_sum, mut count) = (0.0, 0.0, 0.0, 0);
        let mut shown = register;
        let mut next_end = spacing * (1.0 + reading.uniform());
        let mut next_read = 0.0;
        let (mut fisher, mut read_since) = (Fisher::new(size, keep, self.noise_w, self.quantum_w), true);
        let mut spent = vec![0.0; size];
        let mut now = 0.0;
        let mut emit = |at: f64, watts: f64| {
            let _ = writeln!(out, "{},5000.0,{:?}", wall(at), watts / 5.0 * 1e3);
        };
        for step in steps {
            while now < step.end_us {
                let opening = next_end - conversion;
                let mut until = (now + step_us).min(step.end_us);
                if now < opening {
                    // Nothing is converted: longer steps do, the smoothing is exact.
                    until = step.end_us.min(opening);
                } else {
                    until = until.min(next_end);
                }
                if let Reader::Polls(..) = self.reader {
                    until = until.min(next_read).max(now);
                }
                let dt = until - now;
                let smoothed =
                    |tau: f64, from: f64, to: f64| if tau > 0.0 { to + (from - to) * (-dt / tau).exp() } else { to };
                let before = level;
                level = smoothed(self.disturbances.smoothing_us, level, step.watts);
                let input = if self.disturbances.smoothing_us > 0.0 { 0.5 * (before + level) } else { level };
                let filtered_before = filtered;
                filtered = smoothed(lag, filtered, input);
                let value = if lag > 0.0 { 0.5 * (filtered_before + filtered) } else { input };
                spent[step.component] += dt;
                let converts = now >= opening - 1e-9;
                if with_bound {
                    let tau = self.disturbances.smoothing_us + lag;
                    let fade = if tau > 0.0 { (-dt / tau).exp() } else { 0.0 };
                    if tau > 0.0 && dt > 0.0 {
                        seen.iter_mut().for_each(|s| *s *= fade);
                        seen[step.component] += 1.0 - fade;
                        if converts {
                            row.iter_mut().zip(&seen).for_each(|(r, s)| *r += s * dt);
                        }
                    } else if converts {
                        row[step.component] += dt;
                    }
                }
                if converts {
                    sum += value * dt;
                    sum_time += dt;
                }
                now = until;
                if now >= next_end - 1e-9 {
                    let converted = sum / f64::max(sum_time, 1e-12) + self.noise_w * noise.normal();
                    block_sum += converted;
                    count += 1;
                    if with_bound {
                        block_row
                            .iter_mut()
                            .zip(&mut row)
                            .for_each(|(b, r)| *b += std::mem::take(r) / sum_time / f64::from(block));
                    }
                    (sum, sum_time) = (0.0, 0.0);
                    if count == block {
                        let mean = block_sum / f64::from(block);
                        register += (mean - register) * (1.0 - keep);
                        (block_sum, count) = (0.0, 0);
                        shown = if self.quantum_w > 0.0 {
                            (register / self.quantum_w).round() * self.quantum_w
                        } else {
                            register
                        };
                        if with_bound {
                            fisher.take(&block_row, read_since, f64::from(block), now);
                            block_row.fill(0.0);
                            read_since = self.reader == Reader::OwnStamps;
                        }
                        if self.reader == Reader::OwnStamps {
                            emit(now, shown);
                        }
                    }
                    next_end += spacing;
                }
                if let Reader::Polls(period, jitter) = self.reader
                    && now >= next_read - 1e-9
                {
                    // It takes a while to fetch a reading; it is stamped when it is there.
                    emit(now + 150.0, shown);
                    read_since = true;
                    let stall = if reading.uniform() < period / 5e5 { 3e3 } else { 0.0 };
                    next_read = now + (period + jitter * reading.normal().clamp(-3.0, 3.0)).max(5.0) + stall;
                }
            }
        }
        let bound = if with_bound { fisher.bound(layers, &spent) } else { vec![f64::NAN; layers] };
        (out, bound)
    }
}

/// The file of layer latencies: each layer's name with its list of entries.
pub(crate) fn latency_file(layers: &[LoadLayer], lists: &[Vec<u8>]) -> Vec<u8> {
    let mut latency = b"{".to_vec();
    for (i, (layer, list)) in layers.iter().zip(lists).enumerate() {
        let name = serde_json::Value::from(layer.name.as_str());
        let _ = write!(latency, "{}{name}:[", if i > 0 { "," } else { "" });
        latency.extend_from_slice(list);
        latency.push(b']');
    }
    latency.push(b'}');
    latency
}

fn wall(at_us: f64) -> String {
    format_stamp(WALL_NS + (at_us * 1e3) as i64)
}

/// Fisher's information about the components' powers in the readings, each block of 1 s with a level of its own.
struct Fisher {
    size: usize,
    keep: f64,
    /// Moving-average coefficient and variance of the innovations of what the register shows.
    coefficient: f64,
    variance: f64,
    noise_w: f64,
    quantum_w: f64,
    row: Vec<f64>,
    gram: Vec<f64>,
    block: Vec<f64>,
    count: f64,
    block_end: f64,
}

impl Fisher {
    fn new(size: usize, keep: f64, noise_w: f64, quantum_w: f64) -> Self {
        let (converted, rounded) = (((1.0 - keep) * noise_w).powi(2), quantum_w * quantum_w / 12.0);
        let (g0, g1) = (converted + rounded * (1.0 + keep * keep), keep * rounded);
        // γ₀ = σ²(1 + θ²), γ₁ = −θσ².
        let coefficient = if g1 > 0.0 { (g0 - (g0 * g0 - 4.0 * g1 * g1).max(0.0).sqrt()) / (2.0 * g1) } else { 0.0 };
        let variance = g0 / (1.0 + coefficient * coefficient);
        Self {
            size,
            keep,
            coefficient,
            variance,
            noise_w,
            quantum_w,
            row: vec![0.0; size],
            gram: vec![0.0; size * size],
            block: vec![0.0; size],
            count: 0.0,
            block_end: 0.0,
        }
    }

    fn take(&mut self, converted: &[f64], read: bool, conversions: f64, now: f64) {
        for (row, c) in self.row.iter_mut().zip(converted) {
            *row = self.coefficient * *row + (1.0 - self.keep) * c;
        }
        if !read || self.row[self.size - 1] > 1e-3 * self.row.iter().sum::<f64>() {
            return;
        }
        if now > self.block_end {
            self.close();
            self.block_end = now + 1e6;
        }
        let variance = if self.keep > 0.0 {
            self.variance
        } else {
            self.noise_w.powi(2) / conversions + self.quantum_w.powi(2) / 12.0
        };
        let weight = 1.0 / variance.max(1e-12).sqrt();
        for i in 0..self.size {
            let a = self.row[i] * weight;
            if a != 0.0 {
                for j in 0..self.size {
                    self.gram[i * self.size + j] += a * self.row[j] * weight;
                }
                self.block[i] += a;
            }
        }
        self.count += 1.0;
    }

    fn close(&mut self) {
        if self.count > 0.0 {
            for i in 0..self.size {
                for j in 0..self.size {
                    self.gram[i * self.size + j] -= self.block[i] * self.block[j] / self.count;
                }
            }
        }
        self.block.fill(0.0);
        self.count = 0.0;
    }

    /// The bound once the energies have to add up: the mean of all readings is known.
    fn bound(mut self, layers: usize, seen: &[f64]) -> Vec<f64> {
        self.close();
        let total: f64 = seen[..=layers].iter().sum();
        let share: Vec<f64> = seen[..=layers].iter().map(|s| s / total).collect();
        // Powers against that of the time outside, which the mean of the readings gives: the last column is left out.
        let mut information = align::linalg::Symmetric::zeros(layers + 1);
        for i in 0..=layers {
            for j in 0..=layers {
                information.elements[i * (layers + 1) + j] = self.gram[i * self.size + j];
            }
        }
        // Centring leaves one direction open, the level of all; a weak prior on it closes it.
        let ridge = vec![1e-3; layers + 1];
        match information.cholesky(1.0, &ridge) {
            Some(cholesky) => {
                let covariance = cholesky.inverse();
                let n = layers + 1;
                let column = |i: usize| (0..n).map(|j| covariance.at(i, j) * share[j]).sum::<f64>();
                let all = (0..n).map(|i| share[i] * column(i)).sum::<f64>();
                (0..layers).map(|i| (covariance.at(i, i) - 2.0 * column(i) + all).max(0.0).sqrt()).collect()
            }
            None => vec![f64::INFINITY; layers],
        }
    }
}
