//! How good models are on networks that they did not see, and whether more measurements would make them better.

use estimators::metrics::Metrics;
use learn::evaluate::{Baselines, EvaluationRow, Measurand, Pair, evaluation_rows, pairs};
use learn::predict::Models;
use learn::training::TrainingData;
use serde::Serialize;
use shared::failure::Failure;
use shared::units::Millis;
use std::collections::BTreeSet;
use std::path::Path;

/// Error of all measurements over that of half of them below which more of them pay.
const PAYS: f64 = 0.95;

/// A network that was kept back, predicted from its graph as a user would predict it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NetworkJudgement {
    /// Its name.
    pub network: String,
    /// Measured run time of an inference, ms.
    pub measured_ms: Millis,
    /// Predicted run time, ms: a lower bound where `whole` is false.
    pub predicted_ms: Millis,
    /// Bounds of it, ms, where there are any.
    pub bounds_ms: Option<(f64, f64)>,
    /// Whether every layer is predicted.
    pub whole: bool,
}

/// How good models are on networks that were kept back.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct Judgement {
    /// Layers, kind by kind, and sums over measured layers, target by target.
    pub rows: Vec<EvaluationRow>,
    /// Whole networks from their graphs.
    pub networks: Vec<NetworkJudgement>,
    /// Their errors; none where no network was kept back.
    pub network_metrics: Option<Metrics>,
    /// Spearman's rank correlation of their measured and predicted run times; none for fewer than three.
    pub spearman: Option<f64>,
    /// Networks whose measurement lies within its bounds, and networks that have bounds.
    pub within_bounds: (usize, usize),
    /// Mean absolute percentage error of the run times of layers of all kinds.
    pub layer_mape_percent: Option<f64>,
}

/// Whether more measurements pay.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MorePays {
    /// Mean absolute percentage error of layers' run times after half of the measurements; the mean of both halves.
    pub half_mape_percent: f64,
    /// The same after all.
    pub all_mape_percent: f64,
    /// What twice as many should come to, if the error goes on falling as it fell.
    pub twice_mape_percent: f64,
    /// Whether that is worth it: more than a twentieth less.
    pub pays: bool,
}

impl MorePays {
    /// By the errors after half and after all of the measurements.
    ///
    /// ```
    /// use campaign::MorePays;
    ///
    /// let falling = MorePays::of(12.0, 9.0);
    /// assert!(falling.pays && (falling.twice_mape_percent - 6.75).abs() < 1e-12);
    /// assert!(!MorePays::of(9.1, 9.0).pays && !MorePays::of(8.0, 9.0).pays);
    /// ```
    #[must_use]
    pub fn of(half_mape_percent: f64, all_mape_percent: f64) -> Self {
        let ratio = all_mape_percent / half_mape_percent.max(f64::MIN_POSITIVE);
        let twice_mape_percent = all_mape_percent * ratio.min(1.0);
        Self { half_mape_percent, all_mape_percent, twice_mape_percent, pays: ratio < PAYS }
    }
}

/// Data of some networks alone.
pub(crate) fn only(data: &TrainingData, keep: &dyn Fn(&str) -> bool) -> TrainingData {
    let mut part = data.clone();
    part.tables.values_mut().for_each(|rows| rows.retain(|row| keep(&row.network)));
    part.tables.retain(|_, rows| !rows.is_empty());
    part.totals.retain(|total| keep(&total.network));
    part
}

/// Mean absolute percentage error of layers' run times, of all kinds together.
pub(crate) fn layer_mape(pairs: &[Pair]) -> Option<f64> {
    let layers = || pairs.iter().filter(|pair| pair.table.is_some() && pair.target == Measurand::Runtime);
    let of = |value: fn(&Pair) -> f64| layers().map(value).collect::<Vec<_>>();
    Metrics::of(&of(|pair| pair.measured), &of(|pair| pair.predicted)).mape_percent
}

/// Every layer and network of some data with its prediction. None where nothing was measured.
pub(crate) fn pairs_of(models: &Models, data: &TrainingData, in_data: &str) -> Result<Vec<Pair>, Failure> {
    if data.tables.is_empty() {
        return Ok(Vec::new());
    }
    Ok(pairs(models, data, in_data, &Baselines::default())?.pairs)
}

