//! Layer powers from sums over readings: a constrained, regularised least-squares fit with its uncertainty.
//!
//! With `P = μ + e`, where μ is the layers' common level and `eᵢ ~ N(0, s²)`, and readings `y = Σ aᵢ·Pᵢ + N(0, σ²)` whose
//! block means were taken out, the deviations have the posterior `N(A⁻¹(b/σ² + Λm), A⁻¹)`, `A = G/σ² + Λ`, with the prior's
//! precision Λ and mean m. That is ridge regression towards the level; where the readings do not tell, the prior stands.
//! The time outside the layers has a prior of its own ([`Prior`]). σ comes from the residuals, the spread s of the layers
//! from the marginal likelihood, averaged over a grid with a prior of its own, so that an interval is as wide as the
//! ignorance is. μ follows from the measured mean power, which makes the energies add up exactly. Powers below zero are
//! set to zero and the others solved again.
//!
//! Behind the powers, the sums may hold columns of nuisances: how a reading would change with the sensor's delay, with
//! its window, with the gaps between layers. They are fitted along, so that not knowing them exactly widens the
//! intervals by as much as it should.

use super::linalg::{Cholesky, Symmetric};
use super::normal_equations::NormalEquations;

/// Relative spread of powers that is expected before anything is measured, and the spread of its logarithm. It is relative
/// to the power above idle where that is known (layers of one network differ by 15 to 45 % there), else to the mean.
const SPREAD: (f64, f64) = (0.2, 0.7);
const SPREAD_ABOVE_IDLE: f64 = 0.35;
/// Spread of the power outside the layers against the network's mean, where idle power is not known: it may be anything
/// from idle to full load.
const OUTSIDE_SPREAD: f64 = 0.4;
/// Where the power outside the layers is expected between idle (0) and the layers' mean (1), and its spread. The host
/// works there, the accelerator waits. At idle power the layers' power without a fit is the energy above idle shared by time.
const OUTSIDE_PLACE: (f64, f64) = (0.0, 0.35);
/// Relative difference of readings that counts as none.
pub(crate) const SAME: f64 = 3e-7;
/// Ratio of normal deviates: a 90 % interval is this many standard deviations to either side.
pub const NINETY: f64 = 1.644_853_626_951_472;

/// Half of the 90 % interval of a value with this standard deviation.
#[must_use]
pub fn half_width(deviation: f64) -> f64 {
    NINETY * deviation
}

/// What is expected of powers before anything is fitted, in watts.
#[derive(Debug, Clone, PartialEq)]
pub struct Prior {
    /// Spread of the layers around their level.
    pub spread: f64,
    /// Power outside the layers less the layers' level, and the spread of that.
    pub outside: (f64, f64),
    /// Spread of each nuisance parameter, in steps of its column; beyond the list, some tens of steps.
    pub nuisances: Vec<f64>,
}

impl Prior {
    /// Without idle power: everything relative to the mean.
    #[must_use]
    pub fn of_mean(mean: f64) -> Self {
        Self { spread: SPREAD.0 * mean, outside: (0.0, OUTSIDE_SPREAD * mean), nuisances: Vec::new() }
    }

    /// With idle power: the time outside the layers lies between idle and the layers' level. `outside` is its share of
    /// the time, `mean` the mean power over all of it.
    #[must_use]
    pub fn above_idle(mean: f64, idle: Option<f64>, outside: f64) -> Self {
        let Some(net) = idle.map(|idle| mean - idle).filter(|net| *net > 0.02 * mean) else {
            return Self::of_mean(mean);
        };
        // mean = (1 − w)·level + w·(idle + f·(level − idle)), above idle.
        let level = net / (1.0 - outside * (1.0 - OUTSIDE_PLACE.0)).max(0.1);
        Self {
            spread: SPREAD_ABOVE_IDLE * level,
            outside: ((OUTSIDE_PLACE.0 - 1.0) * level, OUTSIDE_PLACE.1 * level),
            nuisances: Vec::new(),
        }
    }

