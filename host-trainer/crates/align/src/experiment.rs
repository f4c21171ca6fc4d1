//! Experiments of several runs: what further runs that differ in one thing say of the layers' powers.
//!
//! Behind a slow sensor a run shows its mean power and no more. Each run of an experiment is then one reading: its mean
//! power once the sensor has settled, which is `Σ aᵢ·Pᵢ` with the share aᵢ of its period in which component i ran. With
//! pauses, the time outside layers has a larger share; in a loop, one layer has; in a prefix, the layers behind it have
//! none. These readings go into the same fit as those of the main run, each with its own variance.

use super::evidence::Evidence;
use super::files::{self, RunFiles};
use super::normal_equations::NormalEquations;
use super::solve::{self, Prior, Solution};
use super::span::Settled;
use shared::failure::Failure;
use shared::run_folder::{
    Change, Design, DesignKind, Manifest, Pass, Record, SampleLogReader, SampleLogReadings, Status,
};
use shared::units::{Millis, Watts};
use std::fs::File;
use std::io::BufReader;
use std::path::Path;

/// Relative error of taking a layer's power above idle in an engine of its own for that in the network: caches and clocks
/// differ.
const ALONE: f64 = 0.02;
/// Deviation of the power in a pause from that of other time outside layers, relative to the layers' power above idle: the host
/// waits in one and works in the other.
const PAUSED: f64 = 0.1;
/// Relative deviation of the powers of layers that are alike in everything the engine info says.
const ALIKE: f64 = 0.03;
/// Relative deviation from the layers' level of the power of what else a loop's engine runs.
const OTHERS: f64 = 0.5;

/// The runs of an experiment that can be used.
#[derive(Debug, Clone)]
pub(crate) struct Experiment {
    kind: DesignKind,
    runs: Vec<SettledRun>,
    /// Complete runs that are not comparable with the network.
    left_out: usize,
    /// Runs that are not complete.
    open: usize,
}

/// One run once its sensor has settled.
#[derive(Debug, Clone)]
struct SettledRun {
    /// What differs from the main run; `None`: the main run.
    change: Option<Change>,
    watts: f64,
    deviation: f64,
    period_ms: f64,
}

/// What one run says: `Σ weights·powers = watts`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Row {
    pub(crate) weights: Vec<f64>,
    pub(crate) watts: f64,
    pub(crate) deviation: f64,
}

impl Experiment {
    /// Reads the experiment whose main run this is. `None` where no further run can be used.
    ///
    /// # Errors
    /// When a file of a complete run cannot be read.
    pub(crate) fn read(main: &RunFiles, manifest: &Manifest, design: &Design) -> Result<Option<Self>, Failure> {
        let mut found = Self { kind: design.kind, runs: Vec::new(), left_out: 0, open: 0 };
        for step in &design.steps {
            if step.status != Some(Status::Complete) {
                found.open += 1;
                continue;
            }
            if !step.change.is_comparable() {
                found.left_out += 1;
                continue;
            }
            let folder = main.folder.join(&step.folder);
            let files = files::one(&folder)?;
            let path = files.manifest.as_deref().ok_or_else(|| {
                Failure::data("lacks the manifest of a run of an experiment")
                    .at(&folder)
                    .help("copy the main run's folder with everything below `design/`")
            })?;
            let run = settled(&files, &Manifest::read(path)?, step.settled_after)?;
            found.runs.extend(run.map(|run| SettledRun { change: Some(step.change.clone()), ..run }));
        }
        if found.runs.is_empty() {
            return Ok(None);
        }
        let after = design.steps.first().map_or(Millis(0.0), |step| step.settled_after);
        found.runs.extend(settled(main, manifest, after)?);
        Ok(Some(found))
    }