/// Judges models on the networks kept back. `graphs` are their names and the engine infos that their graphs come to.
///
/// # Errors
/// A model that cannot be run, or an engine info that cannot be read.
pub(crate) fn judge(
    models: &Models,
    held_out: &TrainingData,
    in_data: &str,
    graphs: &[(String, std::path::PathBuf)],
) -> Result<Judgement, Failure> {
    let pairs = pairs_of(models, held_out, in_data)?;
    let mut judgement = Judgement {
        rows: evaluation_rows(&pairs, false),
        layer_mape_percent: layer_mape(&pairs),
        ..Judgement::default()
    };
    for (network, engine_info) in graphs {
        let total = held_out.totals.iter().find(|total| total.network == *network).and_then(|total| total.runtime);
        let Some(measured_ms) = total else { continue };
        judgement.networks.extend(network_judgement(models, network, measured_ms, engine_info)?);
    }
    let of = |value: fn(&NetworkJudgement) -> f64| judgement.networks.iter().map(value).collect::<Vec<_>>();
    let (measured, predicted) = (of(|one| one.measured_ms.0), of(|one| one.predicted_ms.0));
    judgement.network_metrics = (!measured.is_empty()).then(|| Metrics::of(&measured, &predicted));
    judgement.spearman = spearman(&measured, &predicted);
    let with_bounds = || judgement.networks.iter().filter_map(|one| Some((one.measured_ms.0, one.bounds_ms?)));
    let inside = with_bounds().filter(|(value, (low, high))| (*low..=*high).contains(value)).count();
    judgement.within_bounds = (inside, with_bounds().count());
    Ok(judgement)
}

fn network_judgement(
    models: &Models,
    network: &str,
    measured_ms: Millis,
    engine_info: &Path,
) -> Result<Option<NetworkJudgement>, Failure> {
    let (engine, diagnostics) = shared::engine::read(engine_info)?;
    let totals = models.predict(&engine, &diagnostics, 0)?.totals;
    let bounds = totals.runtime_bounds.map(|bounds| (bounds.lower, bounds.upper));
    Ok(totals.runtime.at_least().map(|predicted_ms| NetworkJudgement {
        network: network.to_owned(),
        measured_ms,
        predicted_ms,
        bounds_ms: bounds,
        whole: totals.runtime.is_whole(),
    }))
}

/// Ranks from 1, equal values sharing their mean.
fn ranks(values: &[f64]) -> Vec<f64> {
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count() as f64;
        let equal = values.iter().filter(|other| *other == value).count() as f64;
        below + (equal + 1.0) / 2.0
    };
    values.iter().map(rank).collect()
}

/// Spearman's rank correlation; none for fewer than three pairs or where all values are equal.
pub(crate) fn spearman(a: &[f64], b: &[f64]) -> Option<f64> {
    if a.len() < 3 {
        return None;
    }
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 + 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum::<f64>();
    let scale = (product(&a, &a) * product(&b, &b)).sqrt();
    (scale > 0.0).then(|| product(&a, &b) / scale)
}

/// Two halves of some names, drawn by a seed; every name is in one of them.
pub(crate) fn halves(names: &BTreeSet<String>, seed: u64) -> [BTreeSet<String>; 2] {
    let mut order: Vec<&String> = names.iter().collect();
    shared::random::SplitMix64::keyed(&[seed, 4]).shuffle(&mut order);
    let middle = order.len().div_ceil(2);
    [&order[..middle], &order[middle..]].map(|half| half.iter().map(|name| (*name).clone()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rank_correlation_is_that_of_ranks() {
        assert_eq!(spearman(&[1.0, 2.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[1.0, 2.0, 30.0], &[0.1, 0.2, 0.3]), Some(1.0));
        assert_eq!(spearman(&[1.0, 2.0, 3.0], &[3.0, 2.0, 1.0]), Some(-1.0));
        assert_eq!(spearman(&[1.0, 1.0, 1.0], &[3.0, 2.0, 1.0]), None);
        // Ties share their mean: 1 − 6·Σd²/(n·(n²−1)) does not hold for them.
        let tied = spearman(&[1.0, 2.0, 2.0, 4.0], &[1.0, 2.0, 3.0, 4.0]).expect("a correlation");
        assert!((tied - 0.948_683_298).abs() < 1e-8, "{tied}");
    }

    #[test]
    fn halves_are_all_and_differ_by_seed() {
        let names: BTreeSet<String> = (0..9).map(|number| number.to_string()).collect();
        let [first, second] = halves(&names, 1);
        assert_eq!((first.len(), second.len()), (5, 4));
        assert_eq!(first.union(&second).cloned().collect::<BTreeSet<_>>(), names);
        assert_eq!(halves(&names, 1), [first.clone(), second]);
        assert_ne!(halves(&names, 2)[0], first);
    }
}