    /// The same with spreads of nuisance parameters.
    #[must_use]
    pub fn with_nuisances(mut self, spreads: Vec<f64>) -> Self {
        self.nuisances = spreads;
        self
    }

    /// Inverse variances at a spread of the layers: layers, the time outside them, then nuisances.
    fn precision(&self, size: usize, nuisances: usize, spread: f64) -> Vec<f64> {
        let mut precision = vec![spread.powi(-2); size];
        precision[size - 1] = self.outside.1.powi(-2);
        precision.extend((0..nuisances).map(|i| self.nuisances.get(i).map_or(30.0, |s| *s).powi(-2)));
        precision
    }
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
    /// The most likely fit alone, before its level was set.
    pub best: BestFit,
}

/// The fit at the most likely spread of powers: deviations from the level, then nuisances, and their covariance.
#[derive(Debug, Clone)]
pub struct BestFit {
    /// Deviations from the level, then nuisances.
    pub deviations: Vec<f64>,
    /// Their covariance.
    pub covariance: Symmetric,
}

impl Solution {
    /// Multiplies deviations by a factor for each component, up to what they were before anything was measured.
    pub(crate) fn scale_deviations(&mut self, factor: impl Fn(usize) -> f64) {
        for (i, (deviation, prior)) in self.deviation.iter_mut().zip(&self.prior_deviation).enumerate() {
            *deviation = (*deviation * factor(i)).min(prior.max(*deviation));
        }
    }

    /// Standard deviation of the mean power over some of the components, weighted as given, once the energies add up.
    #[must_use]
    pub fn deviation_of(&self, weights: &[f64], share: &[f64]) -> f64 {
        let size = share.len();
        let total: f64 = weights.iter().sum();
        // Mᵀ·w with M = I − 1·shareᵀ.
        let w: Vec<f64> = weights.iter().zip(share).map(|(w, s)| w / total - s).collect();
        let covariance = self.best.covariance.leading(size);
        w.iter().zip(covariance.times(&w)).map(|(a, b)| a * b).sum::<f64>().max(0.0).sqrt()
    }
}

/// Solves for component powers.
///
/// `share` is each component's share of time, `mean_watts` the mean power over that time: `Σ share·watts = mean_watts`
/// holds exactly. Columns of the sums beyond `share` are nuisances. `inflation` is how many readings count as one
/// independent reading. `None` without any reading.
#[must_use]
pub fn solve(
    sums: &NormalEquations,
    share: &[f64],
    mean_watts: f64,
    inflation: f64,
    prior: &Prior,
) -> Option<Solution> {
    let size = share.len();
    if size < 2 || sums.freedom < 1.0 || mean_watts <= 0.0 {
        return None;
    }
    let own = noise_variance(sums, size, mean_watts, prior)?;
    with_noise(sums, share, mean_watts, (own, own * inflation.max(1.0)), prior)
}

