//! Fits the roofline of a device: run time as launch plus work over rate, non-negative, on relative error.

use crate::evaluate::Metrics;
use crate::model::Roofline;
use crate::training::Row;
use std::collections::{BTreeMap, BTreeSet};

/// Sweeps over the few coefficients; each is exact in its coordinate, so that this many always suffice.
const SWEEPS: usize = 10_000;

/// Fits a roofline to the rows that have a run time; none where there is no such row.
#[must_use]
pub(super) fn fit<'a>(rows: impl Iterator<Item = &'a &'a Row>) -> Option<Roofline> {
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
    let coefficients = non_negative_least_squares(&columns, &vec![1.0; samples.len()]);
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

/// min ‖A·x − y‖² over x ≥ 0, by cyclic coordinate descent on columns scaled to unit length.
fn non_negative_least_squares(columns: &[Vec<f64>], y: &[f64]) -> Vec<f64> {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let norms: Vec<f64> = columns.iter().map(|column| dot(column, column).sqrt()).collect();
    let mut x = vec![0.0; columns.len()];
    let mut residual = y.to_vec();
    for _ in 0..SWEEPS {
        let mut largest = 0.0_f64;
        for (j, column) in columns.iter().enumerate() {
            if norms[j] == 0.0 {
                continue;
            }
            let step = (x[j] + dot(column, &residual) / (norms[j] * norms[j])).max(0.0) - x[j];
            if step != 0.0 {
                x[j] += step;
                residual.iter_mut().zip(column).for_each(|(r, c)| *r -= step * c);
                largest = largest.max((step * norms[j]).abs());
            }
        }
        if largest < 1e-12 * (y.len() as f64).sqrt() {
            break;
        }
    }
    x
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
        let rows: Vec<&Row> = rows.iter().collect();
        let roofline = fit(rows.iter()).expect("a roofline");
        assert!(roofline.mape_percent < 0.5, "{roofline:?}");
        assert!((roofline.launch_ms - 0.005).abs() < 2e-4, "{roofline:?}");
    }

    #[test]
    fn coefficients_are_never_negative() {
        let x = non_negative_least_squares(&[vec![1.0, 1.0], vec![1.0, 2.0]], &[3.0, 1.0]);
        assert!(x.iter().all(|c| *c >= 0.0));
        assert!((x[0] - 2.0).abs() < 1e-9 && x[1] == 0.0, "{x:?}");
    }

    #[test]
    fn no_run_times_no_roofline() {
        assert!(fit([].iter()).is_none());
    }
}
