//! Times on another board, from none or a few measurements on it.
//!
//! A time on the source board is the sum of parts, such as what a network takes whatever its size and what grows with its
//! work. On the target each part k takes e^θₖ times as long. θ has a prior from the boards' peaks; whatever the factors do not
//! explain is a Gaussian process of the logarithm: networks of one name differ alike, and so do networks of like time. All of
//! it is fitted to the measurements together (Rasmussen and Williams, *Gaussian Processes for Machine Learning*, 2006, section
//! 2.7, with the factors linearised around their most probable values). With no measurement the prior speaks alone, and the
//! interval shrinks with every one.

use crate::linear_algebra::{Cholesky, dot};
use crate::modes::Peaks;
use shared::units::Millis;

/// Standard deviations of the logarithm: of a network around its board's factors, of a network at one size around its own,
/// of all networks of like time, and of one measurement.
const NETWORK_SD: f64 = 0.05;
const NETWORK_AT_SIZE_SD: f64 = 0.04;
const LIKE_TIME_SD: f64 = 0.05;
const NOISE: f64 = 0.02;
/// How far times may differ to be alike, in units of e.
const SIZE_LENGTH: f64 = 0.5;
const TIME_LENGTH: f64 = 1.0;
/// How well the peaks tell the factor of work: the clocks that a board had may differ from its highest.
const PEAKS_SD: f64 = 0.3;
/// Where peaks are unknown, a factor may be anything from a tenth to ten.
const UNKNOWN_SD: f64 = 1.2;
/// A launch is bound by CPU and GPU clock, and small kernels leave a large GPU idle: the fixed part's factor is nearer to one.
const FIXED_EXPONENT: f64 = 0.5;
const FIXED_SD: f64 = 0.25;
const ITERATIONS: usize = 50;
/// Most measurements that are fitted; the process takes the cube of their number.
pub const MOST_MEASUREMENTS: usize = 500;

/// A time on the source board.
#[derive(Debug, Clone, PartialEq)]
pub struct SourceTime {
    /// The network, without its input size.
    pub network: String,
    /// Its parts in ms, in one order for all; not negative, and their sum positive.
    pub parts: Vec<f64>,
}

impl SourceTime {
    /// The sum of the parts.
    #[must_use]
    pub fn total(&self) -> Millis {
        Millis(self.parts.iter().sum())
    }
}

/// What is believed of the factors before anything is measured on the target: means and covariance of their logarithms.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    mean: Vec<f64>,
    covariance: Vec<Vec<f64>>,
}

impl Prior {
    /// For two parts, fixed and work. Work follows the geometric mean of the boards' arithmetic and bandwidth; where peaks of
    /// one are unknown, nothing is known of the factor.
    ///
    /// ```
    /// use boards::modes::board;
    /// use boards::transfer::Prior;
    ///
    /// let peaks = |name| board(name).map(|board| board.peaks);
    /// let prior = Prior::fixed_and_work(peaks("agx-orin").as_ref(), peaks("orin-nano").as_ref());
    /// let (factor, log_sd) = prior.factor(1);
    /// assert!(factor > 1.5 && factor < 4.0 && log_sd < 0.31);
    /// assert!(Prior::fixed_and_work(None, None).factor(1).1 > 1.0);
    /// ```
    #[must_use]
    pub fn fixed_and_work(from: Option<&Peaks>, to: Option<&Peaks>) -> Self {
        let ratio = from.zip(to).map(|(from, to)| {
            let arithmetic = (from.macs_per_second(16)?, to.macs_per_second(16)?);
            Some(0.5 * ((arithmetic.0 / arithmetic.1).ln() + (from.bytes_per_second() / to.bytes_per_second()).ln()))
        });
        let (mean, sd) = ratio.flatten().map_or((0.0, UNKNOWN_SD), |mean| (mean, PEAKS_SD));
        let (variance, e) = (sd * sd, FIXED_EXPONENT);
        Self {
            mean: vec![e * mean, mean],
            covariance: vec![vec![e * e * variance + FIXED_SD * FIXED_SD, e * variance], vec![e * variance, variance]],
        }
    }

