//! What a run folder holds, in a few figures.

use shared::failure::Failure;
use shared::run_folder::{Counts, Manifest, Pass, RunFolder, SamplingReport, Status, read_sample_log, total_readings};
use shared::units::Watts;

/// A run in a few figures.
#[derive(Debug, Clone, PartialEq, serde::Serialize)]
pub struct RunInfo {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// The model.
    pub model: String,
    /// How it ended.
    pub status: Status,
    /// What went wrong, if something did.
    pub failure: Option<String>,
    /// The board.
    pub board: Option<String>,
    /// The runner.
    pub runner: String,
    /// The power source.
    pub source: String,
    /// What it holds.
    pub counts: Counts,
    /// Layers of the engine.
    pub layers: usize,
    /// Mean latency of an inference in the power pass, ms.
    pub latency_ms: Option<f64>,
    /// Mean power in the power pass, W. Behind a sensor with a lag it is low by what the lag has not seen yet.
    pub mean_power_w: Option<f64>,
    /// Mean power before the first pass, W.
    pub idle_power_w: Option<f64>,
    /// Energy of a cycle, host gap included: mean power times the pass's length over its cycles, mJ.
    pub cycle_energy_mj: Option<f64>,
    /// How sampling went.
    pub sampling: Option<SamplingReport>,
    /// Events worth a look.
    pub events: Vec<String>,
}

/// Describes a run folder.
///
/// # Errors
/// When its log cannot be read or there is no manifest.
pub fn describe(run: &RunFolder) -> Result<RunInfo, Failure> {
    let content = read_sample_log(&run.sample_log())?;
    let manifest: Manifest = match Manifest::read(&run.manifest()) {
        Ok(manifest) => manifest,
        Err(failure) => content.manifest.clone().ok_or(failure)?,
    };
    let readings: Vec<(u64, f64)> = total_readings(&manifest.power, &content.samples)
        .map(|(t_ns, voltage, current)| (t_ns, (voltage * current).0))
        .collect();
    let mean = |from: u64, to: u64| {
        let inside: Vec<f64> = readings.iter().filter(|(t, _)| (from..to).contains(t)).map(|(_, w)| *w).collect();
        (!inside.is_empty()).then(|| inside.iter().sum::<f64>() / inside.len() as f64)
    };
    let power = manifest.passes.iter().find(|p| p.pass == Pass::Power);
    let first_ns = manifest.passes.iter().map(|p| p.start_ns).min();
    let mean_power_w = power.and_then(|p| mean(p.start_ns, p.end_ns));
    let latencies: Vec<f64> =
        content.inferences_of(Pass::Power).map(|s| (s.end_ns - s.start_ns) as f64 * 1e-6).collect();
    Ok(RunInfo {
        schema_version: 1,
        model: manifest.model.clone(),
        status: manifest.status,
        failure: manifest.failure.clone(),
        board: manifest.board.model.clone(),
        runner: manifest.runner.runner.clone(),
        source: manifest.power.source.clone(),
        counts: content.counts,
        layers: manifest.layers.len(),
        latency_ms: (!latencies.is_empty()).then(|| latencies.iter().sum::<f64>() / latencies.len() as f64),
        mean_power_w,
        idle_power_w: first_ns.and_then(|first| mean(0, first)),
        cycle_energy_mj: power.zip(mean_power_w).filter(|(p, _)| p.cycles > 0).map(|(p, watts)| {
            let ms = (p.end_ns - p.start_ns) as f64 * 1e-6 / f64::from(p.cycles);
            (Watts(watts) * shared::units::Millis(ms)).0
        }),
        sampling: manifest.sampling.clone(),
        events: content
            .events
            .iter()
            .filter(|e| e.kind != "pass_started")
            .map(|e| format!("{}: {}", e.kind, e.message))
            .collect(),
    })
}
