//! Whether a fit can be believed: what its residuals have to do with what ran, and whether one part of the run says the
//! same as another.
//!
//! Residuals of a true model are noise: they do not depend on which layer ran, and the fit's answer differs between parts
//! of the run by no more than the noise explains. Where they do not hold, variances are multiplied by how much they fail
//! by: mean residuals of phases over what their scatter explains (lack of fit), and the scatter of the answer
//! between parts of the run over the expected one (which takes in noise that is correlated or differs between phases).

use super::linalg::{Symmetric, dot};
use super::normal_equations::NormalEquations;
use super::solve::Solution;

/// Fewest readings of a phase that count.
const FEWEST: f64 = 8.0;
/// Parts that a layer's own scatter between parts of the run counts against the scatter of all.
const POOLED: f64 = 12.0;
/// Readings over which the level of residuals is followed, so that drift does not count as scatter.
const LEVEL: f64 = 100.0;

/// How far residuals depend on what ran.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct LackOfFit {
    /// The phases' mean residuals, squared, over what the scatter within each phase explains, for each that the fit leaves
    /// free: 1 where residuals have nothing to do with what ran.
    pub(crate) ratio: f64,
    /// The phases' mean residuals beyond what scatter explains, over how far readings differ between phases at all.
    pub(crate) unexplained: f64,
}

/// Sums over the readings of each phase of an inference.
#[derive(Debug, Clone)]
pub(crate) struct Phases {
    columns: usize,
    rows: Vec<f64>,
    totals: Vec<f64>,
    counts: Vec<f64>,
    /// Sums and squares of residuals under powers known beforehand: what readings of one phase scatter by.
    residuals: Vec<(f64, f64)>,
    level: Option<f64>,
}

impl Phases {
    pub(crate) fn new(phases: usize, columns: usize) -> Self {
        let (totals, counts) = (vec![0.0; phases], vec![0.0; phases]);
        let residuals = vec![(0.0, 0.0); phases];
        Self { columns, rows: vec![0.0; phases * columns], totals, counts, residuals, level: None }
    }

