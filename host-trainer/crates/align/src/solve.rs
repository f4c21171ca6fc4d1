//! Layer powers from sums over readings: a constrained, regularised least-squares fit with its uncertainty.
//!
//! With `P = μ + e`, where μ is the network's mean and `eᵢ ~ N(0, sᵢ²)`, and readings `y = Σ aᵢ·Pᵢ + N(0, σ²)` whose block
//! means were taken out, the deviations have the posterior `N(A⁻¹b/σ², A⁻¹)`, `A = G/σ² + diag(s⁻²)`. That is ridge
//! regression towards the mean; where the readings do not tell, the prior stands. σ comes from the residuals, the spread
//! s of the layers from the marginal likelihood, averaged over a grid with a prior of its own, so that an interval is as
//! wide as the ignorance is. μ follows from the measured mean power, which makes the energies add up exactly.
//! Powers below zero are set to zero and the others solved again.
//!
//! Behind the powers, the sums may hold columns of nuisances: how a reading would change with the sensor's delay, with
//! its window, with the gaps between layers. They are fitted along, so that not knowing them exactly widens the
//! intervals by as much as it should.

use super::linalg::Symmetric;
use super::normal_equations::NormalEquations;

/// Relative spread of layer powers that is expected before anything is measured, and the spread of its logarithm.
const SPREAD: (f64, f64) = (0.2, 0.7);
/// Spread of the power outside the layers against the network's mean: it may be anything from idle to full load.
const OUTSIDE_SPREAD: f64 = 0.4;
/// Ratio of normal deviates: a 90 % interval is this many standard deviations to either side.
pub const NINETY: f64 = 1.644_853_626_951_472;

/// Half of the 90 % interval of a value with this standard deviation.
#[must_use]
pub fn half_width(deviation: f64) -> f64 {
    NINETY * deviation
}

/// Layer powers with their uncertainty. The last component is the time outside the layers.
#[derive(Debug, Clone)]
pub struct Solution {
    /// Mean power of each component, in watts, not negative.
    pub watts: Vec<f64>,
    /// Standard deviation of each, in watts.
    pub deviation: Vec<f64>,
    /// What the deviation would be if the readings told nothing.
    pub prior_deviation: Vec<f64>,
    /// Standard deviation of a reading, in watts.
    pub noise_watts: f64,
    /// Spread of the layers' powers around their mean, in watts.
    pub spread_watts: f64,
    /// Nuisance parameters, in the unit of their columns' step.
    pub nuisances: Vec<f64>,
}

/// Solves for component powers.
///
/// `share` is each component's share of time, `mean_watts` the mean power over that time: `Σ share·watts = mean_watts`
/// holds exactly. Columns of the sums beyond `share` are nuisances. `inflation` is how many readings count as one independent reading. `None` without any reading.
#[must_use]
pub fn solve(sums: &NormalEquations, share: &[f64], mean_watts: f64, inflation: f64) -> Option<Solution> {
    let size = share.len();
    if size < 2 || sums.freedom < 1.0 || mean_watts <= 0.0 {
        return None;
    }
    let noise = noise_variance(sums, size, mean_watts)? * inflation.max(1.0);
    let nuisances = sums.gram.size - size;
    let mut grid: Vec<(f64, f64, Vec<f64>, Symmetric)> = Vec::new();
    for step in 0..14 {
        let relative = 0.01 * 1.45_f64.powi(step);
        let precision = prior_precision(size, nuisances, relative * mean_watts, mean_watts);
        let Some(cholesky) = sums.gram.cholesky(1.0 / noise, &precision) else { continue };
        let scaled: Vec<f64> = sums.joint.iter().map(|b| b / noise).collect();
        let e = cholesky.solve(&scaled);
        let explained: f64 = e.iter().zip(&scaled).map(|(e, b)| e * b).sum();
        let log_prior: f64 = precision.iter().map(|p| p.ln()).sum();
        let hyper = ((relative / SPREAD.0).ln() / SPREAD.1).powi(2);
        let evidence = 0.5 * (explained + log_prior - cholesky.log_determinant() - hyper);
        grid.push((evidence, relative, e, cholesky.inverse().leading(size)));
    }
    let best = grid.iter().map(|g| g.0).fold(f64::NEG_INFINITY, f64::max);
    // Points that the data rule out are left out, so that the weights of the others add up to one.
    let weights: Vec<f64> = grid.iter().map(|g| (g.0 - best).exp()).map(|w| if w < 1e-6 { 0.0 } else { w }).collect();
    let sum: f64 = weights.iter().sum();
    if sum.is_nan() || sum <= 0.0 {
        return None;
    }
    let (mut mean, mut second, mut prior, mut spread) = (vec![0.0; size], vec![0.0; size], vec![0.0; size], 0.0);
    let mut side = vec![0.0; nuisances];
    for ((_, relative, e, covariance), weight) in grid.iter().zip(&weights) {
        let weight = weight / sum;
        if weight == 0.0 {
            continue;
        }
        for (side, e) in side.iter_mut().zip(&e[size..]) {
            *side += weight * e;
        }
        let constrained = constrain(&e[..size], share, mean_watts, covariance);
        let variance = projected_variance(covariance, share);
        let before = projected_variance(&diagonal(&prior_precision(size, 0, relative * mean_watts, mean_watts)), share);
        for i in 0..size {
            mean[i] += weight * constrained[i];
            second[i] += weight * (variance[i] + constrained[i] * constrained[i]);
            prior[i] += weight * before[i];
        }
        spread += weight * relative * mean_watts;
    }
    let deviation = mean.iter().zip(&second).map(|(m, s)| (s - m * m).max(0.0).sqrt()).collect();
    Some(Solution {
        watts: mean,
        deviation,
        prior_deviation: prior.into_iter().map(f64::sqrt).collect(),
        noise_watts: noise.sqrt(),
        spread_watts: spread,
        nuisances: side,
    })
}