    /// What the runs say of layers of these mean times in ms. `level` is the layers' expected power, `idle` idle power.
    pub(crate) fn rows(&self, durations_ms: &[f64], level: f64, idle: f64) -> Vec<Row> {
        let outside = durations_ms.len();
        let net = (level - idle).max(0.0);
        let mut rows = Vec::new();
        for run in &self.runs {
            let mut weights = vec![0.0; outside + 1];
            let mut watts = run.watts;
            let mut variance = run.deviation.powi(2);
            let part = |ms: f64| ms / run.period_ms;
            match &run.change {
                None | Some(Change::Pause { .. }) => {
                    weights.iter_mut().zip(durations_ms).for_each(|(w, ms)| *w = part(*ms));
                    if let Some(Change::Pause { pause }) = &run.change {
                        variance += (part(Millis::from(*pause).0).min(1.0) * PAUSED * net).powi(2);
                    }
                }
                Some(Change::Loop { layers, alone: Some(alone), others, .. }) => {
                    let Some(&first) = layers.first().filter(|l| **l < outside) else { continue };
                    weights[first] = part(alone.0);
                    // What else ran is no layer of the network: it is taken off at the layers' level.
                    let others = part(others.map_or(0.0, |others| others.0));
                    watts = (watts - others * level) / (1.0 - others).max(0.1);
                    weights[first] /= (1.0 - others).max(0.1);
                    variance = (variance + (others * OTHERS * net).powi(2)) / (1.0 - others).max(0.1).powi(2);
                    variance += (weights[first] * ALONE * net).powi(2);
                    for &alike in layers.iter().skip(1).filter(|l| **l < outside) {
                        let mut weights = vec![0.0; outside + 1];
                        (weights[alike], weights[first]) = (1.0, -1.0);
                        rows.push(Row { weights, watts: 0.0, deviation: (ALIKE * net).max(1e-3) });
                    }
                }
                Some(Change::Prefix { first_layers, network: Some(network), alone: Some(alone) }) => {
                    let scale = *alone / *network;
                    let first = durations_ms.iter().take(*first_layers);
                    weights.iter_mut().zip(first).for_each(|(w, ms)| *w = part(scale * ms));
                    variance += (ALONE * net * part(alone.0)).powi(2) / (*first_layers).max(1) as f64;
                }
                Some(Change::Loop { .. } | Change::Prefix { .. }) => continue,
            }
            weights[outside] = 1.0 - weights.iter().sum::<f64>();
            rows.push(Row { weights, watts, deviation: variance.sqrt().max(1e-4) });
        }
        rows
    }

    /// Adds what the further runs say to a run's evidence. `mean` is the mean power of the run, to which the energies add up.
    pub(crate) fn join(&self, found: &mut Evidence, mean: Watts, idle: Option<Watts>) {
        let layers = found.shares.len() - 1;
        let share = found.shares.clone();
        let durations: Vec<f64> = (0..layers).map(|l| found.times.mean(l).0).collect();
        let idle = idle.map(|idle| idle.0).filter(|idle| *idle < mean.0);
        let floor = idle.unwrap_or(0.0);
        let level = floor + (mean.0 - floor) / (1.0 - share[layers]).max(0.1);
        let mut rows = self.rows(&durations, level, floor);
        // Every run's mean is compared with the main run's, whose own error is that of the comparison.
        let error = found.mean_error.0;
        if error.is_finite() {
            rows.iter_mut()
                .for_each(|row| row.deviation = row.deviation.hypot(error * row.weights.iter().sum::<f64>()));
        }
        let prior = Prior::above_idle(mean.0, idle, share[layers]);
        let before = found.solution.clone().unwrap_or_else(|| solve::ignorant(&share, mean.0, 0.0, &prior));
        let told = |s: &Solution| -> f64 {
            (0..=layers).map(|i| 1.0 - (s.deviation[i] / s.prior_deviation[i].max(1e-12)).powi(2).min(1.0)).sum()
        };
        let known = told(&before);
        let solve = |rows: &[Row]| {
            if known > 0.5 {
                return Some(update(&before, rows, &share, mean.0));
            }
            let mut sums = NormalEquations::new(layers + 1, 1.0);
            add(&mut sums, rows, (&share, mean.0), 1.0);
            solve::with_noise(&sums, &share, mean.0, (1.0, 1.0), &prior)
        };
        let Some(mut solution) = solve(&rows) else { return };
        // Runs that contradict each other are each believed less.
        let free = rows.len() as f64 - (told(&solution) - known);
        let excess = misfit(&rows, &solution.watts) / free.max(1.0);
        if free >= 2.0 && excess > 1.0 {
            rows.iter_mut().for_each(|row| row.deviation *= excess.sqrt());
            solution = solve(&rows).unwrap_or(solution);
        }
        if error.is_finite() {
            solution.deviation.iter_mut().for_each(|deviation| *deviation = deviation.hypot(error));
        }
        (found.solution, found.together) = (Some(solution), None);
        found.experiment = Some(self.describe());
    }