    /// Adds a reading: weights, then further columns. `known` are powers known beforehand.
    pub(crate) fn add(
        &mut self,
        phase: usize,
        watts: f64,
        (row, touched): (&[f64], &[u32]),
        further: &[f64],
        known: &[f64],
    ) {
        let Some(count) = self.counts.get_mut(phase) else { return };
        *count += 1.0;
        let sums = &mut self.rows[phase * self.columns..][..self.columns];
        for &i in touched {
            sums[i as usize] += row[i as usize];
        }
        for (sum, value) in sums[self.columns - further.len()..].iter_mut().zip(further) {
            *sum += value;
        }
        let residual = watts - touched.iter().map(|&i| row[i as usize] * known[i as usize]).sum::<f64>();
        let level = self.level.get_or_insert(residual);
        // The level before this reading: a reading is not taken off itself.
        let own = residual - *level;
        self.totals[phase] += watts - *level;
        *level += own / LEVEL;
        let (sum, squares) = &mut self.residuals[phase];
        (*sum, *squares) = (*sum + own, *squares + own.powi(2));
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in
            [(&mut self.rows, &other.rows), (&mut self.totals, &other.totals), (&mut self.counts, &other.counts)]
        {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
        self.residuals.iter_mut().zip(&other.residuals).for_each(|(a, b)| *a = (a.0 + b.0, a.1 + b.1));
    }

    /// How far residuals depend on what ran. `None` with too few phases to tell.
    pub(crate) fn lack_of_fit(&self, solution: &Solution) -> Option<LackOfFit> {
        let powers: Vec<f64> = solution.watts.iter().chain(&solution.nuisances).copied().collect();
        let mut means = Vec::new();
        let mut shown = Vec::new();
        for (phase, (&total, &count)) in self.totals.iter().zip(&self.counts).enumerate() {
            if count >= FEWEST {
                let sums = &self.rows[phase * self.columns..][..self.columns];
                let expected = sums.iter().zip(&powers).map(|(a, p)| a * p).sum::<f64>() / count;
                let mean = total / count - expected;
                shown.push(expected);
                let (sum, squares) = self.residuals[phase];
                means.push((mean, (squares - sum * sum / count) / (count - 1.0) / count));
            }
        }
        // No phase is known better than the quietest tenth of all.
        let mut variances: Vec<f64> = means.iter().map(|m| m.1).collect();
        variances.sort_by(f64::total_cmp);
        let floor = variances.get(variances.len() / 10)?.max(f64::MIN_POSITIVE);
        let weight = |m: &(f64, f64)| 1.0 / m.1.max(floor);
        let mean = means.iter().map(|m| m.0 * weight(m)).sum::<f64>() / means.iter().map(weight).sum::<f64>();
        let squares: f64 = means.iter().map(|m| (m.0 - mean).powi(2) * weight(m)).sum();
        let told = |i: usize| 1.0 - (solution.deviation[i] / solution.prior_deviation[i].max(1e-12)).powi(2).min(1.0);
        let fitted = (0..solution.watts.len()).map(told).sum::<f64>() + solution.nuisances.len() as f64;
        let freedom = means.len() as f64 - 1.0 - fitted;
        let level = shown.iter().sum::<f64>() / shown.len() as f64;
        let signal = shown.iter().map(|s| (s - level).powi(2)).sum::<f64>() / shown.len() as f64;
        // What is left without what scatter explains.
        let beyond = means.iter().map(|m| (m.0 - mean).powi(2) - m.1).sum::<f64>() / means.len() as f64;
        (freedom >= 4.0).then(|| LackOfFit {
            ratio: squares / freedom,
            unexplained: (beyond.max(0.0) / signal.max(f64::MIN_POSITIVE)).sqrt(),
        })
    }
}

/// How the answer scatters between parts of the run, over what the noise explains.
#[derive(Debug, Clone)]
pub(crate) struct Stability {
    /// Of all components that readings tell of.
    pub(crate) pooled: f64,
    /// Of each component.
    pub(crate) each: Vec<f64>,
    /// What each part adds to the powers beyond its share, scaled so that the squares add up to the scatter.
    moves: Vec<Vec<f64>>,
    /// Covariance of the powers that noise alone makes.
    noise: Symmetric,
}

impl Stability {
    /// Of a weighted mean of components, whose posterior variance is given. Weights add up to one.
    pub(crate) fn of(&self, weights: &[f64], posterior: f64) -> f64 {
        let noisy = dot(weights, &self.noise.times(weights));
        if noisy <= TELLS * posterior {
            return self.pooled;
        }
        let scatter: f64 = self.moves.iter().map(|m| dot(m, weights).powi(2)).sum();
        shrunk(self.pooled, scatter / noisy.max(1e-30), self.moves.len())
    }
}

/// Part of a posterior variance that noise has to make for the scatter between parts of the run to tell.
const TELLS: f64 = 0.3;

/// A ratio drawn towards that of all components.
fn shrunk(pooled: f64, own: f64, parts: usize) -> f64 {
    let freedom = parts as f64 - 1.0;
    (POOLED * pooled + freedom * own) / (POOLED + freedom)
}

/// Compares the parts of a run: what each would add to the answer beyond its share. `None` with fewer than four parts.
pub(crate) fn stability(
    parts: &[NormalEquations],
    all: &NormalEquations,
    solution: &Solution,
    share: &[f64],
) -> Option<Stability> {
    let parts: Vec<&NormalEquations> = parts.iter().filter(|p| p.freedom >= 8.0).collect();
    let count = parts.len() as f64;
    if count < 4.0 {
        return None;
    }
    let noise = solution.noise_watts.powi(2);
    let (e, covariance) = (&solution.best.deviations, &solution.best.covariance);
    let pulls: Vec<Vec<f64>> = parts
        .iter()
        .map(|part| part.joint.iter().zip(part.gram.times(e)).map(|(b, g)| (b - g) / noise).collect())
        .collect();
    let mean: Vec<f64> = (0..e.len()).map(|i| pulls.iter().map(|p| p[i]).sum::<f64>() / count).collect();
    let size = share.len();
    // The energies add up: what moves all powers together does not count.
    let moves = |pull: &[f64]| {
        let moved = covariance.times(pull);
        let common: f64 = moved.iter().zip(share).map(|(m, w)| m * w).sum();
        moved.into_iter().take(size).map(move |m| m - common).collect::<Vec<f64>>()
    };
    let moves: Vec<Vec<f64>> = pulls
        .iter()
        .map(|pull| {
            let own: Vec<f64> = pull.iter().zip(&mean).map(|(p, m)| p - m).collect();
            moves(&own).into_iter().map(|m| m * (count / (count - 1.0)).sqrt()).collect()
        })
        .collect();
    let (noisy, posterior) = variances(covariance, &all.gram, noise, share);
    let ratio = |i: usize| {
        let variance: f64 = moves.iter().map(|m| m[i] * m[i]).sum();
        (noisy.at(i, i) > TELLS * posterior[i]).then(|| variance / noisy.at(i, i).max(1e-30))
    };
    let ratios: Vec<Option<f64>> = (0..size).map(ratio).collect();
    let told: Vec<f64> = ratios.iter().flatten().copied().collect();
    if told.is_empty() {
        return None;
    }
    let pooled = told.iter().sum::<f64>() / told.len() as f64;
    let each = ratios.into_iter().map(|own| own.map_or(pooled, |own| shrunk(pooled, own, moves.len()))).collect();
    Some(Stability { pooled, each, moves, noise: noisy })
}

/// Once the energies add up: the powers' covariance that noise alone makes, M·C·(G/σ²)·C·Mᵀ, and their variance in all,
/// that of M·C·Mᵀ.
fn variances(covariance: &Symmetric, gram: &Symmetric, noise: f64, share: &[f64]) -> (Symmetric, Vec<f64>) {
    let mut weighted = vec![0.0; covariance.size];
    weighted[..share.len()].copy_from_slice(share);
    let common = covariance.times(&weighted);
    let row = |i: usize| -> Vec<f64> { (0..covariance.size).map(|j| covariance.at(j, i) - common[j]).collect() };
    let rows: Vec<Vec<f64>> = (0..share.len()).map(row).collect();
    let mut noisy = Symmetric::zeros(share.len());
    for (i, row) in rows.iter().enumerate() {
        let pulled = gram.times(row);
        for (j, other) in rows.iter().enumerate() {
            noisy.elements[i * share.len() + j] = dot(&pulled, other) / noise;
        }
    }
    let whole = dot(&common, &weighted);
    (noisy, (0..share.len()).map(|i| (covariance.at(i, i) - 2.0 * common[i] + whole).max(1e-30)).collect())
}

#[cfg(test)]
mod tests {
    use super::super::pieces::Sample;
    use super::super::solve::{self, Prior};
    use super::*;
    use shared::random::Random;

