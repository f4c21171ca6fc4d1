//! The time of a layer or of a network at other clocks.
//!
//! Time is a constant plus the p-norm of two times that clocks shorten: arithmetic, by the GPU's clock, and memory traffic, by
//! the memory's:
//!
//! ```text
//! t(f_gpu, f_emc) = launch + ((compute · g/f_gpu)^p + (memory · e/f_emc)^p)^(1/p)
//! ```
//!
//! with g and e the clocks that the two times belong to; f_gpu counts in proportion to the GPU's clusters that are on. p = 1 is a sum, p = ∞ the larger of both, as in the roofline of
//! Williams, Waterman and Patterson (2009, doi:10.1145/1498765.1498785); p = 3 lies between: layers of one network, and tiles
//! of one layer, are not all bound by the same. The three times are fitted on relative error to any number of measured
//! clocks. Where those do not tell them apart a prior does: memory takes 0.75 times as long as arithmetic, launches 0.04
//! times, and how far networks scatter around that is the interval's width.

use crate::linear_algebra::{Cholesky, dot};
use crate::modes::Peaks;
use shared::units::Millis;

/// The exponent of the norm, chosen on networks of a Jetson TX2 at 12 × 3 clocks: see `docs/boards.md`.
const NORM: f64 = 3.0;
/// Relative error of a measured time.
const NOISE: f64 = 0.02;
/// Standard deviation of the logarithms of memory over compute, and of launch over compute, around the prior.
const PRIOR_SD: [f64; 2] = [0.3, 0.7];
/// Standard deviation of the logarithm of the level: every level is likely.
const LEVEL_SD: f64 = 100.0;
const ITERATIONS: usize = 100;
/// FP16 multiply-accumulates for each byte at the peaks of the Jetson TX2, on which the prior was chosen.
const TX2_INTENSITY: f64 = 11.15;
/// How memory's share grows with a board's peaks: networks come less near to the peak of tensor cores. Chosen on ResNets on an AGX Orin
/// and an Orin Nano.
const INTENSITY_EXPONENT: f64 = 0.3;

/// Clocks of GPU and memory, both positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ClockPair {
    /// Of the GPU, MHz.
    pub gpu_mhz: f64,
    /// Of the external memory controller, MHz.
    pub emc_mhz: f64,
    /// Share of the GPU's clusters that are on: modes of few watts switch some off.
    pub gpu_share: f64,
}

impl ClockPair {
    /// Clocks with all of the GPU's clusters on.
    #[must_use]
    pub const fn whole(gpu_mhz: f64, emc_mhz: f64) -> Self {
        Self { gpu_mhz, emc_mhz, gpu_share: 1.0 }
    }

    /// The clock at which the whole GPU would compute as fast.
    fn compute_mhz(&self) -> f64 {
        self.gpu_mhz * self.gpu_share
    }
}

/// A time at clocks.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimePoint {
    /// The clocks.
    pub clocks: ClockPair,
    /// The time, positive.
    pub time: Millis,
}

/// What is known of a time's parts before clocks are compared.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Shares {
    /// Time of memory traffic over that of arithmetic, at `clocks`.
    pub memory_over_compute: f64,
    /// Constant time over that of arithmetic, at `clocks`.
    pub launch_over_compute: f64,
    /// The clocks at which these hold.
    pub clocks: ClockPair,
}

impl Shares {
    /// Those of a common network at a board's highest clocks. Where the board's peaks are known, memory takes the longer the more
    /// arithmetic the GPU does for each byte.
    #[must_use]
    pub fn common(top: ClockPair, peaks: Option<&Peaks>) -> Self {
        let intensity = peaks.and_then(|peaks| Some(peaks.macs_per_second(16)? / peaks.bytes_per_second()));
        let factor = intensity.map_or(1.0, |intensity| (intensity / TX2_INTENSITY).powf(INTENSITY_EXPONENT));
        Self { memory_over_compute: 0.75 * factor, launch_over_compute: 0.04, clocks: top }
    }
}

/// How time follows clocks.
#[derive(Debug, Clone, PartialEq)]
pub struct TimeLaw {
    /// Logarithms of compute, memory and launch in ms at `reference`.
    parameters: [f64; 3],
    /// Their posterior covariance.
    covariance: [[f64; 3]; 3],
    reference: ClockPair,
    measured: Vec<ClockPair>,
}