    /// The most probable factor of a part, and the standard deviation of its logarithm.
    #[must_use]
    pub fn factor(&self, part: usize) -> (f64, f64) {
        (self.mean[part].exp(), self.covariance[part][part].sqrt())
    }
}

/// A fitted transfer.
#[derive(Debug, Clone)]
pub struct Transfer {
    theta: Vec<f64>,
    covariance: Vec<Vec<f64>>,
    measured: Vec<SourceTime>,
    /// S⁻¹·(y − f) of the measurements.
    weights: Vec<f64>,
    factor: Option<Cholesky>,
    slopes: Vec<Vec<f64>>,
}

/// A time on the target.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TargetTime {
    /// The time.
    pub time: Millis,
    /// Standard deviation of its logarithm.
    pub log_sd: f64,
}

/// Why nothing can be transferred.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TransferError {
    /// A time is not positive, or has another number of parts than the prior.
    #[error("measurement {0} has a time that is not positive, or parts that differ from the others'")]
    Unsound(usize),
    /// Too many measurements.
    #[error("{0} measurements are more than a transfer takes: fit a model of the board instead")]
    TooMany(usize),
    /// Numerically singular.
    #[error("the measurements contradict each other numerically")]
    Singular,
}

impl Transfer {
    /// Fits the factors to pairs of a time on the source and the time measured on the target. Without any, the prior holds.
    ///
    /// ```
    /// use boards::transfer::{Prior, SourceTime, Transfer};
    /// use shared::units::Millis;
    ///
    /// let source = |network: &str, fixed, work| SourceTime { network: network.into(), parts: vec![fixed, work] };
    /// let prior = Prior::fixed_and_work(None, None);
    /// let measured = [(source("a", 1.0, 9.0), Millis(19.0)), (source("b", 2.0, 40.0), Millis(82.0))];
    /// let transfer = Transfer::fit(&prior, &measured)?;
    /// let time = transfer.predict(&source("c", 1.0, 20.0));
    /// assert!((time.time.0 / 41.0 - 1.0).abs() < 0.1);
    /// assert!(time.log_sd < Transfer::fit(&prior, &[])?.predict(&source("c", 1.0, 20.0)).log_sd);
    /// # Ok::<(), boards::transfer::TransferError>(())
    /// ```
    ///
    /// # Errors
    /// See [`TransferError`].
    pub fn fit(prior: &Prior, measured: &[(SourceTime, Millis)]) -> Result<Self, TransferError> {
        if measured.len() > MOST_MEASUREMENTS {
            return Err(TransferError::TooMany(measured.len()));
        }
        let parts = prior.mean.len();
        let sound = |(source, time): &(SourceTime, Millis)| {
            let positive = |value: f64| value.is_finite() && value > 0.0;
            source.parts.len() == parts
                && source.parts.iter().all(|part| part.is_finite() && *part >= 0.0)
                && positive(source.total().0)
                && positive(time.0)
        };
        if let Some(place) = measured.iter().position(|pair| !sound(pair)) {
            return Err(TransferError::Unsound(place + 1));
        }
        let sources: Vec<SourceTime> = measured.iter().map(|(source, _)| source.clone()).collect();
        let logs: Vec<f64> = measured.iter().map(|(_, time)| time.0.ln()).collect();
        let precision = inverse(&prior.covariance).ok_or(TransferError::Singular)?;
        if sources.is_empty() {
            return Ok(Self {
                theta: prior.mean.clone(),
                covariance: prior.covariance.clone(),
                measured: sources,
                weights: Vec::new(),
                factor: None,
                slopes: Vec::new(),
            });
        }
        let noisy: Vec<Vec<f64>> = (0..sources.len())
            .map(|i| {
                let row = sources.iter().map(|other| kernel(&sources[i], other));
                row.enumerate().map(|(j, k)| if i == j { k + NOISE * NOISE } else { k }).collect()
            })
            .collect();
        let factor = Cholesky::of(&noisy).ok_or(TransferError::Singular)?;
        let mut theta = prior.mean.clone();
        let (mut covariance, mut weights, mut slopes) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..ITERATIONS {
            let values: Vec<(f64, Vec<f64>)> = sources.iter().map(|source| scaled(&theta, source)).collect();
            let errors: Vec<f64> = values.iter().zip(&logs).map(|((value, _), log)| log - value).collect();
            slopes = values.into_iter().map(|(_, slopes)| slopes).collect::<Vec<_>>();
            weights = factor.solve(&errors);
            let columns: Vec<Vec<f64>> =
                (0..parts).map(|k| slopes.iter().map(|row| row[k]).collect::<Vec<_>>()).collect();
            let solved: Vec<Vec<f64>> = columns.iter().map(|column| factor.solve(column)).collect();
            let mut hessian = precision.clone();
            let off: Vec<f64> = theta.iter().zip(&prior.mean).map(|(theta, mean)| theta - mean).collect();
            let mut gradient: Vec<f64> = precision.iter().map(|row| -dot(row, &off)).collect();
            for k in 0..parts {
                gradient[k] += dot(&columns[k], &weights);
                for l in 0..parts {
                    hessian[k][l] += dot(&columns[k], &solved[l]);
                }
            }
            covariance = inverse(&hessian).ok_or(TransferError::Singular)?;
            let step: Vec<f64> = covariance.iter().map(|row| dot(row, &gradient)).collect();
            let largest = step.iter().fold(0.0_f64, |most, step| most.max(step.abs()));
            if largest < 1e-9 {
                break;
            }
            theta.iter_mut().zip(&step).for_each(|(theta, step)| *theta += step.clamp(-1.0, 1.0));
        }
        Ok(Self { theta, covariance, measured: sources, weights, factor: Some(factor), slopes })
    }

