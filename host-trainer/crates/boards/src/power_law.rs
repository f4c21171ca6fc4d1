//! The power of a network at other clocks.
//!
//! ```text
//! P(f, t) = P₀ + (A + B · (f/g)³) · T/t
//! ```
//!
//! P₀ flows whatever runs. A/T is energy per inference that no clock changes, B/T energy that grows with the GPU's voltage and
//! so with its clock f; both are spent once per inference, so that their power falls as the time t of one grows: that is the
//! activity. g and T are clock and time at the board's highest clock. Where arithmetic bounds a network, 1/t follows f and the law
//! is P₀ + a·f + b·f⁴. A mode's watt cap is not part of it: a board that reaches its cap lowers its clocks by itself.

use crate::linear_algebra::Cholesky;
use shared::units::{Millis, Watts};

/// Relative error of a measured power.
const NOISE: f64 = 0.015;
/// Parts of P₀, A and B in the power at the board's highest clock, and how far each scatters relatively. See `docs/boards.md`.
const PRIOR: [f64; 3] = [0.3, 0.4, 0.3];
const PRIOR_SD: f64 = 0.3;

/// A power at a GPU clock.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerPoint {
    /// The GPU's clock, MHz.
    pub gpu_mhz: f64,
    /// The time of one inference.
    pub time: Millis,
    /// Mean power during inference.
    pub power: Watts,
}

/// The highest clock of a board and the time of an inference there, measured or by the law of times.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Top {
    /// The GPU's highest clock, MHz.
    pub gpu_mhz: f64,
    /// The time of one inference at it.
    pub time: Millis,
}

/// How power follows clocks.
#[derive(Debug, Clone, PartialEq)]
pub struct PowerLaw {
    /// P₀, A/T and B/T in W.
    parts: [f64; 3],
    /// Covariance of the parts over `scale · PRIOR`.
    covariance: Vec<Vec<f64>>,
    scale: f64,
    top: Top,
    clocks: Vec<f64>,
}

/// A power that a law gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerAt {
    /// The power.
    pub power: Watts,
    /// Standard deviation of its logarithm.
    pub log_sd: f64,
    /// Whether only one clock was measured, or this one lies outside the measured ones.
    pub extrapolated: bool,
}

impl PowerLaw {
    /// Fits the law on relative error; none for no power, or for one, a clock or a time that is not positive.
    ///
    /// ```
    /// use boards::power_law::{PowerLaw, PowerPoint, Top};
    /// use shared::units::{Millis, Watts};
    ///
    /// let point = |gpu_mhz, ms, watts| PowerPoint { gpu_mhz, time: Millis(ms), power: Watts(watts) };
    /// let top = Top { gpu_mhz: 1000.0, time: Millis(10.0) };
    /// let law = PowerLaw::fit(&[point(1000.0, 10.0, 10.0), point(500.0, 19.0, 5.4)], top).expect("a law");
    /// let slow = law.at(500.0, Millis(19.0)).power.0;
    /// let between = law.at(750.0, Millis(13.0)).power.0;
    /// assert!((slow / 5.4 - 1.0).abs() < 0.05 && between > slow && between < 10.0);
    /// ```
    #[must_use]
    pub fn fit(measured: &[PowerPoint], top: Top) -> Option<Self> {
        let sound = |value: f64| value.is_finite() && value > 0.0;
        if measured.is_empty()
            || !sound(top.gpu_mhz)
            || !sound(top.time.0)
            || !measured.iter().all(|p| sound(p.gpu_mhz) && sound(p.time.0) && sound(p.power.0))
        {
            return None;
        }
        let terms = |point: &PowerPoint| terms(point.gpu_mhz / top.gpu_mhz, top.time.0 / point.time.0);
        let expected = |point: &PowerPoint| terms(point).iter().zip(PRIOR).map(|(term, part)| term * part).sum::<f64>();
        let ratios: Vec<f64> = measured.iter().map(|point| point.power.0 / expected(point)).collect();
        let scale = ratios.iter().sum::<f64>() / ratios.len() as f64;
        // Unknowns are the parts over the prior's: 1 each, ± PRIOR_SD.
        let mut hessian = vec![vec![0.0; 3]; 3];
        let mut target = vec![1.0 / (PRIOR_SD * PRIOR_SD); 3];
        (0..3).for_each(|i| hessian[i][i] = 1.0 / (PRIOR_SD * PRIOR_SD));
        for point in measured {
            let terms = terms(point);
            let row: Vec<f64> = (0..3).map(|i| scale * PRIOR[i] * terms[i] / point.power.0 / NOISE).collect();
            for i in 0..3 {
                (0..3).for_each(|j| hessian[i][j] += row[i] * row[j]);
                target[i] += row[i] / NOISE;
            }
        }
        let factors = non_negative(&hessian, &target)?;
        let factor = Cholesky::of(&hessian)?;
        let unit = |j: usize| (0..3).map(|i| if i == j { 1.0 } else { 0.0 }).collect::<Vec<_>>();
        Some(Self {
            parts: std::array::from_fn(|i| scale * PRIOR[i] * factors[i]),
            covariance: (0..3).map(|j| factor.solve(&unit(j))).collect(),
            scale,
            top,
            clocks: measured.iter().map(|point| point.gpu_mhz).collect(),
        })
    }

