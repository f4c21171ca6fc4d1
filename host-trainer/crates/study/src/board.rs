//! A board, its sensor chip and its reader by brute force: time goes on in steps of some microseconds, and the chip does
//! what its data sheet says, conversion by conversion. Nothing here is shared with the estimator or with the simulator.

use crate::bound::Fisher;
use crate::steps::{Step, later};
use shared::random::Random;
use shared::run_folder::stamp::format_stamp;
use shared::sensor::SensorFamily;
use shared::units::Micros;
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
    /// The same of an estimator that knows the chip's family only: it finds delay, smoothing, conversion and, behind callback stamps,
    /// the time between layers from the same readings, and meets the scatter of stamps and of layers' powers, W.
    pub bound_fitted: Vec<f64>,
}

/// What a chip made of a load.
struct Measured {
    /// The power log.
    log: Vec<u8>,
    /// What each renewal of the register took in, without noise, W.
    means: Vec<f64>,
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
        let mut steps = vec![Step { end_us: lead_us, component: layers + 1, watts: idle }];
        let mut lists: Vec<Vec<u8>> = vec![Vec::new(); layers];
        let (mut energy, mut time) = (vec![0.0; layers], vec![0.0; layers]);
        let mut now = lead_us;
        let expected = (load.inference().0 + load.host_gap.0) * 1e3 * f64::from(runs);
        let warmup = 20;
        for cycle in 0..runs + warmup {
            let risen = |at: f64| d.idle_rise_w * ((at - lead_us) / expected).clamp(0.0, 1.0);
            let host = |at: f64| idle + risen(at) + d.host_w;
            let outside = if cycle < warmup { layers + 1 } else { layers };
            let mut go = |steps: &mut Vec<Step>, us: f64, component: usize, watts: f64| {
                now += us;
                steps.push(Step { end_us: now, component, watts });
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
        steps.push(Step { end_us: end, component: layers + 1, watts: idle + d.idle_rise_w });
        let measured = self.measure(&steps, layers, &random, None);
        let nothing = || vec![f64::NAN; layers];
        let (bound, bound_fitted) = if with_bound {
            let net: Vec<f64> = load.layers.iter().map(|layer| layer.power.0 - idle).collect();
            self.bounds(&steps, &net, &random, &measured.means)
        } else {
            (nothing(), nothing())
        };
        let latency = latency_file(&load.layers, &lists);
        let watts = energy.iter().zip(&time).map(|(e, t)| if *t > 0.0 { e / t } else { idle }).collect();
        let durations = time.iter().map(|t| t / f64::from(runs) * 1e-3).collect();
        BoardRun {
            power: measured.log,
            latency,
            watts,
            durations,
            idle_w: idle,
            mean_idle_w: idle + d.idle_rise_w / 2.0,
            bound,
            bound_fitted,
        }
    }

    /// The chip: conversion windows, one after the other, and the register that follows from them.
    fn measure(&self, steps: &[Step], layers: usize, random: &Random, mut fisher: Option<&mut Fisher>) -> Measured {
        let mut random = random.clone();
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
        let (mut means, mut clean_sum, mut read_since) = (Vec::new(), 0.0, true);
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
                let converts = now >= opening - 1e-9;
                if fisher.is_some() {
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
                    let clean = sum / f64::max(sum_time, 1e-12);
                    block_sum += clean + self.noise_w * noise.normal();
                    clean_sum += clean;
                    count += 1;
                    if fisher.is_some() {
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
                        if let Some(fisher) = &mut fisher {
                            fisher.take(&block_row, read_since, means.len(), now);
                            block_row.fill(0.0);
                            read_since = self.reader == Reader::OwnStamps;
                        }
                        means.push(clean_sum / f64::from(block));
                        clean_sum = 0.0;
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
        Measured { log: out, means }
    }

    /// Cramér and Rao's bounds: with the response known, and with it to be found. `net` are the layers' powers above idle, W, `means`
    /// what the chip took in.
    fn bounds(&self, steps: &[Step], net: &[f64], random: &Random, means: &[f64]) -> (Vec<f64>, Vec<f64>) {
        let layers = net.len();
        let mut known = Fisher::new(self.family, (self.noise_w, self.quantum_w), steps, layers);
        self.measure(steps, layers, random, Some(&mut known));
        // How readings move with each parameter of the response, by a small step of each.
        let moved = |board: &Self, steps: &[Step], by: f64| -> Vec<f64> {
            let other = board.measure(steps, layers, random, None).means;
            other.iter().zip(means).map(|(a, b)| (a - b) / by).collect()
        };
        let d = self.disturbances;
        let smoother = Self { disturbances: Disturbances { smoothing_us: d.smoothing_us + 5.0, ..d }, ..*self };
        let mut slopes = vec![moved(self, &later(steps, layers, |_| 1.0), 1.0), moved(&smoother, steps, 5.0)];
        if let Some((family, by)) = longer(self.family) {
            slopes.push(moved(&Self { family, ..*self }, steps, by));
        }
        let mut scatter = vec![0.0; layers];
        if self.callback {
            let middle = (layers as f64 - 1.0) / 2.0;
            slopes.push(moved(self, &later(steps, layers, |layer| layer as f64 - middle), 1.0));
        }
        scatter.iter_mut().zip(net).for_each(|(s, net)| *s = d.power_deviation * net);
        // The first stamp comes up to 2 µs late beside the callback's own delay.
        let late_us = if self.callback { d.callback_us.1.hypot(2.0 / 12_f64.sqrt()) } else { 0.0 };
        let mut fitted = Fisher::new(self.family, (self.noise_w, self.quantum_w), steps, layers)
            .with_slopes(slopes)
            .with_scatter(scatter, late_us);
        self.measure(steps, layers, random, Some(&mut fitted));
        (known.bound(), fitted.bound())
    }
}

/// A family with conversions that take a little longer, and by how many µs; none where nothing can be longer.
fn longer(family: SensorFamily) -> Option<(SensorFamily, f64)> {
    let by = |us: Micros| Micros(us.0 * 1.01);
    let (longer, us) = match family {
        SensorFamily::Window { refresh, window } => (SensorFamily::Window { refresh, window: by(window) }, window),
        SensorFamily::Block { samples, conversion, spacing } => {
            (SensorFamily::Block { samples, conversion: by(conversion), spacing }, conversion)
        }
        SensorFamily::Recursive { samples, conversion, cycle } => {
            (SensorFamily::Recursive { samples, conversion: by(conversion), cycle }, conversion)
        }
        SensorFamily::Meter { .. } | SensorFamily::Counter { .. } | SensorFamily::Filtered { .. } => return None,
    };
    Some((longer, 0.01 * us.0))
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