/// A time that a law gives.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeAt {
    /// The time.
    pub time: Millis,
    /// Standard deviation of its logarithm.
    pub log_sd: f64,
    /// Whether it is more than an interpolation: only one pair of clocks was measured, or these lie outside the measured ones.
    pub extrapolated: bool,
}

impl TimeLaw {
    /// Fits the law to measured times; none for no time, or for a time or clock that is not positive.
    ///
    /// ```
    /// use boards::time_law::{ClockPair, Shares, TimeLaw, TimePoint};
    /// use shared::units::Millis;
    ///
    /// let at = ClockPair::whole;
    /// let top = at(1300.0, 1866.0);
    /// let one = [TimePoint { clocks: top, time: Millis(10.0) }];
    /// let law = TimeLaw::fit(&one, Shares::common(top, None)).expect("a law");
    /// let half = law.at(at(650.0, 1866.0));
    /// assert!(half.time.0 > 15.0 && half.time.0 < 20.0 && half.extrapolated);
    ///
    /// // A second measurement says how much of it is arithmetic.
    /// let two = [one[0], TimePoint { clocks: at(650.0, 1866.0), time: Millis(20.0) }];
    /// let law = TimeLaw::fit(&two, Shares::common(top, None)).expect("a law");
    /// let between = law.at(at(900.0, 1866.0));
    /// assert!(!between.extrapolated && between.log_sd < half.log_sd);
    /// ```
    #[must_use]
    pub fn fit(measured: &[TimePoint], prior: Shares) -> Option<Self> {
        let sound = |value: f64| value.is_finite() && value > 0.0;
        let clocks_sound = |c: &ClockPair| sound(c.gpu_mhz) && sound(c.emc_mhz) && sound(c.gpu_share);
        let shares_sound = sound(prior.memory_over_compute) && sound(prior.launch_over_compute);
        if measured.is_empty()
            || !clocks_sound(&prior.clocks)
            || !shares_sound
            || !measured.iter().all(|point| clocks_sound(&point.clocks) && sound(point.time.0))
        {
            return None;
        }
        let prior_logs = [prior.memory_over_compute.ln(), prior.launch_over_compute.ln()];
        let mut law = Self {
            parameters: [0.0, prior_logs[0], prior_logs[1]],
            covariance: [[0.0; 3]; 3],
            reference: prior.clocks,
            measured: measured.iter().map(|point| point.clocks).collect(),
        };
        // The level that fits the prior's shares best is where the search begins.
        let offsets = measured.iter().map(|point| (point.time.0 / law.time(point.clocks)).ln());
        let level = offsets.sum::<f64>() / measured.len() as f64;
        law.parameters.iter_mut().for_each(|parameter| *parameter += level);

        let objective = |law: &Self| {
            let fit = measured.iter().map(|point| ((point.time.0 / law.time(point.clocks)).ln() / NOISE).powi(2));
            let off = law.off_prior(prior_logs);
            fit.sum::<f64>() + off[0] * off[0] + off[1] * off[1]
        };
        // Levenberg and Marquardt's damped Gauss–Newton steps.
        let (mut damping, mut best) = (1e-3, objective(&law));
        for _ in 0..ITERATIONS {
            let (hessian, gradient) = law.normal_equations(measured, prior_logs, level);
            let mut damped = hessian.clone();
            (0..3).for_each(|i| damped[i][i] *= 1.0 + damping);
            let Some(step) = Cholesky::of(&damped).map(|factor| factor.solve(&gradient)) else { break };
            let mut next = law.clone();
            next.parameters.iter_mut().zip(&step).for_each(|(parameter, step)| *parameter += step.clamp(-1.0, 1.0));
            let value = objective(&next);
            if value.is_finite() && value <= best {
                let settled = best - value <= 1e-12 * best.max(1.0);
                (law, best) = (next, value);
                damping = (damping / 4.0).max(1e-9);
                if settled {
                    break;
                }
            } else if damping > 1e9 {
                break;
            } else {
                damping *= 8.0;
            }
        }
        let (hessian, _) = law.normal_equations(measured, prior_logs, level);
        let factor = Cholesky::of(&hessian)?;
        for j in 0..3 {
            let mut unit = [0.0; 3];
            unit[j] = 1.0;
            let column = factor.solve(&unit);
            (0..3).for_each(|i| law.covariance[i][j] = column[i]);
        }
        Some(law)
    }

