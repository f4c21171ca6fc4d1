//! An energy with its uncertainty, part by part.

use super::baseline::NORMAL_90;
use serde::Serialize;

/// One cause of uncertainty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Part {
    /// Which: `gain`, `offset`, `steps`, `idle`, `unseen`, `edges`, `lag`.
    pub cause: &'static str,
    /// Its standard uncertainty, J. Of a limit from a data sheet, the limit over √3 (GUM, 4.3.7).
    pub joules: f64,
}

/// An energy with its uncertainty.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Estimate {
    /// The energy, J.
    pub joules: f64,
    /// Half the width of its 90 % interval, J; `None` where a cause is not known.
    pub uncertainty_joules: Option<f64>,
    /// The same from the known causes alone, J.
    pub known_uncertainty_joules: f64,
    /// The known causes.
    pub parts: Vec<Part>,
    /// What is not known, a sentence for each.
    pub unknown: Vec<String>,
}

impl Estimate {
    /// Joins independent causes. Causes of the same name, of several rails, become one.
    #[must_use]
    pub fn new(joules: f64, causes: impl IntoIterator<Item = Part>, unknown: Vec<String>) -> Self {
        let mut parts: Vec<Part> = Vec::new();
        for cause in causes.into_iter().filter(|cause| cause.joules > 0.0) {
            match parts.iter_mut().find(|part| part.cause == cause.cause) {
                Some(part) => part.joules = joined(part.joules, cause.joules),
                None => parts.push(cause),
            }
        }
        let known = NORMAL_90 * parts.iter().map(|part| part.joules.powi(2)).sum::<f64>().sqrt();
        let uncertainty_joules = unknown.is_empty().then_some(known);
        Self { joules, uncertainty_joules, known_uncertainty_joules: known, parts, unknown }
    }
}

/// Independent uncertainties together. Not by `hypot`, for which glibc 2.35 would be needed.
pub(super) fn joined(one: f64, other: f64) -> f64 {
    (one * one + other * other).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn independent_causes_add_in_squares_and_an_unknown_one_leaves_no_interval() {
        let part = |cause, joules| Part { cause, joules };
        let known = Estimate::new(10.0, [part("gain", 0.3), part("offset", 0.4), part("steps", 0.0)], Vec::new());
        assert!((known.uncertainty_joules.expect("known") - 0.5 * NORMAL_90).abs() < 1e-12);
        assert_eq!(known.parts.len(), 2);
        let rails = Estimate::new(10.0, [part("gain", 0.3), part("gain", 0.4)], Vec::new());
        assert_eq!(rails.parts, [part("gain", 0.5)]);
        let unknown = Estimate::new(10.0, [part("steps", 0.1)], vec!["no limits".into()]);
        assert_eq!(unknown.uncertainty_joules, None);
        assert!((unknown.known_uncertainty_joules - 0.1 * NORMAL_90).abs() < 1e-12);
    }
}
