//! Fits a cross-validated Lasso to a design matrix in files and prints the result and the time it took as JSON.
//!
//! `benches/lasso_vs_sklearn.py` runs it beside scikit-learn on the same numbers:
//!
//! ```text
//! lasso_cv FOLDER ROWS FOLDS POSITIVE(true|false)
//! ```
//!
//! The folder holds `design.f64` (column-major) and `target.f64`, both little-endian.
#![allow(clippy::print_stdout)]

use std::path::Path;
use std::time::Instant;

use estimators::Folds;
use estimators::design::Design;
use estimators::lasso::LassoCvParams;

fn read(path: &Path) -> Result<Vec<f64>, Box<dyn std::error::Error>> {
    let bytes = std::fs::read(path).map_err(|e| format!("{}: {e}", path.display()))?;
    let (values, rest) = bytes.as_chunks::<8>();
    if !rest.is_empty() {
        return Err(format!("{}: not a whole number of 8-byte values", path.display()).into());
    }
    Ok(values.iter().map(|&value| f64::from_le_bytes(value)).collect())
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [folder, rows, folds, positive] = arguments.as_slice() else {
        return Err("usage: lasso_cv FOLDER ROWS FOLDS POSITIVE".into());
    };
    let (folder, rows): (&Path, usize) = (folder.as_ref(), rows.parse()?);
    let target = read(&folder.join("target.f64"))?;
    let values = read(&folder.join("design.f64"))?;
    let design = Design::from_column_major(rows, values.len() / rows.max(1), values)?;
    let params = LassoCvParams { positive: positive.parse()?, ..LassoCvParams::default() }.check()?;
    let folds = Folds::contiguous(rows, folds.parse()?)?;

    let start = Instant::now();
    let found = params.fit(&design, &target, &folds, None)?;
    let seconds = start.elapsed().as_secs_f64();

    let result = serde_json::json!({
        "seconds": seconds,
        "alpha": found.fit.alpha,
        "alpha_index": found.alpha_index,
        "alphas": found.alphas,
        "coefficients": found.fit.coefficients,
        "intercept": found.fit.intercept,
        "n_iter": found.fit.n_iter,
        "not_converged": found.not_converged.len(),
    });
    println!("{result}");
    Ok(())
}