/// Inverse prior variances: layers, the time outside them, then nuisances. A nuisance is within some tens of its step.
fn prior_precision(size: usize, nuisances: usize, spread: f64, mean: f64) -> Vec<f64> {
    let mut precision = vec![spread.powi(-2); size];
    precision[size - 1] = (OUTSIDE_SPREAD * mean).powi(-2);
    precision.extend(std::iter::repeat_n(30.0_f64.powi(-2), nuisances));
    precision
}

fn diagonal(precision: &[f64]) -> Symmetric {
    let mut matrix = Symmetric::zeros(precision.len());
    for (i, p) in precision.iter().enumerate() {
        matrix.elements[i * precision.len() + i] = 1.0 / p;
    }
    matrix
}

/// Variance of a reading's noise: residual squares over what the fit left free, found by iteration since the fit's
/// stiffness depends on it.
fn noise_variance(sums: &NormalEquations, powers: usize, mean: f64) -> Option<f64> {
    let floor = (mean * 1e-6).powi(2);
    let mut noise = (sums.squares / sums.freedom).max(floor);
    for _ in 0..6 {
        let precision = prior_precision(powers, sums.gram.size - powers, SPREAD.0 * mean, mean);
        let cholesky = sums.gram.cholesky(1.0 / noise, &precision)?;
        let scaled: Vec<f64> = sums.joint.iter().map(|b| b / noise).collect();
        let e = cholesky.solve(&scaled);
        let linear: f64 = e.iter().zip(&sums.joint).map(|(e, b)| e * b).sum();
        let quadratic: f64 = e.iter().zip(sums.gram.times(&e)).map(|(e, g)| e * g).sum();
        let residual = (sums.squares - 2.0 * linear + quadratic).max(0.0);
        let inverse = cholesky.inverse();
        let size = sums.gram.size;
        let stiff: f64 = (0..size).map(|i| inverse.at(i, i) * precision[i]).sum();
        let free = (sums.freedom - (size as f64 - stiff)).max(1.0);
        let next = (residual / free).max(floor);
        if (next / noise - 1.0).abs() < 1e-3 {
            return Some(next);
        }
        noise = next;
    }
    Some(noise)
}