/// As [`solve`], with the variance of a reading's noise given: what readings scatter by, and what they are weighed with.
pub(crate) fn with_noise(
    sums: &NormalEquations,
    share: &[f64],
    mean_watts: f64,
    (own, noise): (f64, f64),
    prior: &Prior,
) -> Option<Solution> {
    let size = share.len();
    if size < 2 || mean_watts <= 0.0 {
        return None;
    }
    let nuisances = sums.gram.size - size;
    let mut grid: Vec<(f64, f64, Vec<f64>, Cholesky)> = Vec::new();
    for step in 0..14 {
        let relative = 0.05 * 1.45_f64.powi(step);
        let precision = prior.precision(size, nuisances, relative * prior.spread);
        // How far layers differ is weighed at the readings' own noise: at the larger one, differences would pass for noise.
        let Some(cholesky) = sums.gram.cholesky(1.0 / own, &precision) else { continue };
        let scaled = pull(sums, own, size, &precision, prior);
        let e = cholesky.solve(&scaled);
        let explained: f64 = e.iter().zip(&scaled).map(|(e, b)| e * b).sum();
        let log_prior: f64 = precision.iter().map(|p| p.ln()).sum();
        let hyper = (relative.ln() / SPREAD.1).powi(2);
        let evidence = 0.5 * (explained + log_prior - cholesky.log_determinant() - hyper);
        let Some(cholesky) = sums.gram.cholesky(1.0 / noise, &precision) else { continue };
        let e = cholesky.solve(&pull(sums, noise, size, &precision, prior));
        grid.push((evidence, relative, e, cholesky));
    }
    let (best_index, (best, ..)) = grid.iter().enumerate().max_by(|a, b| a.1.0.total_cmp(&b.1.0))?;
    // Points that the data rule out are left out, so that the weights of the others add up to one.
    let weights: Vec<f64> = grid.iter().map(|g| (g.0 - best).exp()).map(|w| if w < 1e-6 { 0.0 } else { w }).collect();
    let sum: f64 = weights.iter().sum();
    if sum.is_nan() || sum <= 0.0 {
        return None;
    }
    let (mut mean, mut second, mut before_all) = (vec![0.0; size], vec![0.0; size], vec![0.0; size]);
    let (mut spread, mut side) = (0.0, vec![0.0; nuisances]);
    let mut best_covariance = None;
    for (index, ((_, relative, e, cholesky), weight)) in grid.iter().zip(&weights).enumerate() {
        let weight = weight / sum;
        if weight == 0.0 {
            continue;
        }
        for (side, e) in side.iter_mut().zip(&e[size..]) {
            *side += weight * e;
        }
        // Only for points that count: it takes longer than all else.
        let whole = cholesky.inverse();
        let covariance = whole.leading(size);
        let constrained = constrain(&e[..size], share, mean_watts, &covariance);
        let variance = projected_variance(&covariance, share);
        let before = projected_variance(&diagonal(&prior.precision(size, 0, relative * prior.spread)), share);
        for i in 0..size {
            mean[i] += weight * constrained[i];
            second[i] += weight * (variance[i] + constrained[i] * constrained[i]);
            before_all[i] += weight * before[i];
        }
        spread += weight * relative * prior.spread;
        if index == best_index {
            best_covariance = Some(whole);
        }
    }
    let deviation = mean.iter().zip(&second).map(|(m, s)| (s - m * m).max(0.0).sqrt()).collect();
    let (_, _, deviations, _) = grid.swap_remove(best_index);
    let covariance = best_covariance?;
    Some(Solution {
        watts: mean,
        deviation,
        prior_deviation: before_all.into_iter().map(f64::sqrt).collect(),
        noise_watts: noise.sqrt(),
        spread_watts: spread,
        nuisances: side,
        best: BestFit { deviations, covariance },
    })
}

