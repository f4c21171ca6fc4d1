//! Importing measurements that other tools made into run folders, so that `align` reads them like any other.

mod columns;
mod file_report;
mod layer_runs;
mod line_stamp;
mod rail_words;
mod sheet;
pub mod tables;
pub mod tegrastats;
mod times;
mod timing;
pub mod trtexec;

pub use file_report::FileReport;
pub use layer_runs::LayerRuns;
pub use sheet::{Form, Table};
pub use timing::{Timed, Times};

use shared::failure::Failure;
use shared::fs::{write_atomic, write_atomic_with};
use shared::run_folder::{
    Clock, IdlePower, LayerEntry, LayerStamp, LayerTimes, Manifest, ModelConfig, ModelRun, Pass, PassSpan, Rail,
    RunFolder, RunnerSetup, Status, Total, format_line, stamp, write_layer_latencies,
};
use shared::units::Millis;
use std::path::Path;

/// What was read from other tools' files.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// Power readings in order of time.
    pub power: Timed,
    /// Where they come from (`tegrastats`, `csv`), and the rails; several are a sum.
    pub power_source: Option<(String, Vec<String>)>,
    /// Layers in execution order with their runs.
    pub layers: Vec<LayerRuns>,
    /// Whether each layer has one entry that averages over so many inferences.
    pub averaged_over: Option<u32>,
    /// Latency of each inference, in s.
    pub latencies: Vec<f64>,
    /// Content of an engine-info file.
    pub engine_info: Option<Vec<u8>>,
    /// Idle power in watts.
    pub idle_watts: Option<f64>,
}

/// Writes a run folder `<root>/<model>/` with everything that was imported. Returns the names of the files written.
///
/// ```
/// use ingest::{Import, tegrastats, write};
///
/// let log = b"01-28-2025 13:38:25 RAM 1/2MB VDD_IN 5990mW/6000mW VDD_SOC 1mW/1mW\n\
///             01-28-2025 13:38:26 RAM 1/2MB VDD_IN 6010mW/6000mW VDD_SOC 1mW/1mW\n";
/// let log = tegrastats::read(&log[..], None, None)?;
/// let import = Import { power: log.power, power_source: Some(("tegrastats".into(), log.read)), ..Import::default() };
/// let root = tempfile::tempdir()?;
/// let written = write(root.path(), "lenet", &import)?;
/// assert!(written.contains(&"lenet/lenet_power_log.log".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When there is nothing to write, when the files do not fit each other in time, or whatever the file system says.
pub fn write(root: &Path, model: &str, import: &Import) -> Result<Vec<String>, Failure> {
    if !RunFolder::is_model_name(model) {
        return Err(
            Failure::usage(format!("`{model}` cannot name a model")).help("use letters, digits, `-`, `_` and `.`")
        );
    }
    if import.layers.is_empty() && import.power.readings.is_empty() && import.engine_info.is_none() {
        return Err(
            Failure::usage("nothing to import").help("name at least one file: see `host-trainer ingest --help`")
        );
    }
    // Everything that can be refused is, before anything is written.
    let ends = ends(import)?;
    let manifest = manifest(model, import)?;
    let run = RunFolder::new(root, model);
    let mut written = Vec::new();
    let mut note = |path: &Path| {
        written.push(path.strip_prefix(root).unwrap_or(path).display().to_string());
    };
    write_atomic_with(&run.power_log(), |out| {
        import.power.readings.iter().try_for_each(|reading| out.write_all(format_line(reading).as_bytes()))
    })?;
    note(&run.power_log());
    if !import.layers.is_empty() {
        let names: Vec<String> = import.layers.iter().map(|l| l.name.clone()).collect();
        let cycles = import.layers.iter().map(|l| l.runs.len()).max().unwrap_or(0);
        let entry = |cycle: usize, layer: usize| {
            let (ms, _) = import.layers[layer].runs.get(cycle)?;
            Some(LayerEntry { duration: Millis(*ms), wall_ns: ends[layer][cycle] })
        };
        write_atomic_with(&run.layer_latency(), |out| write_layer_latencies(out, &names, &entry, cycles))?;
        note(&run.layer_latency());
    }
    if let Some(content) = &import.engine_info {
        write_atomic(&run.engine_info(), content)?;
        note(&run.engine_info());
    }
    if !import.latencies.is_empty() {
        model_run(model, import).write(&run.model_run())?;
        note(&run.model_run());
    }
    if let Some(watts) = import.idle_watts {
        let idle = IdlePower {
            timestamp: stamp::format_compact(start_ns(import)),
            avg_idle_power: watts * 1e6,
            standard_error: None,
            samples: None,
        };
        idle.write(&RunFolder::idle_power(root))?;
        note(&RunFolder::idle_power(root));
    }
    manifest.write(&run.manifest())?;
    note(&run.manifest());
    Ok(written)
}

fn start_ns(import: &Import) -> i64 {
    import.power.readings.first().map_or(0, |r| r.wall_ns)
}