/// Deviations to powers: the level is set so that the energies add up, then powers below zero are held at zero and the
/// others take their most likely values given that.
fn constrain(e: &[f64], share: &[f64], mean_watts: f64, covariance: &Symmetric) -> Vec<f64> {
    let size = e.len();
    let level = mean_watts - e.iter().zip(share).map(|(e, w)| e * w).sum::<f64>();
    let mut watts: Vec<f64> = e.iter().map(|e| level + e).collect();
    let mut held: Vec<usize> = Vec::new();
    for _ in 0..4 {
        let below: Vec<usize> = (0..size).filter(|&i| watts[i] < 0.0).collect();
        if below.is_empty() {
            break;
        }
        held.extend(below.iter().filter(|i| !held.contains(i)).copied().collect::<Vec<_>>());
        // Condition the posterior of P, whose covariance is M·C·Mᵀ, on the held powers being zero.
        let count = held.len();
        let column: Vec<Vec<f64>> = held.iter().map(|&i| projected_column(covariance, share, i)).collect();
        let mut block = Symmetric::zeros(count);
        for (a, col) in column.iter().enumerate() {
            for (b, &j) in held.iter().enumerate() {
                block.elements[a * count + b] = col[j];
            }
        }
        let ridge = vec![1e-12 * mean_watts * mean_watts; count];
        let free: Vec<f64> = e.iter().map(|e| level + e).collect();
        let target: Vec<f64> = held.iter().map(|&i| -free[i]).collect();
        let Some(cholesky) = block.cholesky(1.0, &ridge) else { break };
        let pull = cholesky.solve(&target);
        watts = free;
        for (col, pull) in column.iter().zip(&pull) {
            for (watts, c) in watts.iter_mut().zip(col) {
                *watts += c * pull;
            }
        }
        for &i in &held {
            watts[i] = 0.0;
        }
    }
    for watts in &mut watts {
        *watts = watts.max(0.0);
    }
    // What rounding and holding left over.
    let sum: f64 = watts.iter().zip(share).map(|(p, w)| p * w).sum();
    if sum > 0.0 {
        for watts in &mut watts {
            *watts *= mean_watts / sum;
        }
    }
    watts
}

/// Column of M·C·Mᵀ, `M = I − 1·shareᵀ`: the covariance once the energies have to add up.
fn projected_column(covariance: &Symmetric, share: &[f64], column: usize) -> Vec<f64> {
    let weighted = covariance.times(share);
    let total: f64 = weighted.iter().zip(share).map(|(c, w)| c * w).sum();
    (0..covariance.size).map(|i| covariance.at(i, column) - weighted[i] - weighted[column] + total).collect()
}

fn projected_variance(covariance: &Symmetric, share: &[f64]) -> Vec<f64> {
    let weighted = covariance.times(share);
    let total: f64 = weighted.iter().zip(share).map(|(c, w)| c * w).sum();
    (0..covariance.size).map(|i| (covariance.at(i, i) - 2.0 * weighted[i] + total).max(0.0)).collect()
}

/// The share of the scatter of some readings that a fit to others predicts: 1 is all of it, 0 none.
#[must_use]
pub fn predicted(fitted: &NormalEquations, held_out: &NormalEquations) -> f64 {
    let mean = fitted.total / fitted.count.max(1) as f64;
    if mean <= 0.0 {
        return 0.0;
    }
    let noise = (fitted.squares / fitted.freedom.max(1.0) * 0.1).max((mean * 1e-6).powi(2));
    let precision = prior_precision(fitted.gram.size, 0, SPREAD.0 * mean, mean);
    let Some(cholesky) = fitted.gram.cholesky(1.0 / noise, &precision) else { return 0.0 };
    let scaled: Vec<f64> = fitted.joint.iter().map(|b| b / noise).collect();
    let e = cholesky.solve(&scaled);
    let linear: f64 = e.iter().zip(&held_out.joint).map(|(e, b)| e * b).sum();
    let quadratic: f64 = e.iter().zip(held_out.gram.times(&e)).map(|(e, g)| e * g).sum();
    (2.0 * linear - quadratic) / held_out.squares.max(f64::MIN_POSITIVE)
}

/// Spread of layer powers around a mean that is expected before anything is measured, in watts.
#[must_use]
pub fn usual_spread(mean_watts: f64) -> f64 {
    SPREAD.0 * mean_watts
}