/// A solution, its most likely fit of covariance `before`, with further readings of noise 1 taken in. The fit's nuisances stay.
pub(crate) fn updated(
    solution: &Solution,
    before: Symmetric,
    sums: &NormalEquations,
    share: &[f64],
    mean_watts: f64,
) -> Solution {
    let size = share.len();
    let deviations = &solution.best.deviations[..size];
    // (C⁻¹ + G)⁻¹ = (1 + C·G)⁻¹·C, by the symmetric form with C = L·Lᵀ: L·(1 + Lᵀ·G·L)⁻¹·Lᵀ.
    let Some(factor) = before.cholesky(1.0, &vec![1e-12; size]).map(|c| c.factor()) else { return solution.clone() };
    let times = |a: &dyn Fn(usize, usize) -> f64, b: &dyn Fn(usize, usize) -> f64| -> Vec<f64> {
        let mut out = vec![0.0; size * size];
        for i in 0..size {
            for k in 0..size {
                let left = a(i, k);
                if left != 0.0 {
                    for j in 0..size {
                        out[i * size + j] += left * b(k, j);
                    }
                }
            }
        }
        out
    };
    let l = |i: usize, j: usize| factor[i * size + j];
    let lt = |i: usize, j: usize| factor[j * size + i];
    let gl = times(&|i, j| sums.gram.at(i, j), &l);
    let mut inner = Symmetric::zeros(size);
    inner.elements = times(&lt, &|i, j| gl[i * size + j]);
    let Some(inverse) = inner.cholesky(1.0, &vec![1.0; size]).map(|c| c.inverse()) else { return solution.clone() };
    let half = times(&l, &|i, j| inverse.at(i, j));
    let mut covariance = Symmetric::zeros(size);
    covariance.elements = times(&|i, j| half[i * size + j], &lt);
    let off: Vec<f64> = sums.joint.iter().zip(sums.gram.times(deviations)).map(|(b, g)| b - g).collect();
    let e: Vec<f64> = deviations.iter().zip(covariance.times(&off)).map(|(e, d)| e + d).collect();
    Solution {
        watts: constrain(&e, share, mean_watts, &covariance),
        deviation: projected_variance(&covariance, share).into_iter().map(f64::sqrt).collect(),
        best: BestFit { deviations: e, covariance },
        ..solution.clone()
    }
}

/// Powers, nuisances and noise of a fit at the expected spread: enough to search with.
#[derive(Debug, Clone)]
pub struct QuickFit {
    /// Mean power of each component, in watts; it may be negative.
    pub watts: Vec<f64>,
    /// Nuisance parameters, in the unit of their columns' step.
    pub nuisances: Vec<f64>,
    /// Root of the mean squared residual.
    pub noise_watts: f64,
}

/// As [`solve`], without uncertainty and at one spread of powers.
#[must_use]
pub fn quick(sums: &NormalEquations, share: &[f64], mean_watts: f64, prior: &Prior) -> Option<QuickFit> {
    let size = share.len();
    if size < 2 || sums.freedom < 1.0 || mean_watts <= 0.0 {
        return None;
    }
    let precision = prior.precision(size, sums.gram.size - size, prior.spread);
    let floor = (mean_watts * SAME).powi(2);
    let mut noise = (0.1 * sums.squares / sums.freedom).max(floor);
    let mut e = Vec::new();
    for _ in 0..3 {
        let cholesky = sums.gram.cholesky(1.0 / noise, &precision)?;
        e = cholesky.solve(&pull(sums, noise, size, &precision, prior));
        noise = (residual_squares(sums, &e) / sums.freedom).max(floor);
    }
    let level = mean_watts - e.iter().zip(share).map(|(e, w)| e * w).sum::<f64>();
    let nuisances = e.split_off(size);
    Some(QuickFit { watts: e.iter().map(|e| level + e).collect(), nuisances, noise_watts: noise.sqrt() })
}

/// Sum of the squared residuals of a fit.
fn residual_squares(sums: &NormalEquations, e: &[f64]) -> f64 {
    let linear: f64 = e.iter().zip(&sums.joint).map(|(e, b)| e * b).sum();
    let quadratic: f64 = e.iter().zip(sums.gram.times(e)).map(|(e, g)| e * g).sum();
    (sums.squares - 2.0 * linear + quadratic).max(0.0)
}

