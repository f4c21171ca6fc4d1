//! Terms, scaler and cross-validated Lasso, end to end, against scikit-learn.
//!
//! `tests/golden/lasso/generate.py` wrote the results (the scikit-learn version stands in the file) and says how the
//! inputs are made; the same recurrence is below.
#![allow(clippy::unwrap_used, clippy::print_stdout, missing_docs)]

use estimators::Folds;
use estimators::design::Design;
use estimators::lasso::{LassoCv, LassoCvParams};
use estimators::scaler::{Scaler, ScalerKind};
use estimators::terms::{self, Term};
use serde::Deserialize;

/// The agreement that is promised.
const RELATIVE: f64 = 1e-8;

#[derive(Deserialize)]
struct Golden {
    scikit_learn: String,
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    name: String,
    table: String,
    rows: usize,
    degree: u32,
    scaler: ScalerKind,
    positive: bool,
    log: bool,
    products: Vec<Vec<usize>>,
    folds: usize,
    alphas: usize,
    max_iter: usize,
    tol: f64,
    eps: f64,
    intercept: bool,
    weighted: bool,
    grouped: bool,
    terms: usize,
    target_sum: f64,
    alpha_index: usize,
    alpha: f64,
    alpha_max: f64,
    #[serde(rename = "intercept_value")]
    fitted_intercept: f64,
    coefficients: Vec<(usize, f64)>,
    predictions: Vec<f64>,
    mse: Vec<f64>,
    mse_last: Vec<f64>,
    n_iter: usize,
    dual_gap: f64,
    not_converged: usize,
}

/// Knuth's 64-bit linear congruential generator (MMIX).
struct Numbers(u64);

impl Numbers {
    fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    fn choice(&mut self, values: &[u32]) -> f64 {
        f64::from(values[(self.uniform() * values.len() as f64) as usize])
    }

    fn below(&mut self, low: u32, high: u32) -> f64 {
        f64::from(low) + (self.uniform() * f64::from(high - low)).floor()
    }

    fn noise(&mut self, amount: f64) -> f64 {
        1.0 + amount * (self.uniform() + self.uniform() + self.uniform() - 1.5)
    }
}

fn convolution(n: &mut Numbers) -> (Vec<f64>, f64) {
    let batch = n.choice(&[1, 1, 2, 4, 8]);
    let side = n.choice(&[7, 14, 28, 56, 112, 224]);
    let channels_in = n.choice(&[3, 16, 24, 32, 64, 96, 128, 256, 512]);
    let channels_out = n.choice(&[16, 24, 32, 64, 96, 128, 256, 512, 1024]);
    let kernel = n.choice(&[1, 3, 5, 7]);
    let stride = n.choice(&[1, 1, 2]);
    let padding = 2.0 * (kernel / 2.0).floor();
    let out = ((side + padding - kernel) / stride).floor() + 1.0;
    let macs = batch * channels_in * kernel * kernel * channels_out * out * out;
    let moved =
        batch * (channels_in * side * side + channels_out * out * out) + channels_in * channels_out * kernel * kernel;
    let row =
        vec![batch, channels_in, side, side, channels_out, out, out, kernel, kernel, padding, padding, stride, stride];
    (row, (0.01 + macs / 2e8 + moved / 5e7) * n.noise(0.2))
}

fn pooling(n: &mut Numbers) -> (Vec<f64>, f64) {
    let batch = n.choice(&[1, 1, 1, 1, 2]);
    let side = n.choice(&[7, 14, 28, 56, 112]);
    let channels = n.choice(&[32, 64, 128, 192, 256, 512]);
    let kernel = n.choice(&[2, 2, 2, 3]);
    let stride = 2.0;
    let out = ((side - kernel) / stride).floor() + 1.0;
    let moved = batch * channels * (side * side + out * out);
    let row = vec![batch, channels, side, side, channels, out, out, kernel, kernel, stride, stride];
    (row, 3.0 + (0.004 + moved / 4e6) * n.noise(0.4) + 0.5 * n.uniform())
}

fn unrelated(n: &mut Numbers) -> (Vec<f64>, f64) {
    let row: Vec<f64> = (0..8).map(|column| n.below(1, 40 + 7 * column)).collect();
    let signal = row[0] * row[1] / 40.0 - row[2] * row[3] / 90.0 + row[4] - 0.02 * row[5] * row[5];
    (row, signal + 40.0 * (n.uniform() - 0.5))
}

fn collinear(n: &mut Numbers) -> (Vec<f64>, f64) {
    let (a, b) = (n.below(0, 100), n.below(0, 50));
    let row = vec![a, b, a + b, 3.0 * a, 0.1, 1000.0 + if n.uniform() < 0.01 { 1.0 } else { 0.0 }];
    (row, 2.0 * a - 0.5 * b + 0.01 * a * b + 10.0 * n.uniform())
}

struct Inputs {
    columns: Design,
    target: Vec<f64>,
    weights: Vec<f64>,
    groups: Vec<usize>,
}

fn inputs(case: &Case) -> Inputs {
    let table = match case.table.as_str() {
        "convolution" => convolution,
        "pooling" => pooling,
        "unrelated" => unrelated,
        "collinear" => collinear,
        other => panic!("no table {other}"),
    };
    let mut numbers = Numbers(2 * case.name.bytes().map(u64::from).sum::<u64>() + 1);
    let (mut rows, mut target, mut weights, mut groups) = (vec![], vec![], vec![], vec![]);
    for _ in 0..case.rows {
        let (row, y) = table(&mut numbers);
        rows.push(row);
        target.push(y);
        weights.push(0.25 + numbers.uniform() * 2.0);
        groups.push((numbers.uniform() * numbers.uniform() * 12.0) as usize);
    }
    Inputs { columns: Design::from_rows(&rows).unwrap(), target, weights, groups }
}