    /// The time at other clocks.
    #[must_use]
    pub fn at(&self, clocks: ClockPair) -> TimeAt {
        let slopes = self.slopes(clocks);
        let spread: f64 = (0..3).map(|i| slopes[i] * dot(&self.covariance[i], &slopes)).sum();
        let between = |value: f64, of: fn(&ClockPair) -> f64| {
            let (low, high) = self.measured.iter().map(of).fold((f64::MAX, f64::MIN), |(l, h), v| (l.min(v), h.max(v)));
            (low * (1.0 - 1e-6)..=high * (1.0 + 1e-6)).contains(&value)
        };
        let first = self.measured.first();
        let same = |a: &ClockPair, b: &ClockPair| {
            (a.compute_mhz() / b.compute_mhz() - 1.0).abs() < 1e-6 && (a.emc_mhz / b.emc_mhz - 1.0).abs() < 1e-6
        };
        let several = first.is_some_and(|first| self.measured.iter().any(|other| !same(first, other)));
        let measured_here = self.measured.iter().any(|other| same(other, &clocks));
        let inside = between(clocks.compute_mhz(), ClockPair::compute_mhz) && between(clocks.emc_mhz, |c| c.emc_mhz);
        TimeAt {
            time: Millis(self.time(clocks)),
            log_sd: (spread.max(0.0) + NOISE * NOISE).sqrt(),
            extrapolated: !(measured_here || several && inside),
        }
    }

    /// Shares of arithmetic, memory and launch in a small change of the time at some clocks; they add up to one.
    #[must_use]
    pub fn shares(&self, clocks: ClockPair) -> [f64; 3] {
        self.slopes(clocks)
    }

    fn parts(&self, clocks: ClockPair) -> (f64, f64, f64) {
        let [compute, memory, launch] = self.parameters.map(f64::exp);
        (
            compute * self.reference.compute_mhz() / clocks.compute_mhz(),
            memory * self.reference.emc_mhz / clocks.emc_mhz,
            launch,
        )
    }

    fn time(&self, clocks: ClockPair) -> f64 {
        let (compute, memory, launch) = self.parts(clocks);
        launch + norm(compute, memory)
    }

    /// Derivatives of the time's logarithm by the parameters.
    fn slopes(&self, clocks: ClockPair) -> [f64; 3] {
        let (compute, memory, launch) = self.parts(clocks);
        let both = norm(compute, memory);
        let total = launch + both;
        let share = |part: f64| (part / both).powf(NORM) * both / total;
        [share(compute), share(memory), launch / total]
    }

    /// How far the shares lie off the prior, in standard deviations.
    fn off_prior(&self, prior: [f64; 2]) -> [f64; 2] {
        let [compute, memory, launch] = self.parameters;
        [(memory - compute - prior[0]) / PRIOR_SD[0], (launch - compute - prior[1]) / PRIOR_SD[1]]
    }

    fn normal_equations(&self, measured: &[TimePoint], prior: [f64; 2], level: f64) -> (Vec<Vec<f64>>, Vec<f64>) {
        let mut rows: Vec<([f64; 3], f64)> = measured
            .iter()
            .map(|point| {
                let error = (point.time.0 / self.time(point.clocks)).ln() / NOISE;
                (self.slopes(point.clocks).map(|slope| slope / NOISE), error)
            })
            .collect();
        let off = self.off_prior(prior);
        rows.push(([-1.0 / PRIOR_SD[0], 1.0 / PRIOR_SD[0], 0.0], -off[0]));
        rows.push(([-1.0 / PRIOR_SD[1], 0.0, 1.0 / PRIOR_SD[1]], -off[1]));
        rows.push(([1.0 / LEVEL_SD, 0.0, 0.0], (level - self.parameters[0]) / LEVEL_SD));
        let hessian =
            (0..3).map(|i| (0..3).map(|j| rows.iter().map(|(row, _)| row[i] * row[j]).sum()).collect()).collect();
        let gradient = (0..3).map(|i| rows.iter().map(|(row, error)| row[i] * error).sum()).collect();
        (hessian, gradient)
    }
}