/// The right-hand side: what readings say, and what the prior says of the time outside the layers.
fn pull(sums: &NormalEquations, noise: f64, size: usize, precision: &[f64], prior: &Prior) -> Vec<f64> {
    let mut pull: Vec<f64> = sums.joint.iter().map(|b| b / noise).collect();
    pull[size - 1] += precision[size - 1] * prior.outside.0;
    pull
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
fn noise_variance(sums: &NormalEquations, powers: usize, mean: f64, prior: &Prior) -> Option<f64> {
    let floor = (mean * SAME).powi(2);
    let mut noise = (sums.squares / sums.freedom).max(floor);
    for _ in 0..6 {
        let precision = prior.precision(powers, sums.gram.size - powers, prior.spread);
        let cholesky = sums.gram.cholesky(1.0 / noise, &precision)?;
        let e = cholesky.solve(&pull(sums, noise, powers, &precision, prior));
        let residual = residual_squares(sums, &e);
        let size = sums.gram.size;
        let stiff: f64 = cholesky.inverse_diagonal().iter().zip(&precision).map(|(inverse, p)| inverse * p).sum();
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

/// Mean square by which a fit to some readings misses others, and the mean square of these: block means taken out.
#[must_use]
pub fn held_out(fitted: &NormalEquations, held_out: &NormalEquations) -> Option<(f64, f64)> {
    let mean = fitted.total / fitted.count.max(1) as f64;
    let prior = Prior::of_mean(mean.max(f64::MIN_POSITIVE));
    let size = fitted.gram.size;
    let noise = (fitted.squares / fitted.freedom.max(1.0) * 0.1).max((mean * 1e-6).powi(2));
    let cholesky = fitted.gram.cholesky(1.0 / noise, &prior.precision(size, 0, prior.spread))?;
    let scaled: Vec<f64> = fitted.joint.iter().map(|b| b / noise).collect();
    let e = cholesky.solve(&scaled);
    let linear: f64 = e.iter().zip(&held_out.joint).map(|(e, b)| e * b).sum();
    let quadratic: f64 = e.iter().zip(held_out.gram.times(&e)).map(|(e, g)| e * g).sum();
    let freedom = held_out.freedom.max(1.0);
    Some(((held_out.squares - 2.0 * linear + quadratic).max(0.0) / freedom, held_out.squares / freedom))
}

/// The solution when readings tell nothing: the level for every layer and the prior's place for the time outside them,
/// with the prior's deviation.
#[must_use]
pub fn ignorant(share: &[f64], mean_watts: f64, noise_watts: f64, prior: &Prior) -> Solution {
    let size = share.len();
    let covariance = diagonal(&prior.precision(size, 0, prior.spread));
    let deviation: Vec<f64> = projected_variance(&covariance, share).into_iter().map(f64::sqrt).collect();
    let mut e = vec![0.0; size];
    e[size - 1] = prior.outside.0;
    Solution {
        watts: constrain(&e, share, mean_watts, &covariance),
        prior_deviation: deviation.clone(),
        deviation,
        noise_watts,
        spread_watts: prior.spread,
        nuisances: Vec::new(),
        best: BestFit { deviations: e, covariance },
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
        let solution = solve(&sums, &share, mean, 1.0, &Prior::of_mean(mean)).expect("a solution");
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
            let solution = solve(&sums, &share, mean, 1.0, &Prior::of_mean(mean)).expect("a solution");
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
        let solution = solve(&sums, &[0.25; 4], 6.0, 1.0, &Prior::of_mean(6.0)).expect("a solution");
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
            let solution = solve(&sums, &share, mean, 1.0, &Prior::of_mean(mean)).expect("a solution");
            prop_assert!(solution.watts.iter().all(|&p| p >= 0.0));
            let sum: f64 = solution.watts.iter().zip(&share).map(|(p, w)| p * w).sum();
            prop_assert!((sum / mean - 1.0).abs() < 1e-9);
        }

        #[test]
        fn a_constant_load_gives_that_constant(level in 1.0_f64..50.0, seed in 0_u64..1000) {
            let (sums, share, mean) = mixtures(&[level; 4], 0.0, 50, seed);
            let solution = solve(&sums, &share, mean, 1.0, &Prior::of_mean(mean)).expect("a solution");
            prop_assert!(solution.watts.iter().all(|&p| (p / level - 1.0).abs() < 1e-6));
        }
    }
}