/// The solution when readings tell nothing: the mean for every component, with the prior's deviation.
#[must_use]
pub fn ignorant(size: usize, share: &[f64], mean_watts: f64, noise_watts: f64) -> Solution {
    let spread = SPREAD.0 * mean_watts;
    let before = projected_variance(&diagonal(&prior_precision(size, 0, spread, mean_watts)), share);
    let deviation: Vec<f64> = before.into_iter().map(f64::sqrt).collect();
    Solution {
        watts: vec![mean_watts; size],
        prior_deviation: deviation.clone(),
        deviation,
        noise_watts,
        spread_watts: spread,
        nuisances: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pieces::Sample;
    use super::*;
    use proptest::prelude::*;
    use shared::random::Random;

    /// Readings that each see a random mixture of two components.
    fn mixtures(truth: &[f64], noise: f64, count: usize, seed: u64) -> (NormalEquations, Vec<f64>, f64) {
        let mut random = Random::new(seed);
        let size = truth.len();
        let mut sums = NormalEquations::new(size, 1e6);
        let touched: Vec<u32> = (0..size as u32).collect();
        for k in 0..count {
            let mut row = vec![0.0; size];
            let part = random.uniform();
            row[(random.uniform() * size as f64) as usize % size] += part;
            row[(random.uniform() * size as f64) as usize % size] += 1.0 - part;
            let watts = row.iter().zip(truth).map(|(a, p)| a * p).sum::<f64>() + noise * random.normal();
            sums.add(Sample { at_us: k as f64 * 2e3, watts }, &row, &touched);
        }
        sums.finish();
        let share = vec![1.0 / size as f64; size];
        let mean = truth.iter().sum::<f64>() / size as f64;
        (sums, share, mean)
    }

    #[test]
    fn powers_are_found_and_add_up() {
        let truth = [9.0, 6.0, 7.0, 5.0, 8.0];
        let (sums, share, mean) = mixtures(&truth, 0.05, 2000, 1);
        let solution = solve(&sums, &share, mean, 1.0).expect("a solution");
        for (p, t) in solution.watts.iter().zip(truth) {
            assert!((p - t).abs() < 0.03, "{:?}", solution.watts);
        }
        assert!((solution.noise_watts - 0.05).abs() < 0.005);
        let sum: f64 = solution.watts.iter().zip(&share).map(|(p, w)| p * w).sum();
        assert!((sum - mean).abs() < 1e-12 * mean);
    }

    #[test]
    fn ninety_percent_intervals_hold_the_truth_about_that_often() {
        let mut random = Random::new(5);
        let (mut inside, mut all) = (0_u32, 0_u32);
        for run in 0..120_u32 {
            let truth: Vec<f64> = (0..10).map(|_| 6.0 + random.normal()).collect();
            // Noise such that some runs tell much and some tell nothing.
            let (sums, share, mean) = mixtures(&truth, 0.1 * f64::from(1 + run % 30), 60, u64::from(run));
            let solution = solve(&sums, &share, mean, 1.0).expect("a solution");
            for ((p, d), t) in solution.watts.iter().zip(&solution.deviation).zip(&truth).take(9) {
                inside += u32::from((p - t).abs() <= NINETY * d);
                all += 1;
            }
        }
        let coverage = f64::from(inside) / f64::from(all);
        assert!((0.85..=0.97).contains(&coverage), "{coverage}");
    }

    #[test]
    fn without_information_everything_is_the_mean() {
        let mut sums = NormalEquations::new(4, 1e9);
        for k in 0..100 {
            let watts = 6.0 + if k % 2 == 0 { 0.02 } else { -0.02 };
            sums.add(Sample { at_us: f64::from(k), watts }, &[0.25; 4], &[0, 1, 2, 3]);
        }
        sums.finish();
        let solution = solve(&sums, &[0.25; 4], 6.0, 1.0).expect("a solution");
        for (p, (d, prior)) in solution.watts.iter().zip(solution.deviation.iter().zip(&solution.prior_deviation)) {
            assert!((p - 6.0).abs() < 1e-9);
            assert!(*d > 0.95 * prior && *d > 0.5);
        }
    }

    proptest! {
        #[test]
        fn no_power_is_negative_and_energy_adds_up(seed in 0_u64..1000, noise in 0.0_f64..3.0) {
            let truth = [0.1, 9.0, 0.2, 4.0];
            let (sums, share, mean) = mixtures(&truth, noise, 40, seed);
            let solution = solve(&sums, &share, mean, 1.0).expect("a solution");
            prop_assert!(solution.watts.iter().all(|&p| p >= 0.0));
            let sum: f64 = solution.watts.iter().zip(&share).map(|(p, w)| p * w).sum();
            prop_assert!((sum / mean - 1.0).abs() < 1e-9);
        }

        #[test]
        fn a_constant_load_gives_that_constant(level in 1.0_f64..50.0, seed in 0_u64..1000) {
            let (sums, share, mean) = mixtures(&[level; 4], 0.0, 50, seed);
            let solution = solve(&sums, &share, mean, 1.0).expect("a solution");
            prop_assert!(solution.watts.iter().all(|&p| (p / level - 1.0).abs() < 1e-6));
        }
    }
}
