//! One power for each kind of layer, from the measured totals of several networks.
//!
//! Each network is one reading of a very slow sensor: its mean power is the mean of its layers' powers by time. With as
//! many different networks as kinds of layers, the kinds' powers follow, by the same regularised fit.

use super::method::Method;
use super::normal_equations::NormalEquations;
use super::pieces::Sample;
use super::run::Run;
use super::solve;
use shared::engine::Table;
use shared::units::Watts;

/// Fewest networks that say anything about kinds of layers.
pub const NETWORKS: usize = 3;
/// Kinds: the tables, layers of no table, and the time outside layers.
pub const KINDS: usize = Table::ALL.len() + 2;

fn kind(run: &Run, layer: usize) -> usize {
    let table = run.engine_layer(layer).and_then(|l| l.kind.table());
    table.and_then(|t| Table::ALL.iter().position(|other| *other == t)).unwrap_or(Table::ALL.len())
}

/// Fits the kinds' powers to the totals of `runs` and replaces the layers' powers of those that `wanted` names. Returns how
/// many networks it was made from; `None` when there are too few.
pub fn apply(runs: &mut [Run], wanted: impl Fn(&Run) -> bool) -> Option<usize> {
    let mut sums = NormalEquations::new(KINDS, f64::INFINITY);
    let touched: Vec<u32> = (0..KINDS as u32).collect();
    let mut networks = 0;
    for run in runs.iter() {
        let Some(power) = run.quality.energy.power.filter(|_| !run.shares().is_empty()) else { continue };
        let row = by_kind(run);
        sums.add(Sample { at_us: networks as f64, watts: power.0 }, &row, &touched);
        networks += 1;
    }
    if networks < NETWORKS {
        return None;
    }
    sums.finish();
    let n = networks as f64;
    let shares: Vec<f64> = sums.weights.iter().map(|w| w / n).collect();
    let solution = solve::solve(&sums, &shares, sums.total / n, 1.0, &solve::Prior::of_mean(sums.total / n))?;
    for run in runs.iter_mut().filter(|r| wanted(r)) {
        let Some(mean) = run.quality.energy.power.filter(|_| !run.shares().is_empty()) else { continue };
        let fitted: f64 = by_kind(run).iter().zip(&solution.watts).map(|(w, p)| w * p).sum();
        if fitted <= 0.0 {
            continue;
        }
        // The network's own total is known better than the fit: the energies have to add up to it.
        let scale = mean.0 / fitted;
        let layers = run.shares().len() - 1;
        let kinds: Vec<usize> = (0..layers).map(|l| kind(run, l)).chain([KINDS - 1]).collect();
        let powers: Vec<Watts> = kinds.iter().map(|&k| Watts(solution.watts[k] * scale)).collect();
        let deviations: Vec<Watts> = kinds.iter().map(|&k| Watts(solution.deviation[k] * scale)).collect();
        run.replace(
            Method::Totals,
            format!("one power for each kind of layer, from the totals of {networks} networks"),
            &powers,
            &deviations,
        );
    }
    Some(networks)
}

fn by_kind(run: &Run) -> Vec<f64> {
    let mut row = vec![0.0; KINDS];
    let shares = run.shares();
    for (layer, share) in shares[..shares.len() - 1].iter().enumerate() {
        row[kind(run, layer)] += share;
    }
    row[KINDS - 1] += shares[shares.len() - 1];
    row
}
