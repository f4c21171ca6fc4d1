//! What a model of totals is worth: simple predictions of whole networks on the same folds.

use estimators::Folds;
use estimators::metrics::Metrics;
use std::collections::BTreeMap;

/// Figures of two baselines: the mean of the other networks' totals, and a straight line through their multiply-accumulates,
/// fitted on relative error. `measured` are the totals, `macs` what each network computes, by measurement.
///
/// Kinds of models that sum over layers are no baseline here: a handful of totals does not determine their many coefficients.
pub(super) fn scores(measured: &[f64], macs: &[f64], folds: &Folds) -> BTreeMap<String, Metrics> {
    let mut constant = vec![0.0; measured.len()];
    let mut line = constant.clone();
    for fold in 0..folds.count() {
        let training = folds.training(fold);
        let mean = training.iter().map(|&i| measured[i]).sum::<f64>() / training.len() as f64;
        let (a, b) = relative_line(training.iter().map(|&i| (macs[i], measured[i])));
        for i in folds.held_out(fold) {
            constant[i] = mean;
            line[i] = a + b * macs[i];
        }
    }
    let named = [("constant", constant), ("line in MACs", line)];
    named.into_iter().map(|(name, predicted)| (name.to_owned(), Metrics::of(measured, &predicted))).collect()
}

/// Intercept and slope with the least squared relative error; a constant where all networks compute as much.
fn relative_line(points: impl Iterator<Item = (f64, f64)>) -> (f64, f64) {
    // Normal equations of `a / y + b · x / y = 1`.
    let [mut aa, mut ab, mut bb, mut a1, mut b1] = [0.0; 5];
    for (x, y) in points.filter(|(_, y)| *y > 0.0) {
        let (u, v) = (1.0 / y, x / y);
        aa += u * u;
        ab += u * v;
        bb += v * v;
        a1 += u;
        b1 += v;
    }
    let determinant = aa * bb - ab * ab;
    if determinant <= 1e-12 * aa * bb {
        return (if aa > 0.0 { a1 / aa } else { 0.0 }, 0.0);
    }
    ((a1 * bb - b1 * ab) / determinant, (aa * b1 - ab * a1) / determinant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_predicts_networks_on_it_and_the_mean_does_not() {
        let macs: Vec<f64> = (1..=10).map(f64::from).collect();
        let measured: Vec<f64> = macs.iter().map(|macs| 0.5 + 2.0 * macs).collect();
        let folds = Folds::contiguous(10, 5).expect("folds");
        let scores = scores(&measured, &macs, &folds);
        assert!(scores["line in MACs"].mape_percent < Some(1e-9), "{scores:?}");
        assert!(scores["constant"].mape_percent > Some(30.0), "{scores:?}");
    }

    #[test]
    fn networks_that_compute_as_much_have_a_constant_for_a_line() {
        let (a, b) = relative_line([(3.0, 2.0), (3.0, 2.0)].into_iter());
        assert!((a - 2.0).abs() < 1e-12 && b == 0.0, "{a} {b}");
    }
}