    /// What the experiment was, in words.
    pub(crate) fn describe(&self) -> String {
        let count = self.runs.iter().filter(|run| run.change.is_some()).count();
        let mut text = format!("an experiment ({}) of {count} further runs", self.kind.name());
        if self.left_out > 0 {
            text += &format!(", {} more not comparable with the network", self.left_out);
        }
        if self.open > 0 {
            text += &format!(", {} not complete", self.open);
        }
        text
    }
}

/// Adds what runs say to the sums over readings, whose noise has the variance `noise`. `share` and `mean` are those of the
/// powers that have to add up.
pub(crate) fn add(sums: &mut NormalEquations, rows: &[Row], (share, mean): (&[f64], f64), noise: f64) {
    let size = sums.gram.size;
    for row in rows {
        // Differences between layers are told by weights that add up to nothing.
        let total: f64 = row.weights.iter().sum();
        let weights: Vec<f64> = row.weights.iter().zip(share).map(|(w, s)| w - total * s).collect();
        let off = row.watts - total * mean;
        let precision = noise / row.deviation.powi(2);
        for (i, a) in weights.iter().enumerate().filter(|(_, a)| **a != 0.0) {
            for (j, b) in weights.iter().enumerate() {
                sums.gram.elements[i * size + j] += precision * a * b;
            }
            sums.joint[i] += precision * a * off;
            sums.seen[i] += 1;
        }
        sums.squares += precision * off * off;
        sums.freedom += 1.0;
    }
}

/// A solution with further rows taken in: Kalman's update of its most likely fit.
fn update(before: &Solution, rows: &[Row], share: &[f64], mean: f64) -> Solution {
    let size = share.len();
    let covariance = before.best.covariance.leading(size);
    // What the checks added to the variances of the fit counts here too.
    let own: Vec<f64> = (0..size)
        .map(|i| {
            let unit: Vec<f64> = (0..size).map(|j| f64::from(u8::from(i == j))).collect();
            (before.deviation[i] / before.deviation_of(&unit, share).max(1e-12)).max(1.0)
        })
        .collect();
    let mut sums = NormalEquations::new(size, 1.0);
    add(&mut sums, rows, (share, mean), 1.0);
    let mut wider = covariance;
    for i in 0..size {
        for j in 0..size {
            wider.elements[i * size + j] *= own[i] * own[j];
        }
    }
    solve::updated(before, wider, &sums, share, mean)
}

/// How far rows are from powers, squared, over their variances.
pub(crate) fn misfit(rows: &[Row], watts: &[f64]) -> f64 {
    let off = |row: &Row| row.weights.iter().zip(watts).map(|(a, p)| a * p).sum::<f64>() - row.watts;
    rows.iter().map(|row| (off(row) / row.deviation).powi(2)).sum()
}

/// The mean power and the mean period of a run's power pass, from `after` its first inference on. `None` where nothing is
/// left then.
fn settled(files: &RunFiles, manifest: &Manifest, after: Millis) -> Result<Option<SettledRun>, Failure> {
    let Some(path) = files.sample_log.as_deref() else { return Ok(None) };
    let starts = power_starts(path)?;
    let Some(from_ns) = starts.first().map(|first| first.saturating_add((after.0.max(0.0) * 1e6) as u64)) else {
        return Ok(None);
    };
    let count = starts.iter().filter(|start| **start >= from_ns).count();
    let (Some(&first), Some(&last)) = (starts.get(starts.len() - count), starts.last()) else { return Ok(None) };
    if count < 2 || last <= first {
        return Ok(None);
    }
    let failed = |e| Failure::io(path, "read", &e);
    let mut log = SampleLogReadings::new(BufReader::new(File::open(path).map_err(failed)?), manifest);
    let bounds = (manifest.clock.wall_ns(first), manifest.clock.wall_ns(last));
    let lag = super::facts::sensor_of(manifest).and_then(|sensor| sensor.family).map(|f| f.time_constant());
    let found = Settled::read(&mut log, bounds, lag.unwrap_or_default()).map_err(failed)?;
    let period_ms = (last - first) as f64 * 1e-6 / (count - 1) as f64;
    Ok(found.map(|(watts, deviation)| SettledRun { change: None, watts, deviation, period_ms }))
}