fn fit(case: &Case) -> (Design, LassoCv) {
    let data = inputs(case);
    let sum: f64 = data.target.iter().sum();
    assert!(
        close(sum, case.target_sum, 1e-12),
        "{}: the inputs are not the ones the golden file was made of",
        case.name
    );
    let mut terms = terms::polynomial(data.columns.columns(), case.degree, case.log).unwrap();
    terms.extend(case.products.iter().map(|columns| Term::raw_product(columns)));
    assert_eq!(terms.len(), case.terms, "{}", case.name);
    let design = terms::expand(&data.columns, &terms).unwrap();
    let design = Scaler::fit(case.scaler, &design).unwrap().transform(design);
    let folds =
        if case.grouped { Folds::grouped(&data.groups, case.folds) } else { Folds::contiguous(case.rows, case.folds) };
    let params = LassoCvParams {
        n_alphas: case.alphas,
        eps: case.eps,
        max_iter: case.max_iter,
        tol: case.tol,
        positive: case.positive,
        fit_intercept: case.intercept,
    };
    let weights = case.weighted.then_some(data.weights.as_slice());
    let found = params.check().unwrap().fit(&design, &data.target, &folds.unwrap(), weights).unwrap();
    (design, found)
}

fn close(found: f64, golden: f64, relative: f64) -> bool {
    (found - golden).abs() <= relative * golden.abs()
}

/// Largest difference as a share of the largest golden value.
fn worst(found: &[f64], golden: &[f64]) -> f64 {
    assert_eq!(found.len(), golden.len());
    let scale = golden.iter().fold(f64::MIN_POSITIVE, |max, g| g.abs().max(max));
    found.iter().zip(golden).map(|(f, g)| (f - g).abs()).fold(0.0, f64::max) / scale
}

/// Largest difference as a share of the golden value itself, of all that rounding does not rule (1e-6 of the largest).
fn worst_of_each(found: &[f64], golden: &[f64]) -> f64 {
    let scale = golden.iter().fold(0.0, |max: f64, g| g.abs().max(max));
    let pairs = found.iter().zip(golden).filter(|(_, g)| g.abs() > 1e-6 * scale);
    pairs.map(|(f, g)| ((f - g) / g).abs()).fold(0.0, f64::max)
}

#[test]
fn every_case_equals_scikit_learn() {
    let golden: Golden = serde_json::from_str(include_str!("golden/lasso/golden.json")).unwrap();
    assert_eq!(golden.scikit_learn, "1.9.1");
    assert!(golden.cases.len() >= 20);
    let mut wrong = Vec::new();
    for case in &golden.cases {
        let (design, found) = fit(case);
        let mut coefficients = vec![0.0; case.terms];
        case.coefficients.iter().for_each(|&(j, value)| coefficients[j] = value);
        let step = (case.rows / 12).max(1);
        let predictions: Vec<f64> = found.fit.predict(&design).into_iter().step_by(step).take(12).collect();
        let differences = [
            ("alpha", worst(&[found.fit.alpha, found.alphas[0]], &[case.alpha, case.alpha_max])),
            ("coefficients", worst(&found.fit.coefficients, &coefficients)),
            ("each coefficient", worst_of_each(&found.fit.coefficients, &coefficients)),
            ("intercept", worst(&[found.fit.intercept], &[case.fitted_intercept])),
            ("predictions", worst(&predictions, &case.predictions)),
            ("errors at the chosen penalty", worst(&found.mse_path[found.alpha_index], &case.mse)),
            ("errors at the last penalty", worst(&found.mse_path[case.alphas - 1], &case.mse_last)),
        ];
        let shown: Vec<String> = differences.iter().map(|(what, found)| format!("{what} {found:.1e}")).collect();
        println!("{}: {}", case.name, shown.join(", "));
        for (what, difference) in differences {
            if difference > RELATIVE || difference.is_nan() {
                wrong.push(format!("{}: {what} differ by {difference:e}", case.name));
            }
        }
        let exact = [
            ("index of the penalty", found.alpha_index, case.alpha_index),
            ("sweeps", found.fit.n_iter, case.n_iter),
            ("fits that did not converge", found.not_converged.len(), case.not_converged),
        ];
        for (what, found, golden) in exact {
            if found != golden {
                wrong.push(format!("{}: {what}: {found} instead of {golden}", case.name));
            }
        }
        if (found.fit.dual_gap - case.dual_gap).abs() > 1e-6 * case.dual_gap.abs() + 1e-12 {
            wrong.push(format!("{}: dual gap {} instead of {}", case.name, found.fit.dual_gap, case.dual_gap));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_result_does_not_depend_on_the_number_of_threads() {
    let golden: Golden = serde_json::from_str(include_str!("golden/lasso/golden.json")).unwrap();
    let case = golden.cases.iter().find(|case| case.name == "grouped").unwrap();
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
        pool.install(|| fit(case).1)
    };
    let one = with(1);
    for threads in [2, 3, 7] {
        assert_eq!(with(threads), one);
    }
}
