//! The reference's files out of a sample log.

use shared::failure::Failure;
use shared::fs::write_atomic_with;
use shared::run_folder::{
    LayerEntry, LogContent, Manifest, ModelConfig, ModelRun, Pass, PowerReading, RunFolder, format_line, stamp,
    total_readings, write_layer_latencies,
};
use shared::units::Millis;

/// Writes `<model>_power_log.log`, `<model>_tensorrt.json` and `trt_profiling/trt_layer_latency.json`.
///
/// # Errors
/// Whatever the file system says.
pub fn write_reference_files(run: &RunFolder, manifest: &Manifest, content: &LogContent) -> Result<(), Failure> {
    write_atomic_with(&run.power_log(), |out| {
        for (t_ns, voltage, current) in total_readings(&manifest.power, &content.samples) {
            let reading = PowerReading { wall_ns: manifest.clock.wall_ns(t_ns), voltage, current };
            out.write_all(format_line(&reading).as_bytes())?;
        }
        Ok(())
    })?;
    model_run(run, manifest, content).write(&run.model_run())?;
    let entry = |cycle: usize, layer: usize| {
        let run = content.layers.get(cycle)?.1.get(layer)?;
        Some(LayerEntry { duration: Millis(f64::from(run.ms)), wall_ns: manifest.clock.wall_ns(run.stamp_ns) })
    };
    write_atomic_with(&run.layer_latency(), |out| {
        write_layer_latencies(out, &manifest.layers, &entry, content.layers.len())
    })
}

fn model_run(run: &RunFolder, manifest: &Manifest, content: &LogContent) -> ModelRun {
    let pass = if content.inferences_of(Pass::Power).next().is_some() { Pass::Power } else { Pass::Profiled };
    let spans: Vec<_> = content.inferences_of(pass).collect();
    let latencies: Vec<f64> = spans.iter().map(|s| s.end_ns.saturating_sub(s.start_ns) as f64 * 1e-9).collect();
    let total_ns = match (spans.first(), spans.last()) {
        (Some(first), Some(last)) => last.end_ns.saturating_sub(first.start_ns),
        _ => 0,
    };
    let mean = if latencies.is_empty() { 0.0 } else { latencies.iter().sum::<f64>() / latencies.len() as f64 };
    let shape = manifest.runner.shapes.values().next().cloned().unwrap_or_default();
    let batch = manifest.runner.batch.unwrap_or(1);
    let end_ns = spans.last().map_or(manifest.clock.measured_at_ns, |s| s.end_ns);
    ModelRun {
        config: ModelConfig {
            model: run.model().to_owned(),
            dtype: match manifest.runner.precision.as_deref() {
                Some("fp16") => "float16".into(),
                Some("fp32") | None => "float32".into(),
                Some(other) => other.to_owned(),
            },
            input_shape: shape,
            warmup: manifest.runner.warmup,
            runs: latencies.len() as u32,
            optimization_level: None,
            min_block_size: None,
            result_dir: run.path().parent().map(|p| p.display().to_string()).unwrap_or_default(),
        },
        total_time: total_ns as f64 * 1e-9,
        timestamp: stamp::format_compact(manifest.clock.wall_ns(end_ns)),
        latencies,
        avg_latency: mean,
        avg_throughput: if mean > 0.0 { f64::from(batch) / mean } else { 0.0 },
    }
}