/// The p-norm of two positive numbers, without overflow.
fn norm(a: f64, b: f64) -> f64 {
    let most = a.max(b);
    most * ((a / most).powf(NORM) + (b / most).powf(NORM)).powf(1.0 / NORM)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pair(gpu_mhz: f64, emc_mhz: f64) -> ClockPair {
        ClockPair::whole(gpu_mhz, emc_mhz)
    }

    fn truth(clocks: ClockPair) -> Millis {
        Millis(0.3 + norm(6.0 * 1300.0 / clocks.gpu_mhz, 4.0 * 1866.0 / clocks.emc_mhz))
    }

    #[test]
    fn a_known_law_is_found_from_measurements_that_tell_its_parts_apart() {
        let points: Vec<TimePoint> = [(1300.0, 1866.0), (300.0, 1866.0), (1300.0, 800.0), (1300.0, 400.0)]
            .map(|(g, e)| TimePoint { clocks: pair(g, e), time: truth(pair(g, e)) })
            .to_vec();
        let law = TimeLaw::fit(&points, Shares::common(pair(1300.0, 1866.0), None)).expect("a law");
        for (gpu, emc) in [(600.0, 1000.0), (900.0, 1600.0), (300.0, 400.0)] {
            let (found, wanted) = (law.at(pair(gpu, emc)), truth(pair(gpu, emc)));
            assert!((found.time.0 / wanted.0 - 1.0).abs() < 0.03, "{found:?} instead of {wanted:?}");
            assert!(!found.extrapolated);
        }
        assert!(law.at(pair(150.0, 1000.0)).extrapolated);
    }

    #[test]
    fn half_the_clusters_are_half_the_clock_and_memory_weighs_more_where_there_is_more_arithmetic() {
        let top = pair(1300.0, 3199.0);
        let one = [TimePoint { clocks: top, time: Millis(10.0) }];
        let law = TimeLaw::fit(&one, Shares::common(top, None)).expect("a law");
        let half = law.at(ClockPair { gpu_share: 0.5, ..top });
        assert!((half.time.0 / law.at(pair(650.0, 3199.0)).time.0 - 1.0).abs() < 1e-9 && half.extrapolated);
        let share = |name: &str| Shares::common(top, crate::modes::board(name).map(|b| &b.peaks)).memory_over_compute;
        assert!(
            (share("tx2") - 0.75).abs() < 0.01 && share("agx-orin") > share("orin-nano") && share("orin-nano") > 0.9
        );
    }

    #[test]
    fn what_is_not_positive_has_no_law() {
        let top = pair(1000.0, 1000.0);
        assert_eq!(TimeLaw::fit(&[], Shares::common(top, None)), None);
        for (clocks, time) in [(top, 0.0), (top, f64::NAN), (pair(0.0, 1.0), 1.0)] {
            assert_eq!(TimeLaw::fit(&[TimePoint { clocks, time: Millis(time) }], Shares::common(top, None)), None);
        }
    }

    proptest! {
        #[test]
        fn faster_clocks_take_no_longer_and_one_point_is_kept(
            time in 0.01..1e4_f64, gpu in 100.0..2000.0_f64, emc in 100.0..4000.0_f64, faster in 1.0..4.0_f64,
        ) {
            let clocks = pair(gpu, emc);
            let law = TimeLaw::fit(&[TimePoint { clocks, time: Millis(time) }], Shares::common(pair(1300.0, 1866.0), None)).expect("a law");
            let here = law.at(clocks);
            prop_assert!((here.time.0 / time - 1.0).abs() < 1e-3, "{} instead of {time}", here.time.0);
            prop_assert!(!here.extrapolated);
            let more = law.at(pair(gpu * faster, emc));
            prop_assert!(more.time.0 <= here.time.0 * (1.0 + 1e-9) && more.time.0 >= here.time.0 / faster * (1.0 - 1e-9));
            prop_assert!((law.shares(clocks).iter().sum::<f64>() - 1.0).abs() < 1e-9);
        }
    }
}
