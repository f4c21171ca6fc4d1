//! Fits the roofline of a device: run time as launch plus work over rate, non-negative, on relative error.

use crate::model::Roofline;
use crate::training::Row;
use estimators::metrics::Metrics;
use estimators::nnls;
use std::collections::{BTreeMap, BTreeSet};

/// Fits a roofline to the rows that have a run time; none where there is no such row.
#[must_use]
pub(super) fn fit<'a>(rows: impl Iterator<Item = &'a Row>) -> Option<Roofline> {
    let samples: Vec<((f64, f64, u32), f64)> = rows
        .filter_map(|row| row.runtime.map(|t| (Roofline::work(&row.shape), t.0)))
        .filter(|(_, t)| *t > 0.0)
        .collect();
    if samples.is_empty() {
        return None;
    }
    // One rate for each precision that multiplies anything; then bytes, then the launch.
    let precisions: BTreeSet<u32> =
        samples.iter().filter(|((gmacs, ..), _)| *gmacs > 0.0).map(|((.., b), _)| *b).collect();
    let precisions: Vec<u32> = precisions.into_iter().collect();
    let mut columns: Vec<Vec<f64>> = precisions
        .iter()
        .map(|bits| samples.iter().map(|((gmacs, _, b), t)| if b == bits { gmacs / t } else { 0.0 }).collect())
        .collect();
    columns.push(samples.iter().map(|((_, megabytes, _), t)| megabytes / t).collect());
    columns.push(samples.iter().map(|(_, t)| 1.0 / t).collect());
    let coefficients = nnls::solve(&columns, &vec![1.0; samples.len()]);
    let (rates, rest) = coefficients.split_at(precisions.len());
    let mut roofline = Roofline {
        launch_ms: rest[1],
        ms_per_gmac: precisions.iter().copied().zip(rates.iter().copied()).collect::<BTreeMap<_, _>>(),
        ms_per_megabyte: rest[0],
        rows: samples.len(),
        mape_percent: 0.0,
    };
    let measured: Vec<f64> = samples.iter().map(|(_, t)| *t).collect();
    let predicted: Vec<f64> = samples.iter().map(|((g, m, b), _)| roofline.runtime(*g, *m, *b).0).collect();
    roofline.mape_percent = Metrics::of(&measured, &predicted).mape_percent.unwrap_or(f64::NAN);
    Some(roofline)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::columns::Shape;
    use shared::engine::{Precision, Table};
    use shared::units::Millis;

    fn dense(input: f64, output: f64, precision: Precision, runtime_ms: f64) -> Row {
        Row {
            network: "n".into(),
            layer: "l".into(),
            device: None,
            shape: Shape {
                table: Table::Dense,
                values: vec![1.0, input, output, f64::NAN],
                precision: Some(precision),
            },
            power: None,
            runtime: Some(Millis(runtime_ms)),
        }
    }

    #[test]
    fn a_known_roofline_is_found_again() {
        let truth = |gmacs: f64, megabytes: f64, bits: u32| {
            0.005 + gmacs * if bits == 16 { 0.4 } else { 0.9 } + megabytes * 0.02
        };
        let mut rows = Vec::new();
        for input in [64.0, 512.0, 4096.0, 9216.0] {
            for output in [10.0, 1000.0, 4096.0] {
                for precision in [Precision::Fp16, Precision::Fp32] {
                    let mut row = dense(input, output, precision, 1.0);
                    let (g, m, b) = Roofline::work(&row.shape);
                    row.runtime = Some(Millis(truth(g, m, b)));
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
