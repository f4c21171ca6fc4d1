//! Fits the roofline of a device: run time as launch plus work over rate, non-negative, on relative error.

use crate::model::Roofline;
use crate::training::Row;
use estimators::metrics::Metrics;
use estimators::nnls;
use shared::engine::Work;
use std::collections::{BTreeMap, BTreeSet};

/// A layer whose run time was measured.
struct Sample {
    work: Work<f64>,
    bits: u32,
    ms: f64,
}

impl Sample {
    fn gmacs(&self) -> f64 {
        self.work.macs.unwrap_or(0.0) * 1e-9
    }

    fn megabytes(&self) -> f64 {
        self.work.bytes_moved * 1e-6
    }
}

/// Fits a roofline to the rows that have a run time; none where there is no such row.
#[must_use]
pub(super) fn fit<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<Roofline> {
    let sample = |row: &Row| row.runtime.map(|t| Sample { work: row.spec.work(), bits: row.spec.bits(), ms: t.0 });
    let samples: Vec<Sample> = rows.filter_map(sample).filter(|sample| sample.ms > 0.0).collect();
    if samples.is_empty() {
        return None;
    }
    // One rate for each precision that multiplies anything; then bytes, then the launch.
    let precisions: BTreeSet<u32> =
        samples.iter().filter(|sample| sample.gmacs() > 0.0).map(|sample| sample.bits).collect();
    let precisions: Vec<u32> = precisions.into_iter().collect();
    let mut columns: Vec<Vec<f64>> = precisions
        .iter()
        .map(|bits| samples.iter().map(|s| if s.bits == *bits { s.gmacs() / s.ms } else { 0.0 }).collect())
        .collect();
    columns.push(samples.iter().map(|s| s.megabytes() / s.ms).collect());
    columns.push(samples.iter().map(|s| 1.0 / s.ms).collect());
    let coefficients = nnls::solve(&columns, &vec![1.0; samples.len()]);
    let (rates, rest) = coefficients.split_at(precisions.len());
    let mut roofline = Roofline {
        launch_ms: rest[1],
        ms_per_gmac: precisions.iter().copied().zip(rates.iter().copied()).collect::<BTreeMap<_, _>>(),
        ms_per_megabyte: rest[0],
        rows: samples.len(),
        mape_percent: 0.0,
    };
    let measured: Vec<f64> = samples.iter().map(|s| s.ms).collect();
    let predicted: Vec<f64> = samples.iter().map(|s| roofline.runtime(&s.work, s.bits).0).collect();
    roofline.mape_percent = Metrics::of(&measured, &predicted).mape_percent.unwrap_or(f64::NAN);
    Some(roofline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{DenseShape, LayerShape, LayerSpec};
    use shared::engine::Precision;
    use shared::units::Millis;

    fn dense(input: f64, output: f64, precision: Precision, runtime_ms: f64) -> Row {
        Row {
            network: "n".into(),
            layer: "l".into(),
            device: None,
            spec: LayerSpec {
                shape: LayerShape::Dense(DenseShape { batch: 1.0, input, output, weights: None }),
                precision: Some(precision),
            },
            power: None,
            runtime: Some(Millis(runtime_ms)),
        }
    }

    #[test]
    fn a_known_roofline_is_found_again() {
        let truth = |layer: &LayerSpec| {
            let (gmacs, megabytes) = (layer.work().macs.expect("known") * 1e-9, layer.work().bytes_moved * 1e-6);
            0.005 + gmacs * if layer.bits() == 16 { 0.4 } else { 0.9 } + megabytes * 0.02
        };
        let mut rows = Vec::new();
        for input in [64.0, 512.0, 4096.0, 9216.0] {
            for output in [10.0, 1000.0, 4096.0] {
                for precision in [Precision::Fp16, Precision::Fp32] {
                    let mut row = dense(input, output, precision, 1.0);
                    row.runtime = Some(Millis(truth(&row.spec)));
                    rows.push(row);
                }
            }
        }
        let roofline = fit(rows.iter()).expect("a roofline");
        assert!(roofline.mape_percent < 0.5, "{roofline:?}");
        assert!((roofline.launch_ms - 0.005).abs() < 2e-4, "{roofline:?}");
    }

    #[test]
    fn no_run_times_no_roofline() {
        assert!(fit([].iter()).is_none());
    }
}