    /// The factor of each part and the standard deviation of its logarithm.
    #[must_use]
    pub fn factors(&self) -> Vec<(f64, f64)> {
        self.theta.iter().enumerate().map(|(k, theta)| (theta.exp(), self.covariance[k][k].sqrt())).collect()
    }

    /// How many measurements are behind it.
    #[must_use]
    pub fn measurements(&self) -> usize {
        self.measured.len()
    }

    /// The time on the target of a network whose time on the source is known, as one measurement would show it.
    #[must_use]
    pub fn predict(&self, source: &SourceTime) -> TargetTime {
        let (mut log, mut slopes) = scaled(&self.theta, source);
        let mut variance = kernel(source, source) + NOISE * NOISE;
        if let Some(factor) = &self.factor {
            let near: Vec<f64> = self.measured.iter().map(|other| kernel(source, other)).collect();
            log += dot(&near, &self.weights);
            let solved = factor.solve(&near);
            variance -= dot(&near, &solved);
            for (k, slope) in slopes.iter_mut().enumerate() {
                *slope -= self.slopes.iter().zip(&solved).map(|(row, weight)| row[k] * weight).sum::<f64>();
            }
        }
        variance += self.covariance.iter().zip(&slopes).map(|(row, slope)| slope * dot(row, &slopes)).sum::<f64>();
        TargetTime { time: Millis(log.exp()), log_sd: variance.max(0.0).sqrt() }
    }
}

/// The logarithm of a scaled time, and its derivatives by the factors' logarithms.
fn scaled(theta: &[f64], source: &SourceTime) -> (f64, Vec<f64>) {
    let parts: Vec<f64> = source.parts.iter().zip(theta).map(|(part, theta)| part * theta.exp()).collect();
    let total: f64 = parts.iter().sum();
    (total.ln(), parts.iter().map(|part| part / total).collect())
}

/// Covariance of what the factors do not explain.
fn kernel(a: &SourceTime, b: &SourceTime) -> f64 {
    let distance = (a.total().0 / b.total().0).ln();
    let near = |length: f64| (-0.5 * (distance / length).powi(2)).exp();
    let like = LIKE_TIME_SD * LIKE_TIME_SD * near(TIME_LENGTH);
    let own = NETWORK_SD * NETWORK_SD + NETWORK_AT_SIZE_SD * NETWORK_AT_SIZE_SD * near(SIZE_LENGTH);
    if a.network == b.network { like + own } else { like }
}

fn inverse(matrix: &[Vec<f64>]) -> Option<Vec<Vec<f64>>> {
    let factor = Cholesky::of(matrix)?;
    let n = matrix.len();
    Some((0..n).map(|j| factor.solve(&(0..n).map(|i| if i == j { 1.0 } else { 0.0 }).collect::<Vec<_>>())).collect())
}