/// The starts of the power pass's inferences.
fn power_starts(path: &Path) -> Result<Vec<u64>, Failure> {
    let failed = |e| Failure::io(path, "read", &e);
    let mut starts = Vec::new();
    for record in SampleLogReader::new(BufReader::new(File::open(path).map_err(failed)?)) {
        if let Ok(Record::Inferences(Pass::Power, spans)) = record.map_err(failed)? {
            starts.extend(spans.into_iter().map(|span| span.start_ns));
        }
    }
    Ok(starts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::units::Micros;

    const TRUTH: [f64; 4] = [9.0, 6.0, 7.0, 5.0];
    const TIMES: [f64; 3] = [1.0, 0.5, 0.5];

    fn run(change: Option<Change>, times: [f64; 3], period_ms: f64) -> SettledRun {
        let layers: f64 = times.iter().zip(TRUTH).map(|(t, p)| t * p).sum();
        let watts = (layers + (period_ms - times.iter().sum::<f64>()) * TRUTH[3]) / period_ms;
        SettledRun { change, watts, deviation: 0.01, period_ms }
    }

    fn fit(runs: Vec<SettledRun>) -> solve::Solution {
        let experiment = Experiment { kind: DesignKind::Loops, runs, left_out: 0, open: 0 };
        let share = [0.4, 0.2, 0.2, 0.2];
        let mean: f64 = share.iter().zip(TRUTH).map(|(s, p)| s * p).sum();
        let rows = experiment.rows(&TIMES, 7.75, 4.0);
        let mut sums = NormalEquations::new(4, 1.0);
        add(&mut sums, &rows, (&share, mean), 1.0);
        solve::with_noise(&sums, &share, mean, (1.0, 1.0), &Prior::above_idle(mean, Some(4.0), 0.2)).expect("solves")
    }

    #[test]
    fn pauses_tell_the_power_outside_layers_and_loops_that_of_layers() {
        let pause = |us: f64| run(Some(Change::Pause { pause: Micros(us) }), TIMES, 2.5 + us * 1e-3);
        let of_loop = |layer: usize| {
            let mut times = [0.0; 3];
            times[layer] = TIMES[layer];
            let change = Change::Loop {
                layers: vec![layer],
                network: Some(Millis(TIMES[layer])),
                alone: Some(Millis(TIMES[layer])),
                others: None,
                same_tactic: None,
            };
            run(Some(change), times, TIMES[layer] + 0.3)
        };
        let pauses = fit(vec![pause(0.0), pause(1500.0), pause(3000.0)]);
        assert!((pauses.watts[3] - TRUTH[3]).abs() < 0.05, "{pauses:?}");
        let all = fit(vec![pause(0.0), pause(1500.0), pause(3000.0), of_loop(0), of_loop(1)]);
        for (i, truth) in TRUTH.iter().enumerate() {
            assert!((all.watts[i] - truth).abs() < 1.7 * all.deviation[i] + 0.02, "{i}: {all:?}");
            assert!(all.deviation[i] < 0.5 * all.prior_deviation[i], "{i}: {all:?}");
        }
    }

    #[test]
    fn prefixes_tell_the_layers_behind_them() {
        let prefix = |count: usize| {
            let mut times = TIMES;
            times[count..].fill(0.0);
            let sum = Some(Millis(times.iter().sum()));
            run(
                Some(Change::Prefix { first_layers: count, network: sum, alone: sum }),
                times,
                2.5 - 0.5 * (3 - count) as f64,
            )
        };
        let found = fit(vec![run(None, TIMES, 2.5), prefix(1), prefix(2)]);
        assert!((found.watts[2] - TRUTH[2]).abs() < 1.7 * found.deviation[2] + 0.02, "{found:?}");
        assert!(found.deviation[2] < 0.7 * found.prior_deviation[2], "{found:?}");
    }
}
