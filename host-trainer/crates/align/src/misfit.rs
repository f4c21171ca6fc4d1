//! Whether a fit can be believed: what its residuals have to do with what ran, and whether one part of the run says the
//! same as another.
//!
//! Residuals of a true model are noise: they do not depend on which layer ran, and the fit's answer differs between parts
//! of the run by no more than the noise explains. Where they do not hold, variances are multiplied by how much they fail
//! by: the mean square between phases over the one within (lack of fit), and the scatter of the answer between parts of
//! the run over the expected one (which takes in correlated noise, too).

use super::linalg::Symmetric;
use super::normal_equations::NormalEquations;
use super::solve::Solution;

/// Fewest readings of a phase that count.
const FEWEST: f64 = 4.0;
/// Parts that a layer's own scatter between parts of the run counts against the scatter of all.
const POOLED: f64 = 12.0;

/// Sums over the readings of each phase of an inference.
#[derive(Debug, Clone)]
pub(crate) struct Phases {
    columns: usize,
    rows: Vec<f64>,
    totals: Vec<f64>,
    counts: Vec<f64>,
}

impl Phases {
    pub(crate) fn new(phases: usize, columns: usize) -> Self {
        let (totals, counts) = (vec![0.0; phases], vec![0.0; phases]);
        Self { columns, rows: vec![0.0; phases * columns], totals, counts }
    }

    /// Adds a reading: weights, then further columns.
    pub(crate) fn add(&mut self, phase: usize, watts: f64, row: &[f64], touched: &[u32], further: &[f64]) {
        let Some(count) = self.counts.get_mut(phase) else { return };
        *count += 1.0;
        self.totals[phase] += watts;
        let sums = &mut self.rows[phase * self.columns..][..self.columns];
        for &i in touched {
            sums[i as usize] += row[i as usize];
        }
        for (sum, value) in sums[self.columns - further.len()..].iter_mut().zip(further) {
            *sum += value;
        }
    }

    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in
            [(&mut self.rows, &other.rows), (&mut self.totals, &other.totals), (&mut self.counts, &other.counts)]
        {
            mine.iter_mut().zip(theirs).for_each(|(a, b)| *a += b);
        }
    }

    /// Mean square of the phases' mean residuals over the noise's: 1 where residuals have nothing to do with what ran.
    /// `None` with too few phases to tell.
    pub(crate) fn lack_of_fit(&self, solution: &Solution) -> Option<f64> {
        let size = solution.watts.len();
        let mut means = Vec::new();
        for (phase, (&total, &count)) in self.totals.iter().zip(&self.counts).enumerate() {
            if count >= FEWEST {
                let sums = &self.rows[phase * self.columns..][..self.columns];
                let powers = solution.watts.iter().chain(&solution.nuisances);
                let shown: f64 = sums.iter().zip(powers).map(|(a, p)| a * p).sum();
                means.push((count, (total - shown) / count));
            }
        }
        let all: f64 = means.iter().map(|m| m.0).sum();
        let mean = means.iter().map(|m| m.0 * m.1).sum::<f64>() / all;
        let squares: f64 = means.iter().map(|m| m.0 * (m.1 - mean).powi(2)).sum();
        let told = |i: usize| 1.0 - (solution.deviation[i] / solution.prior_deviation[i].max(1e-12)).powi(2).min(1.0);
        let fitted = (0..size).map(told).sum::<f64>() + solution.nuisances.len() as f64;
        let freedom = means.len() as f64 - 1.0 - fitted;
        (freedom >= 4.0).then(|| squares / freedom / solution.noise_watts.powi(2).max(f64::MIN_POSITIVE))
    }
}

/// How the answer scatters between parts of the run, over what the noise explains.
#[derive(Debug, Clone)]
pub(crate) struct Stability {
    /// Of all components that readings tell of.
    pub(crate) pooled: f64,
    /// Of each component.
    pub(crate) each: Vec<f64>,
}

/// Compares the parts of a run: what each would add to the answer beyond its share. `None` with fewer than four parts.
pub(crate) fn stability(parts: &[NormalEquations], all: &NormalEquations, solution: &Solution) -> Option<Stability> {
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
    let size = solution.watts.len();
    let mut variance = vec![0.0; size];
    for pull in &pulls {
        let own: Vec<f64> = pull.iter().zip(&mean).map(|(p, m)| p - m).collect();
        let moved = covariance.times(&own);
        variance.iter_mut().zip(moved).for_each(|(v, m)| *v += m * m * count / (count - 1.0));
    }
    let expected = informed_variance(covariance, &all.gram, noise);
    let ratio: Vec<Option<f64>> = (0..size)
        .map(|i| (expected[i] > 0.1 * covariance.at(i, i)).then(|| variance[i] / expected[i].max(1e-30)))
        .collect();
    let told: Vec<f64> = ratio.iter().flatten().copied().collect();
    if told.is_empty() {
        return None;
    }
    let pooled = told.iter().sum::<f64>() / told.len() as f64;
    let shrunk = |own: f64| (POOLED * pooled + (count - 1.0) * own) / (POOLED + count - 1.0);
    Some(Stability { pooled, each: ratio.into_iter().map(|own| own.map_or(pooled, shrunk)).collect() })
}

/// Diagonal of C·(G/σ²)·C: the variance that noise makes.
fn informed_variance(covariance: &Symmetric, gram: &Symmetric, noise: f64) -> Vec<f64> {
    (0..covariance.size)
        .map(|i| {
            let column: Vec<f64> = (0..covariance.size).map(|j| covariance.at(j, i)).collect();
            column.iter().zip(gram.times(&column)).map(|(a, b)| a * b).sum::<f64>() / noise
        })
        .collect()
}