    /// The power at another GPU clock, where an inference takes `time`.
    #[must_use]
    pub fn at(&self, gpu_mhz: f64, time: Millis) -> PowerAt {
        let terms = terms(gpu_mhz / self.top.gpu_mhz, self.top.time.0 / time.0);
        let power: f64 = terms.iter().zip(self.parts).map(|(term, part)| term * part).sum();
        let row: Vec<f64> = (0..3).map(|i| self.scale * PRIOR[i] * terms[i] / power).collect();
        let spread: f64 = (0..3)
            .flat_map(|i| (0..3).map(move |j| (i, j)))
            .map(|(i, j)| row[i] * row[j] * self.covariance[i][j])
            .sum();
        let (low, high) = self.clocks.iter().fold((f64::MAX, f64::MIN), |(l, h), c| (l.min(*c), h.max(*c)));
        let measured_here = self.clocks.iter().any(|clock| (clock / gpu_mhz - 1.0).abs() < 1e-6);
        PowerAt {
            power: Watts(power),
            log_sd: (spread.max(0.0) + NOISE * NOISE).sqrt(),
            extrapolated: !(measured_here || low < gpu_mhz && gpu_mhz < high),
        }
    }
}

/// What P₀, A/T and B/T are multiplied by.
fn terms(clock: f64, rate: f64) -> [f64; 3] {
    [1.0, rate, clock.powi(3) * rate]
}

/// The solution x ≥ 0 of a small positive definite least-squares problem: the best of those with some unknowns at zero.
fn non_negative(hessian: &[Vec<f64>], target: &[f64]) -> Option<[f64; 3]> {
    let solution = |mask: usize| {
        let free: Vec<usize> = (0..3).filter(|i| mask & (1 << i) != 0).collect();
        let part: Vec<Vec<f64>> = free.iter().map(|&i| free.iter().map(|&j| hessian[i][j]).collect()).collect();
        let solved = Cholesky::of(&part)?.solve(&free.iter().map(|&i| target[i]).collect::<Vec<_>>());
        let mut x = [0.0; 3];
        free.iter().zip(&solved).for_each(|(&i, value)| x[i] = *value);
        x.iter().all(|value| *value >= 0.0).then_some(x)
    };
    let objective = |x: &[f64; 3]| {
        let quadratic: f64 = (0..3).map(|i| x[i] * (0..3).map(|j| hessian[i][j] * x[j]).sum::<f64>()).sum();
        0.5 * quadratic - (0..3).map(|i| x[i] * target[i]).sum::<f64>()
    };
    (1..8).filter_map(solution).min_by(|a, b| objective(a).total_cmp(&objective(b)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn truth(gpu_mhz: f64) -> PowerPoint {
        let clock = gpu_mhz / 1000.0;
        let time = 2.0 + 8.0 / clock;
        PowerPoint { gpu_mhz, time: Millis(time), power: Watts(3.0 + (4.0 + 5.0 * clock.powi(3)) * 10.0 / time) }
    }

    fn top() -> Top {
        Top { gpu_mhz: 1000.0, time: truth(1000.0).time }
    }

    #[test]
    fn a_known_law_is_found_from_three_clocks() {
        let law = PowerLaw::fit(&[300.0, 700.0, 1000.0].map(truth), top()).expect("a law");
        for clock in [400.0, 500.0, 850.0] {
            let wanted = truth(clock);
            let found = law.at(clock, wanted.time);
            assert!((found.power / wanted.power - 1.0).abs() < 0.03, "{found:?} instead of {wanted:?}");
            assert!(!found.extrapolated && found.log_sd < 0.05);
        }
    }

    #[test]
    fn one_clock_is_an_extrapolation_with_a_wide_interval() {
        let one = PowerLaw::fit(&[truth(1000.0)], top()).expect("a law");
        let three = PowerLaw::fit(&[300.0, 700.0, 1000.0].map(truth), top()).expect("a law");
        let (wide, narrow) = (one.at(500.0, Millis(18.0)), three.at(500.0, Millis(18.0)));
        assert!(wide.extrapolated && wide.log_sd > narrow.log_sd);
        let slow = PowerLaw::fit(&[truth(200.0)], top()).expect("a law").at(1000.0, truth(1000.0).time);
        assert!((slow.power / truth(1000.0).power - 1.0).abs() < 0.5, "{slow:?}");
        assert_eq!(PowerLaw::fit(&[], top()), None);
        assert_eq!(PowerLaw::fit(&[PowerPoint { power: Watts(0.0), ..truth(1000.0) }], top()), None);
    }
}