    const SIZE: usize = 4;

    /// Readings that see parts of neighbouring components, with noise and what comes back in some phases and some parts.
    fn fitted(phase_off: f64, part_off: f64) -> (f64, f64) {
        let mut random = Random::new(3);
        let truth = [9.0, 6.0, 7.0, 5.0];
        let mut parts: Vec<NormalEquations> = (0..8).map(|_| NormalEquations::new(SIZE, 1e9)).collect();
        let mut phases = Phases::new(4 * SIZE, SIZE);
        for k in 0..4000 {
            let (i, place) = (k % SIZE, random.uniform());
            let mut row = vec![0.0; SIZE];
            row[i] += 1.0 - place;
            row[(i + 1) % SIZE] += place;
            let touched: Vec<u32> = (0..SIZE as u32).collect();
            let bend = phase_off * (std::f64::consts::TAU * 2.0 * place).sin();
            let part = k / 500;
            let moved = if part % 2 == 0 { part_off * row[0] } else { 0.0 };
            let watts = row.iter().zip(truth).map(|(a, p)| a * p).sum::<f64>() + 0.1 * random.normal() + bend + moved;
            parts[part].add(Sample { at_us: k as f64, watts }, &row, &touched);
            phases.add(4 * i + (4.0 * place) as usize, watts, (&row, &touched), &[], &truth);
        }
        parts.iter_mut().for_each(NormalEquations::finish);
        let mut all = NormalEquations::new(SIZE, 1e9);
        parts.iter().for_each(|part| all.merge(part.clone()));
        let share = [0.25; SIZE];
        let mean = all.total / all.count as f64;
        let solution = solve::solve(&all, &share, mean, 1.0, &Prior::of_mean(mean)).expect("a solution");
        let lack = phases.lack_of_fit(&solution).expect("enough phases").ratio;
        (lack, stability(&parts, &all, &solution, &share).expect("enough parts").pooled)
    }

    #[test]
    fn a_true_model_leaves_nothing_but_noise() {
        let (lack, stable) = fitted(0.0, 0.0);
        assert!((0.3..2.2).contains(&lack) && (0.3..2.2).contains(&stable), "{lack} {stable}");
    }

    #[test]
    fn what_comes_back_in_a_phase_is_a_lack_of_fit() {
        let (lack, _) = fitted(0.1, 0.0);
        assert!(lack > 6.0, "{lack}");
    }

    #[test]
    fn parts_of_the_run_that_disagree_are_unstable() {
        let (_, stable) = fitted(0.0, 0.2);
        assert!(stable > 4.0, "{stable}");
    }
}
