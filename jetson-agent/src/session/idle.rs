//! Measuring what the board draws when nothing runs.

use super::log::{LogThread, RunLog};
use super::monitor::{Monitor, Progress, Stop};
use super::profile::{event_now, note_sampling, note_settings};
use super::program;
use crate::board;
use crate::power::{PowerSource, Root, Sampler, SamplerOptions};
use crate::sys;
use shared::failure::{Failure, Kind};
use shared::run_folder::{
    Clock, IdlePower, LogContent, Manifest, RunFolder, Status, read_sample_log, stamp, total_readings,
};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::time::Duration;

/// What idling came to.
#[derive(Debug)]
pub struct IdleOutcome {
    /// The figure written to `idling_power.json`.
    pub power: IdlePower,
    /// Where.
    pub path: PathBuf,
    /// Why it ended early, if it did; the figure then stands on what was measured.
    pub failure: Option<Failure>,
    /// What went wrong without ending it, one sentence each.
    pub notes: Vec<String>,
}

/// The sample log and the manifest of an idle measurement, beside `idling_power.json`. Not in a folder: every folder
/// there is a model's.
#[must_use]
pub fn idle_files(root: &Path) -> (PathBuf, PathBuf) {
    (root.join("idling_power.eplog"), root.join("idling_power.manifest.json"))
}

/// Measures idle power into `result_dir`, over an earlier measurement.
///
/// # Errors
/// When the folder cannot be written or nothing was measured.
pub fn measure_idle(
    result_dir: &Path,
    duration: Duration,
    source: Box<dyn PowerSource>,
    sampling: SamplerOptions,
    root: &Root,
    stop: &Stop,
    progress: Progress,
) -> Result<IdleOutcome, Failure> {
    let (log_path, manifest_path) = idle_files(result_dir);
    set_aside(&log_path)?;
    let mut manifest = Manifest::new("idle", &program());
    let (offset, at) = sys::clock_offset();
    manifest.clock = Clock { wall_minus_monotonic_ns: offset, measured_at_ns: at, drift_ns: None };
    manifest.power = source.setup().clone();
    manifest.power.requested_hz = sampling.rate_hz;
    manifest.runner.runner = "none".into();
    manifest.board = board::probe(root);
    let log = RunLog::create(&log_path, &manifest)?;
    manifest.write(&manifest_path)?;
    let (writer, records) = LogThread::start(log, stop.clone());
    let sampler = Sampler::start(source, sampling, records.clone());
    let monitor = Monitor::start(
        root.clone(),
        sampler.live(),
        Arc::new(AtomicU64::new(0)),
        stop.clone(),
        records.clone(),
        progress,
    );
    stop.sleep_until(sys::monotonic_ns() + sys::ns(duration));
    let outcome = sampler.finish();
    monitor.finish();
    // The receiver is there until the last sender goes.
    let _ = records.send(event_now("idle_ended", "the idle measurement ended".into()));
    drop(records);
    let (mut log, written) = writer.finish()?;
    written?;
    manifest.counts = log.counts();
    manifest.clock.drift_ns = Some(sys::clock_offset().0 - offset);
    let lost = match outcome {
        Ok(outcome) => note_sampling(&mut manifest, outcome),
        Err(error) => Some(error),
    };
    for change in note_settings(&mut manifest) {
        let _ = log.append(&event_now("sensor_changed", change));
    }
    let failure = lost.filter(|e| *e != crate::power::SourceError::Ended).map_or_else(
        || stop.is_interrupted().then(|| Failure::new(Kind::Interrupted, "interrupted")),
        |error| Some(Failure::device(format!("the power source was lost: {error}"))),
    );
    manifest.status = match &failure {
        None => Status::Complete,
        Some(f) if f.kind == Kind::Interrupted => Status::Interrupted,
        Some(_) => Status::Failed,
    };
    log.seal(&manifest)?;
    manifest.write(&manifest_path)?;
    let content = read_sample_log(&log_path)?;
    let Some(power) = mean_power(&manifest, &content) else {
        return Err(failure.unwrap_or_else(|| Failure::device("no reading came while idling")));
    };
    let path = RunFolder::idle_power(result_dir);
    power.write(&path)?;
    let notes = manifest.sampling.map(|sampling| sampling.notes).unwrap_or_default();
    Ok(IdleOutcome { power, path, failure, notes })
}

/// An earlier idle log is kept under another name: nothing measured is lost.
fn set_aside(log: &Path) -> Result<(), Failure> {
    if !log.exists() {
        return Ok(());
    }
    let free = (1..).map(|n| log.with_extension(format!("eplog.{n}"))).find(|path| !path.exists());
    let Some(free) = free else { return Ok(()) };
    std::fs::rename(log, free).map_err(|e| Failure::io(log, "set aside", &e))
}

/// The mean of the total and its standard error. A sensor with a lag gives readings that depend on each other, so the
/// error comes from the means of blocks of five time constants and at least a second.
fn mean_power(manifest: &Manifest, content: &LogContent) -> Option<IdlePower> {
    let readings: Vec<(u64, f64)> = total_readings(&manifest.power, &content.samples)
        .map(|(t_ns, voltage, current)| (t_ns, (voltage * current).microwatts()))
        .collect();
    let (first, last) = (readings.first()?.0, readings.last()?.0);
    let mean = readings.iter().map(|(_, p)| p).sum::<f64>() / readings.len() as f64;
    let lag = manifest.power.rails.iter().filter_map(|rail| rail.sensor.lag_ns).max().unwrap_or(0);
    let block_ns = (5 * lag).max(1_000_000_000);
    let mut blocks: Vec<(f64, u64)> = vec![(0.0, 0); ((last - first) / block_ns) as usize];
    for (t_ns, power) in &readings {
        if let Some(block) = blocks.get_mut(((t_ns - first) / block_ns) as usize) {
            *block = (block.0 + power, block.1 + 1);
        }
    }
    let means: Vec<f64> = blocks.iter().filter(|(_, n)| *n > 0).map(|(sum, n)| sum / *n as f64).collect();
    let standard_error = (means.len() >= 3).then(|| {
        let n = means.len() as f64;
        let centre = means.iter().sum::<f64>() / n;
        (means.iter().map(|m| (m - centre).powi(2)).sum::<f64>() / (n - 1.0) / n).sqrt()
    });
    Some(IdlePower {
        timestamp: stamp::format_compact(manifest.clock.wall_ns(last)),
        avg_idle_power: mean,
        standard_error,
        samples: Some(readings.len() as u64),
    })
}