/// Splits the times of one network at several sizes into a fixed part and one that grows with `work` (pixels, MACs), by
/// non-negative least squares on relative error. Of a single time, or of times that do not grow, nothing is known to be fixed.
///
/// ```
/// let parts = boards::transfer::fixed_and_growing(&[(1.0, 3.0), (4.0, 6.0), (9.0, 11.0)]);
/// assert!((parts[0].0 - 2.0).abs() < 1e-9 && (parts[2].1 - 9.0).abs() < 1e-9);
/// assert_eq!(boards::transfer::fixed_and_growing(&[(1.0, 3.0)]), [(0.0, 3.0)]);
/// ```
#[must_use]
pub fn fixed_and_growing(times: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let sums = times.iter().fold([0.0; 5], |mut sums, (work, time)| {
        let (a, b) = (1.0 / time, work / time);
        [a * a, a * b, b * b, a, b].iter().zip(&mut sums).for_each(|(value, sum)| *sum += value);
        sums
    });
    let [aa, ab, bb, a, b] = sums;
    let determinant = aa * bb - ab * ab;
    let (fixed, slope) = ((a * bb - b * ab) / determinant, (aa * b - ab * a) / determinant);
    let tells = determinant > 1e-12 * aa * bb && slope >= 0.0;
    let fixed = if tells { fixed.max(0.0) } else { 0.0 };
    times
        .iter()
        .map(|(_, time)| {
            let fixed = fixed.min(*time);
            (fixed, time - fixed)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(network: &str, fixed: f64, work: f64) -> SourceTime {
        SourceTime { network: network.into(), parts: vec![fixed, work] }
    }

    #[test]
    fn intervals_shrink_as_measurements_come_and_hold_the_truth() {
        let truth = |s: &SourceTime| Millis(1.4 * s.parts[0] + 2.6 * s.parts[1]);
        let all: Vec<SourceTime> = (0..40)
            .map(|i| source(&format!("n{}", i % 8), 0.5 + 0.1 * f64::from(i % 8), 0.5 * f64::from(i + 1)))
            .collect();
        let prior = Prior::fixed_and_work(None, None);
        let mut last = f64::MAX;
        for n in [0, 1, 5, 10, 30] {
            let measured: Vec<_> = all.iter().rev().take(n).map(|s| (s.clone(), truth(s))).collect();
            let transfer = Transfer::fit(&prior, &measured).expect("fits");
            let predicted = transfer.predict(&all[3]);
            assert!(predicted.log_sd < last, "{n}: {} after {last}", predicted.log_sd);
            last = predicted.log_sd;
            let off = (predicted.time.0 / truth(&all[3]).0).ln().abs();
            assert!(off < 2.0 * predicted.log_sd, "{n}: {off} and {}", predicted.log_sd);
        }
        assert!(last < 0.1, "{last}");
    }

    #[test]
    fn what_is_unsound_is_named() {
        let prior = Prior::fixed_and_work(None, None);
        let bad = [(source("a", 1.0, 1.0), Millis(1.0)), (source("b", 0.0, 0.0), Millis(1.0))];
        assert_eq!(Transfer::fit(&prior, &bad).err(), Some(TransferError::Unsound(2)));
        let other = [(SourceTime { network: "a".into(), parts: vec![1.0] }, Millis(1.0))];
        assert_eq!(Transfer::fit(&prior, &other).err(), Some(TransferError::Unsound(1)));
        let many = vec![(source("a", 1.0, 1.0), Millis(1.0)); MOST_MEASUREMENTS + 1];
        assert!(matches!(Transfer::fit(&prior, &many), Err(TransferError::TooMany(_))));
    }

    #[test]
    fn times_that_do_not_grow_have_no_fixed_part() {
        assert_eq!(fixed_and_growing(&[(1.0, 5.0), (4.0, 3.0)]), [(0.0, 5.0), (0.0, 3.0)]);
        assert_eq!(fixed_and_growing(&[(2.0, 5.0), (2.0, 5.0)])[0], (0.0, 5.0));
    }
}
