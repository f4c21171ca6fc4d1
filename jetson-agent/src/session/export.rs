//! The reference's files out of a sample log.

use shared::failure::Failure;
use shared::fs::write_atomic_with;
use shared::run_folder::{
    LayerEntry, LogContent, Manifest, ModelConfig, ModelRun, Pass, PowerReading, RunFolder, Sample, Total, format_line,
    stamp, write_layer_latencies,
};
use shared::units::{Milliamps, Millis, Millivolts};

/// Writes `<model>_power_log.log`, `<model>_tensorrt.json` and `trt_profiling/trt_layer_latency.json`.
///
/// # Errors
/// Whatever the file system says.
pub fn write_reference_files(run: &RunFolder, manifest: &Manifest, content: &LogContent) -> Result<(), Failure> {
    write_atomic_with(&run.power_log(), |out| {
        for (t_ns, voltage, current) in
            total_readings(&manifest.power.total, manifest.power.rails.len(), &content.samples)
        {
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

/// The total at each reading: time, voltage, current. Where the total is a sum of rails, the voltage is the first
/// rail's and the current is the one that makes the product the sum of powers; where there is no total, the first
/// rail stands in.
pub fn total_readings<'a>(
    total: &'a Total,
    rails: usize,
    samples: &'a [Sample],
) -> Box<dyn Iterator<Item = (u64, Millivolts, Milliamps)> + 'a> {
    let plain = |rail: u8| {
        samples
            .iter()
            .filter(move |s| s.rail == rail)
            .map(|s| (s.t_ns, Millivolts(f64::from(s.mv)), Milliamps(f64::from(s.ma))))
    };
    match total {
        Total::Rail(rail) => Box::new(plain(*rail)),
        Total::Unknown => Box::new(plain(0)),
        Total::Sum(parts) => {
            let mut latest: Vec<Option<Sample>> = vec![None; rails];
            Box::new(samples.iter().filter_map(move |sample| {
                *latest.get_mut(usize::from(sample.rail))? = Some(*sample);
                // One reading is every rail once; it is complete with the last part.
                if Some(&sample.rail) != parts.last() {
                    return None;
                }
                let mut watts = 0.0;
                for part in parts {
                    watts += (*latest.get(usize::from(*part))?)?.power().0;
                }
                let first = (*latest.get(usize::from(*parts.first()?))?)?;
                let mv = if first.mv > 0.0 { f64::from(first.mv) } else { 1_000.0 };
                Some((sample.t_ns, Millivolts(mv), Milliamps(watts * 1e6 / mv)))
            }))
        }
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_of_rails_is_one_reading_with_the_summed_power() {
        let sample = |t_ns, rail, mv, ma| Sample { t_ns, rail, mv, ma };
        let samples = [
            sample(1, 0, 19_000.0, 100.0),
            sample(2, 1, 19_000.0, 50.0),
            sample(3, 2, 5_000.0, 1_000.0),
            sample(11, 0, 19_000.0, 200.0),
            sample(12, 1, 19_000.0, 50.0),
        ];
        let total = Total::Sum(vec![0, 2]);
        let readings: Vec<_> = total_readings(&total, 3, &samples).collect();
        assert_eq!(readings.len(), 1);
        let (t_ns, voltage, current) = readings[0];
        assert_eq!(t_ns, 3);
        assert!(((voltage * current).0 - 6.9).abs() < 1e-9);
    }
}