/// End of each run. Those that are not known follow one another from the start of the power log; nothing is read from
/// such stamps but order.
fn ends(import: &Import) -> Result<Vec<Vec<i64>>, Failure> {
    if import.power.times.was_set && has_ends(import) {
        return Err(Failure::data("the clock of the power file was set, and the layers' ends are of the same clock")
            .help("cut both files where the clock was set and import each part, or leave the column of ends out"));
    }
    let mut ends: Vec<Vec<i64>> = vec![Vec::new(); import.layers.len()];
    let cycles = import.layers.iter().map(|l| l.runs.len()).max().unwrap_or(0);
    let start = start_ns(import);
    let mut now = start;
    for cycle in 0..cycles {
        for (layer, ends) in import.layers.iter().zip(&mut ends) {
            if let Some((ms, end)) = layer.runs.get(cycle) {
                now = match *end {
                    Some(end) => within_power(end, start, import.power.times.wrapped_ns),
                    None => now.saturating_add((ms * 1e6) as i64),
                };
                ends.push(now);
            }
        }
    }
    Ok(ends)
}

fn has_ends(import: &Import) -> bool {
    import.layers.iter().any(|layer| layer.runs.iter().any(|run| run.1.is_some()))
}

/// An end by the power's counter: where that began again within the power file, an end before the file is one behind.
fn within_power(end: i64, start: i64, wrapped_ns: Option<i64>) -> i64 {
    match wrapped_ns {
        Some(range) if end < start.saturating_sub(range / 2) => {
            let turns = start.saturating_sub(end).saturating_add(range / 2) / range;
            end.saturating_add(range.saturating_mul(turns))
        }
        _ => end,
    }
}

fn model_run(model: &str, import: &Import) -> ModelRun {
    let total: f64 = import.latencies.iter().sum();
    let mean = total / import.latencies.len() as f64;
    ModelRun {
        config: ModelConfig {
            model: model.into(),
            dtype: String::new(),
            input_shape: Vec::new(),
            warmup: 0,
            runs: u32::try_from(import.latencies.len()).unwrap_or(u32::MAX),
            optimization_level: None,
            min_block_size: None,
            result_dir: String::new(),
        },
        total_time: total,
        timestamp: stamp::format_compact(start_ns(import)),
        latencies: import.latencies.clone(),
        avg_latency: mean,
        avg_throughput: if mean > 0.0 { 1.0 / mean } else { 0.0 },
    }
}

/// A manifest that says what is known: in particular that layer times were not taken while power was, so that only the
/// totals of the power log count.
fn manifest(model: &str, import: &Import) -> Result<Manifest, Failure> {
    let mut manifest = Manifest::new(model, concat!("host-trainer ", env!("CARGO_PKG_VERSION"), " ingest"));
    manifest.status = Status::Complete;
    manifest.layers = import.layers.iter().map(|l| l.name.clone()).collect();
    let has_ends = has_ends(import);
    manifest.layer_times = LayerTimes {
        stamp: if has_ends { LayerStamp::LayerEnd } else { LayerStamp::PassAverage },
        with_power: has_ends,
        cycles_per_entry: import.averaged_over.unwrap_or(1),
    };
    manifest.runner = RunnerSetup { runner: "imported".into(), ..RunnerSetup::default() };
    if let Some((source, rails)) = &import.power_source {
        manifest.power.source.clone_from(source);
        let rail = |label: &String| Rail {
            label: label.clone(),
            place: source.clone(),
            voltage_measured: false,
            ..Rail::default()
        };
        manifest.power.rails = rails.iter().map(rail).collect();
        manifest.power.total = match rails.len() {
            0 => Total::Unknown,
            1 => Total::Rail(0),
            count => Total::Sum((0..u8::try_from(count).unwrap_or(u8::MAX)).collect()),
        };
    }
    let layers_ms: f64 = import.layers.iter().filter_map(|l| l.runs.first()).map(|r| r.0).sum();
    let inference_ms = match import.latencies.len() {
        0 => layers_ms,
        n => import.latencies.iter().sum::<f64>() / n as f64 * 1e3,
    };
    if !has_ends {
        add_passes(&mut manifest, &import.power, inference_ms)?;
    }
    Ok(manifest)
}

/// One pass for each stretch of the power log without a gap. The log is taken to cover inferences back to back: what
/// tegrastats sees in parallel to trtexec. Nothing is counted in gaps.
fn add_passes(manifest: &mut Manifest, power: &Timed, inference_ms: f64) -> Result<(), Failure> {
    if inference_ms.is_nan() || inference_ms <= 0.0 {
        return Ok(());
    }
    // Monotonic time is not negative: a log from before 1970 begins at zero.
    let offset = power.readings.first().map_or(0, |first| first.wall_ns.min(0));
    manifest.clock = Clock { wall_minus_monotonic_ns: offset, ..Clock::default() };
    let mut all = 0_u32;
    for stretch in &power.times.stretches {
        let Some([first, .., last]) = power.readings.get(stretch.clone()) else { continue };
        let span_ms = last.wall_ns.saturating_sub(first.wall_ns) as f64 * 1e-6;
        let cycles = (span_ms / inference_ms).round();
        let counted = (cycles <= f64::from(u32::MAX)).then_some(cycles as u32);
        let total = counted.and_then(|cycles| all.checked_add(cycles));
        let (Some(cycles), Some(total)) = (counted, total) else {
            return Err(Failure::data(format!(
                "the power covers {:.0} s, which is more inferences of {inference_ms} ms than can be counted",
                span_ms * 1e-3
            ))
            .help("check the times of the power file and the layers' run times"));
        };
        all = total;
        let monotonic = |wall_ns: i64| wall_ns.saturating_sub(offset).unsigned_abs();
        manifest.passes.push(PassSpan {
            pass: Pass::Power,
            cycles,
            start_ns: monotonic(first.wall_ns),
            end_ns: monotonic(last.wall_ns),
            uncertainty_ns: 0,
        });
    }
    Ok(())
}
