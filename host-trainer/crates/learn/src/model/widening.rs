//! How bounds widen with the distance of a layer from the values that training saw.

use serde::{Deserialize, Serialize};

/// Most distinct values of a feature that a card lists. One that took more has its gaps filled.
pub const MOST_VALUES: usize = 64;

/// How bounds widen where a feature's value lies away from all that training saw, as those of a kernel or an input size left out of
/// training do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Widening {
    /// The feature.
    pub feature: String,
    /// Its values in training, ascending.
    pub values: Vec<f64>,
    /// What the half-width of the interval of log ratios grows by for each unit of distance.
    pub slope: f64,
}

impl Widening {
    /// The distance of a value from the nearest one in training, in units of ln(1 + x); 0 where training had no value.
    ///
    /// ```
    /// use learn::model::Widening;
    ///
    /// let widening = Widening { feature: "kernel_0".into(), values: vec![1.0, 3.0, 7.0], slope: 0.5 };
    /// assert_eq!(widening.distance(3.0), 0.0);
    /// assert!((widening.distance(5.0) - (8.0_f64 / 6.0).ln()).abs() < 1e-12);
    /// assert!((widening.addition(15.0) - 0.5 * 2.0_f64.ln()).abs() < 1e-12);
    /// ```
    #[must_use]
    pub fn distance(&self, value: f64) -> f64 {
        distance(&self.values, value)
    }

    /// What the half-width of a layer's interval of log ratios grows by.
    #[must_use]
    pub fn addition(&self, value: f64) -> f64 {
        self.slope * self.distance(value)
    }
}

/// The distance of a value from the nearest of ascending ones, in units of ln(1 + x); 0 where there are none.
pub(crate) fn distance(known: &[f64], value: f64) -> f64 {
    let next = known.partition_point(|other| *other < value);
    let near = |place: Option<usize>| Some(((1.0 + value) / (1.0 + known.get(place?)?)).ln().abs());
    match (near(next.checked_sub(1)), near(Some(next))) {
        (Some(below), Some(above)) => below.min(above),
        (one, other) => one.or(other).unwrap_or(0.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_value_counts_on_either_side() {
        let known = [1.0, 3.0, 7.0];
        assert_eq!(distance(&[], 4.0), 0.0);
        assert!(known.iter().all(|value| distance(&known, *value) == 0.0));
        assert!((distance(&known, 0.0) - 2.0_f64.ln()).abs() < 1e-12);
        assert!((distance(&known, 4.0) - (5.0_f64 / 4.0).ln()).abs() < 1e-12);
        assert!((distance(&known, 6.0) - (8.0_f64 / 7.0).ln()).abs() < 1e-12);
    }
}
