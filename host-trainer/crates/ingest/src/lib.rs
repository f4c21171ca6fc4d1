//! Importing measurements that other tools made into run folders, so that `align` reads them like any other.

mod columns;
mod layer_runs;
mod sheet;
pub mod tables;
pub mod tegrastats;
mod times;
pub mod trtexec;

pub use layer_runs::LayerRuns;
pub use sheet::{Form, Table};

use shared::failure::Failure;
use shared::fs::{write_atomic, write_atomic_with};
use shared::run_folder::{
    Diagnostics, IdlePower, LayerEntry, LayerStamp, LayerTimes, Manifest, ModelConfig, ModelRun, Pass, PassSpan,
    PowerReading, Rail, RunFolder, RunnerSetup, Status, Total, format_line, stamp, write_layer_latencies,
};
use shared::units::Millis;
use std::path::Path;

/// What was read from other tools' files.
#[derive(Debug, Clone, Default)]
pub struct Import {
    /// Power readings in order of time.
    pub power: Vec<PowerReading>,
    /// Where they come from (`tegrastats`, `csv`), and the rail's name.
    pub power_source: Option<(String, String)>,
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
    /// What could not be read.
    pub diagnostics: Diagnostics,
}

/// Writes a run folder `<root>/<model>/` with everything that was imported. Returns the names of the files written.
///
/// ```
/// use ingest::{Import, tables, write};
///
/// let power = tables::power(b"t_us,V,A\n0,5.0,1.2\n100,5.0,1.3\n", None)?.rows;
/// let import = Import { power, power_source: Some(("csv".into(), "power".into())), ..Import::default() };
/// let root = tempfile::tempdir()?;
/// let written = write(root.path(), "lenet", &import)?;
/// assert!(written.contains(&"lenet/lenet_power_log.log".to_owned()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When there is nothing to write, or whatever the file system says.
pub fn write(root: &Path, model: &str, import: &Import) -> Result<Vec<String>, Failure> {
    if !RunFolder::is_model_name(model) {
        return Err(
            Failure::usage(format!("`{model}` cannot name a model")).help("use letters, digits, `-`, `_` and `.`")
        );
    }
    if import.layers.is_empty() && import.power.is_empty() && import.engine_info.is_none() {
        return Err(
            Failure::usage("nothing to import").help("name at least one file: see `host-trainer ingest --help`")
        );
    }
    let run = RunFolder::new(root, model);
    let mut written = Vec::new();
    let mut note = |path: &Path| {
        written.push(path.strip_prefix(root).unwrap_or(path).display().to_string());
    };
    write_atomic_with(&run.power_log(), |out| {
        import.power.iter().try_for_each(|reading| out.write_all(format_line(reading).as_bytes()))
    })?;
    note(&run.power_log());
    if !import.layers.is_empty() {
        let names: Vec<String> = import.layers.iter().map(|l| l.name.clone()).collect();
        let ends = ends(import);
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
    manifest(model, import).write(&run.manifest())?;
    note(&run.manifest());
    Ok(written)
}

fn start_ns(import: &Import) -> i64 {
    import.power.first().map_or(0, |r| r.wall_ns)
}

/// End of each run. Those that are not told follow one another from the start of the power log; nothing is read from
/// such stamps but order.
fn ends(import: &Import) -> Vec<Vec<i64>> {
    let mut ends: Vec<Vec<i64>> = vec![Vec::new(); import.layers.len()];
    let cycles = import.layers.iter().map(|l| l.runs.len()).max().unwrap_or(0);
    let mut now = start_ns(import);
    for cycle in 0..cycles {
        for (layer, ends) in import.layers.iter().zip(&mut ends) {
            if let Some((ms, told)) = layer.runs.get(cycle) {
                now = told.unwrap_or(now + (ms * 1e6) as i64);
                ends.push(now);
            }
        }
    }
    ends
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
fn manifest(model: &str, import: &Import) -> Manifest {
    let mut manifest = Manifest::new(model, concat!("host-trainer ", env!("CARGO_PKG_VERSION"), " ingest"));
    manifest.status = Status::Complete;
    manifest.layers = import.layers.iter().map(|l| l.name.clone()).collect();
    let told = import.layers.iter().any(|l| l.runs.iter().any(|r| r.1.is_some()));
    manifest.layer_times = LayerTimes {
        stamp: if told { LayerStamp::LayerEnd } else { LayerStamp::PassAverage },
        with_power: told,
        cycles_per_entry: import.averaged_over.unwrap_or(1),
    };
    manifest.runner = RunnerSetup { runner: "imported".into(), ..RunnerSetup::default() };
    if let Some((source, rail)) = &import.power_source {
        manifest.power.source.clone_from(source);
        manifest.power.rails =
            vec![Rail { label: rail.clone(), place: source.clone(), voltage_measured: false, ..Rail::default() }];
        manifest.power.total = Total::Rail(0);
    }
    let layers_ms: f64 = import.layers.iter().filter_map(|l| l.runs.first()).map(|r| r.0).sum();
    let inference_ms = match import.latencies.len() {
        0 => layers_ms,
        n => import.latencies.iter().sum::<f64>() / n as f64 * 1e3,
    };
    if let (Some(first), Some(last)) = (import.power.first(), import.power.last())
        && inference_ms > 0.0
        && first.wall_ns >= 0
        && !told
    {
        // The log is taken to cover inferences back to back: what tegrastats beside trtexec sees.
        let span_ms = (last.wall_ns - first.wall_ns) as f64 * 1e-6;
        let cycles = (span_ms / inference_ms).round().clamp(0.0, f64::from(u32::MAX)) as u32;
        manifest.passes.push(PassSpan {
            pass: Pass::Power,
            cycles,
            start_ns: first.wall_ns.unsigned_abs(),
            end_ns: last.wall_ns.unsigned_abs(),
            uncertainty_ns: 0,
        });
    }
    manifest
}
