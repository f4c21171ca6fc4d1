//! Parameters of the cross-validated Lasso.

use serde::{Deserialize, Serialize};

use super::LassoError;

/// Parameters not yet checked; the defaults are the reference's.
///
/// ```
/// use estimators::Folds;
/// use estimators::design::Design;
/// use estimators::lasso::LassoCvParams;
///
/// // y = 1 + 2·x, and a column that has nothing to do with it.
/// let x: Vec<f64> = (0..20).map(f64::from).collect();
/// let other: Vec<f64> = (0..20).map(|i| f64::from(i * i % 7)).collect();
/// let y: Vec<f64> = x.iter().map(|x| 1.0 + 2.0 * x).collect();
/// let design = Design::from_columns(&[x, other])?;
/// let params = LassoCvParams { n_alphas: 100, positive: true, ..LassoCvParams::default() }.check()?;
/// let found = params.fit(&design, &y, &Folds::contiguous(20, 5)?, None)?;
/// assert!((found.fit.coefficients[0] - 2.0).abs() < 0.05);
/// assert!((found.fit.predict(&design)[10] - 21.0).abs() < 0.5);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LassoCvParams {
    /// Penalties on the path, spaced evenly in the logarithm.
    pub n_alphas: usize,
    /// Smallest penalty as a share of the largest, which is the smallest that gives all zeros.
    pub eps: f64,
    /// Most sweeps over the coefficients at one penalty.
    pub max_iter: usize,
    /// Tolerance: of a sweep's largest step relative to the largest coefficient, and of the duality gap relative to the
    /// target's (centred) sum of squares.
    pub tol: f64,
    /// Whether coefficients must not be negative.
    pub positive: bool,
    /// Whether an intercept is fitted.
    pub fit_intercept: bool,
}

impl Default for LassoCvParams {
    fn default() -> Self {
        Self { n_alphas: 500, eps: 1e-3, max_iter: 10_000, tol: 1e-4, positive: false, fit_intercept: true }
    }
}

/// Most penalties on a path; a mean squared error is kept for every one and fold.
const MAX_ALPHAS: usize = 100_000;

impl LassoCvParams {
    /// Checks the parameters.
    ///
    /// # Errors
    /// [`LassoError::Parameter`] names the first one outside its range.
    pub fn check(self) -> Result<LassoCvValidParams, LassoError> {
        let refuse = |name, rule, found: String| Err(LassoError::Parameter { name, rule, found });
        if !(1..=MAX_ALPHAS).contains(&self.n_alphas) {
            return refuse("n_alphas", "between 1 and 100,000", self.n_alphas.to_string());
        }
        if !(self.eps > 0.0 && self.eps <= 1.0) {
            return refuse("eps", "above 0 and at most 1", self.eps.to_string());
        }
        if self.max_iter == 0 {
            return refuse("max_iter", "at least 1", self.max_iter.to_string());
        }
        if !(self.tol >= 0.0 && self.tol.is_finite()) {
            return refuse("tol", "a number of at least 0", self.tol.to_string());
        }
        Ok(LassoCvValidParams(self))
    }
}

/// Checked parameters; they fit.
#[derive(Debug, Clone, PartialEq)]
pub struct LassoCvValidParams(pub(super) LassoCvParams);

impl LassoCvValidParams {
    /// The parameters as given.
    #[must_use]
    pub fn params(&self) -> &LassoCvParams {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parameter_outside_its_range_is_named() {
        type Spoil = fn(&mut LassoCvParams);
        let cases: [(&str, Spoil); 7] = [
            ("n_alphas", |p| p.n_alphas = 0),
            ("n_alphas", |p| p.n_alphas = usize::MAX),
            ("eps", |p| p.eps = 0.0),
            ("eps", |p| p.eps = f64::NAN),
            ("max_iter", |p| p.max_iter = 0),
            ("tol", |p| p.tol = -1.0),
            ("tol", |p| p.tol = f64::INFINITY),
        ];
        for (expected, spoil) in cases {
            let mut params = LassoCvParams::default();
            spoil(&mut params);
            let found = params.check();
            assert!(matches!(&found, Err(LassoError::Parameter { name, .. }) if *name == expected), "{found:?}");
        }
        assert!(LassoCvParams::default().check().is_ok());
    }
}
