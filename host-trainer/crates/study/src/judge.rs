//! A whole alignment of a simulated run's files, held against its truth.

use crate::BoardRun;
use align::files;
use align::quality::Verdict;
use align::run::{Options, Run, analyse};
use align::solve::NINETY;
use shared::failure::Failure;
use shared::run_folder::Manifest;
use std::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};
use std::fs;
use std::path::Path;

/// What an alignment is worth.
#[derive(Debug, Clone, Default)]
pub struct Judged {
    /// Mean absolute percentage error of layers' power above idle, weighted by run time.
    pub error: f64,
    /// The same of the constant: energy above idle, shared over the layers by time, gaps at idle power.
    pub constant: f64,
    /// The same of what the best unbiased estimator would miss by, if it knew the response.
    pub bound: f64,
    /// The same if it had to find the response from the readings.
    pub bound_fitted: f64,
    /// Mean square of each interval's error over its standard deviation, of layers called measured: 1 where intervals are right.
    pub spread: f64,
    /// Layers that take time.
    pub layers: usize,
    /// Layers whose 90 % interval holds the truth.
    pub held: usize,
    /// Layers called measured.
    pub measured: usize,
    /// Of those, the ones whose interval holds the truth.
    pub measured_held: usize,
    /// Layers called attributed.
    pub attributed: usize,
    /// Mean half-width of the intervals, relative to the true power above idle, weighted by run time.
    pub half_width: f64,
    /// The same error of groups: each layer in a group stands for the group's energy.
    pub grouped: f64,
    /// Groups called measured, and those of them whose interval holds the truth.
    pub groups: (usize, usize),
    /// Error of the layers' energy above idle as a whole.
    pub level: f64,
}

/// Writes a run's files into an empty folder, aligns them, and compares.
///
/// # Errors
/// When a file cannot be written, or the alignment fails.
pub fn judge(
    run: &BoardRun,
    manifest: Option<&Manifest>,
    folder: &Path,
    options: &Options,
) -> Result<(Judged, Run), Failure> {
    let model = folder.join("net");
    let io = |path: &Path| {
        let path = path.to_owned();
        move |e: std::io::Error| Failure::io(&path, "write", &e)
    };
    fs::create_dir_all(model.join("trt_profiling")).map_err(io(&model))?;
    let write = |path: &Path, bytes: &[u8]| fs::write(path, bytes).map_err(io(path));
    write(&model.join("net_power_log.log"), &run.power)?;
    write(&model.join("trt_profiling/trt_layer_latency.json"), &run.latency)?;
    let idle = format!("{{\"timestamp\": \"20250128-133619\", \"avg_idle_power\": {}}}", run.idle_w * 1e6);
    write(&folder.join("idling_power.json"), idle.as_bytes())?;
    if let Some(manifest) = manifest {
        manifest.write(&model.join("manifest.json"))?;
    }
    align_folder(run, folder, options)
}

/// Aligns the one run below a folder and compares it with its truth.
///
/// # Errors
/// When there is no run, or the alignment fails.
pub fn align_folder(run: &BoardRun, folder: &Path, options: &Options) -> Result<(Judged, Run), Failure> {
    let found = files::find(folder)?.into_iter().next().ok_or_else(|| Failure::data("no run".to_owned()))??;
    let aligned = analyse(found, options)?;
    Ok((compare(run, &aligned), aligned))
}

fn compare(run: &BoardRun, aligned: &Run) -> Judged {
    let quality = &aligned.quality;
    // A layer that takes no time has no power.
    let layers = run.durations.iter().filter(|ms| **ms > 0.0).count();
    let mut judged = Judged { layers, ..Judged::default() };
    let time: f64 = run.durations.iter().sum();
    let net: Vec<f64> = run.watts.iter().map(|w| w - run.mean_idle_w).collect();
    let idle = quality.energy.idle.map_or(run.idle_w, |idle| idle.0);
    let energy = quality.energy.power.map_or(0.0, |p| (p.0 - idle) * quality.energy.period.map_or(0.0, |p| p.0));
    let constant = energy / time;
    let weigh = |l: usize, off: f64| off.abs() / net[l].abs().max(1e-9) * run.durations[l] / time;
    let (mut got, mut all) = (0.0, 0.0);
    for (l, layer) in quality.layers.iter().enumerate().filter(|(l, _)| run.durations[*l] > 0.0) {
        let power = layer.power.map_or(0.0, |p| p.0);
        judged.error += weigh(l, power - idle - net[l]);
        judged.constant += weigh(l, constant - net[l]);
        // The mean absolute value of a normal variable of standard deviation 1 is √(2/π).
        judged.bound += weigh(l, FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * run.bound[l]);
        judged.bound_fitted += weigh(l, FRAC_2_SQRT_PI * FRAC_1_SQRT_2 * run.bound_fitted[l]);
        let (low, high) = (layer.power_low.map_or(0.0, |p| p.0), layer.power_high.map_or(f64::INFINITY, |p| p.0));
        let holds = low <= run.watts[l] && run.watts[l] <= high;
        judged.held += usize::from(holds);
        if layer.verdict == Verdict::Measured {
            judged.spread += ((power - run.watts[l]) / ((high - power) / NINETY)).powi(2);
        }
        judged.measured += usize::from(layer.verdict == Verdict::Measured);
        judged.measured_held += usize::from(layer.verdict == Verdict::Measured && holds);
        judged.attributed += usize::from(layer.verdict == Verdict::Attributed);
        judged.half_width += weigh(l, (high - low) / 2.0);
        (got, all) = (got + (power - idle) * run.durations[l], all + net[l] * run.durations[l]);
    }
    judged.spread /= judged.measured as f64;
    judged.level = got / all - 1.0;
    let mut grouped: Vec<bool> = vec![false; run.watts.len()];
    for group in &quality.groups {
        let layers = group.first..=group.last;
        let time_in: f64 = layers.clone().map(|l| run.durations[l]).sum();
        let truth: f64 = layers.clone().map(|l| run.durations[l] * run.watts[l]).sum::<f64>() / time_in;
        let power = group.power.map_or(0.0, |p| p.0);
        judged.grouped += (power - idle - (truth - run.mean_idle_w)).abs() / (truth - run.mean_idle_w) * time_in / time;
        let low = group.power_low.map_or(0.0, |p| p.0);
        let high = group.power_high.map_or(f64::INFINITY, |p| p.0);
        let measured = group.verdict == Verdict::Measured;
        judged.groups.0 += usize::from(measured);
        judged.groups.1 += usize::from(measured && low <= truth && truth <= high);
        layers.for_each(|l| grouped[l] = true);
    }
    for (l, layer) in quality.layers.iter().enumerate().filter(|(l, _)| !grouped[*l]) {
        judged.grouped += weigh(l, layer.power.map_or(0.0, |p| p.0) - idle - net[l]);
    }
    judged
}
