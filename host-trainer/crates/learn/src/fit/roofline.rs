//! Fits the roofline of a device: run time as launch plus work over rate, non-negative, on relative error.

use crate::model::{Interval, Roofline};
use crate::training::Row;
use estimators::metrics::Metrics;
use estimators::nnls;
use shared::engine::{Table, Work};
use std::collections::{BTreeMap, BTreeSet};

/// A layer whose run time was measured.
struct Sample<'a> {
    table: Table,
    network: &'a str,
    work: Work<f64>,
    bits: u32,
    ms: f64,
}

impl Sample<'_> {
    fn gmacs(&self) -> f64 {
        self.work.macs.unwrap_or(0.0) * 1e-9
    }

    fn megabytes(&self) -> f64 {
        self.work.bytes_moved * 1e-6
    }
}

/// Fits a roofline to the rows that have a run time; none where there is no such row. `level` is the probability asked for of the
/// bounds for kinds that were not seen.
#[must_use]
pub(super) fn fit<'a>(rows: impl Iterator<Item = &'a Row>, level: f64) -> Option<Roofline> {
    let sample = |row: &'a Row| {
        row.runtime.map(|t| Sample {
            table: row.spec.table(),
            network: &row.network,
            work: row.spec.work(),
            bits: row.spec.bits(),
            ms: t.0,
        })
    };
    let samples: Vec<Sample<'_>> = rows.filter_map(sample).filter(|sample| sample.ms > 0.0).collect();
    let all: Vec<&Sample<'_>> = samples.iter().collect();
    let roofline = fitted(&all)?;
    Some(Roofline { unseen_kind: unseen_kind(&all, level), ..roofline })
}

fn fitted(samples: &[&Sample<'_>]) -> Option<Roofline> {
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
        unseen_kind: None,
    };
    let measured: Vec<f64> = samples.iter().map(|s| s.ms).collect();
    let predicted: Vec<f64> = samples.iter().map(|s| roofline.runtime(&s.work, s.bits).0).collect();
    roofline.mape_percent = Metrics::of(&measured, &predicted).mape_percent.unwrap_or(f64::NAN);
    Some(roofline)
}

/// Rows of a kind below which nothing is said of it.
const LEAST_ROWS: usize = 10;

/// Each kind predicted by the roofline of the others: the bounds hold `level` of the rows of the kind that is hardest to predict.
/// A further kind is no harder than the hardest of `K` with probability `K / (K + 1)`, if kinds are exchangeable, so that the
/// level stated is that share of `level`.
fn unseen_kind(samples: &[&Sample<'_>], level: f64) -> Option<Interval> {
    let tables: BTreeSet<Table> = samples.iter().map(|sample| sample.table).collect();
    let (mut widest, mut kinds, mut rows) = (0.0_f64, 0, 0);
    for table in &tables {
        let (own, others): (Vec<&Sample<'_>>, Vec<&Sample<'_>>) =
            samples.iter().copied().partition(|sample| sample.table == *table);
        let Some(roofline) = fitted(&others).filter(|_| own.len() >= LEAST_ROWS) else { continue };
        let mut scores: Vec<f64> =
            own.iter().map(|s| (s.ms / roofline.runtime(&s.work, s.bits).0).ln().abs()).collect();
        scores.sort_by(f64::total_cmp);
        let rank = (((scores.len() + 1) as f64 * level).ceil() as usize).clamp(1, scores.len());
        widest = widest.max(scores[rank - 1]);
        kinds += 1;
        rows += own.len();
    }
    let networks = samples.iter().map(|sample| sample.network).collect::<BTreeSet<_>>().len();
    // Rates that no other kind tells make infinite ratios: then nothing is known.
    (kinds > 1 && widest.is_finite()).then(|| Interval {
        level: level * kinds as f64 / (kinds as f64 + 1.0),
        lower_ratio: (-widest).exp(),
        upper_ratio: widest.exp(),
        rows,
        networks,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::{DenseShape, ElementsShape, LayerShape, LayerSpec};
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
        let roofline = fit(rows.iter(), 0.9).expect("a roofline");
        assert!(roofline.mape_percent < 0.5, "{roofline:?}");
        assert!((roofline.launch_ms - 0.005).abs() < 2e-4, "{roofline:?}");
        assert_eq!(roofline.unseen_kind, None, "there is no other kind");
    }

    #[test]
    fn bounds_for_an_unseen_kind_hold_those_that_were_left_out() {
        // Pointwise layers take twice as long as the bytes of dense ones would have it.
        let mut rows = Vec::new();
        for step in 1..=20 {
            let elements = f64::from(step) * 1e5;
            rows.push(dense(elements, 10.0, Precision::Fp16, 0.0));
            let pointwise = ElementsShape { batch: 1.0, input: elements, output: elements, weights: Some(0.0) };
            let spec = LayerSpec { shape: LayerShape::Pointwise(pointwise), precision: Some(Precision::Fp16) };
            rows.push(Row { spec, ..dense(1.0, 1.0, Precision::Fp16, 0.0) });
        }
        for row in &mut rows {
            let factor = if row.spec.table() == Table::Pointwise { 2.0 } else { 1.0 };
            row.runtime = Some(Millis(factor * (0.01 + row.spec.work().bytes_moved * 1e-8)));
        }
        let bounds = fit(rows.iter(), 0.9).and_then(|roofline| roofline.unseen_kind).expect("two kinds");
        assert!((bounds.level - 0.6).abs() < 1e-12, "{bounds:?}");
        assert_eq!(bounds.rows, 40);
        assert!(bounds.upper_ratio > 1.5 && bounds.upper_ratio < 4.0, "{bounds:?}");
    }

    #[test]
    fn no_run_times_no_roofline() {
        assert!(fit([].iter(), 0.9).is_none());
    }
}
