//! How far off a model is at values that training lacks: fits without some values of each feature, judged at those.
//!
//! Folds by network do not show it where every network has the same sizes, as in a sweep over sizes.

use super::job::{FEWEST_ROWS, FitJob};
use crate::fit::cross_validation::{Fold, HeldOut};
use crate::model::{Dataset, Interval, MOST_VALUES, Widening, distance};
use estimators::{FitError, Folds};
use rayon::prelude::*;
use std::collections::BTreeSet;

/// Fits without some values of every feature.
const GAP_FOLDS: usize = 3;
/// Fewest values of a feature of which one can be left out.
const FEWEST_VALUES: usize = 4;
/// Least half-width at values that training has, as a part of the one without regard to distance.
const LEAST_BASE: f64 = 0.5;

/// A feature of which values are left out.
struct Gapped {
    /// Its place among the features.
    place: usize,
    /// Its values, ascending.
    values: Vec<f64>,
}

/// An error at a value that was left out.
struct Miss {
    /// The feature, as an index into the gapped ones.
    feature: usize,
    /// How far the value lies from those left in.
    distance: f64,
    /// Absolute log ratio of prediction and measurement.
    error: f64,
}

/// An interval with what it widens by at values that training lacks; `held_out` are predictions of the folds by network. The
/// interval is as narrow as its level allows once the distances within those folds are accounted for.
pub(super) fn widened(
    job: &FitJob<'_>,
    data: &Dataset,
    folds: &Folds,
    held_out: &[f64],
    interval: Interval,
) -> Result<(Interval, Vec<Widening>), FitError> {
    let gapped = gapped(data);
    let misses: Vec<Vec<Miss>> = (0..GAP_FOLDS)
        .into_par_iter()
        .map(|number| misses(job, data, &gapped, number))
        .collect::<Result<_, FitError>>()?;
    let misses: Vec<Miss> = misses.into_iter().flatten().collect();
    let half_width = interval.upper_ratio.ln();
    let slopes = slopes(&misses, gapped.len(), half_width, interval.level);
    let widenings: Vec<(usize, Widening)> = gapped
        .into_iter()
        .zip(slopes)
        .filter(|(_, slope)| *slope > 0.0)
        .map(|(Gapped { place, values }, slope)| {
            let feature = data.tables[0].features[place].clone();
            (place, Widening { feature, values, slope })
        })
        .collect();
    if widenings.is_empty() {
        return Ok((interval, Vec::new()));
    }
    // However far the folds' rows lie from each other, equal sizes do not make a prediction exact.
    let base = base_width(data, folds, held_out, &widenings, interval.level).clamp(LEAST_BASE * half_width, half_width);
    let interval = Interval { lower_ratio: (-base).exp(), upper_ratio: base.exp(), ..interval };
    Ok((interval, widenings.into_iter().map(|(_, widening)| widening).collect()))
}

/// The features with several values and not too many, one for those that split the rows alike.
fn gapped(data: &Dataset) -> Vec<Gapped> {
    let mut splits: BTreeSet<Vec<usize>> = BTreeSet::new();
    let places = 0..data.tables[0].features.len();
    places
        .filter_map(|place| {
            let column = column(data, place);
            let mut values = column.clone();
            values.sort_by(f64::total_cmp);
            values.dedup();
            if !(FEWEST_VALUES..=MOST_VALUES).contains(&values.len())
                || values.iter().any(|v| !(v.is_finite() && *v >= 0.0))
            {
                return None;
            }
            let split = column.iter().map(|value| values.partition_point(|other| other < value)).collect();
            splits.insert(split).then_some(Gapped { place, values })
        })
        .collect()
}

/// A feature of every measurement.
fn column(data: &Dataset, place: usize) -> Vec<f64> {
    let table = &data.tables[0];
    let mut column = vec![f64::NAN; data.len()];
    for one in &table.occurrences {
        column[one.measurement] = table.row(one.row)[place];
    }
    column
}

/// Errors at the values that one fold leaves out: of each feature its lowest, a middle, or its highest.
fn misses(job: &FitJob<'_>, data: &Dataset, gapped: &[Gapped], number: usize) -> Result<Vec<Miss>, FitError> {
    let columns: Vec<Vec<f64>> = gapped.iter().map(|feature| column(data, feature.place)).collect();
    let left_out: Vec<f64> = gapped
        .iter()
        .enumerate()
        .map(|(i, Gapped { values, .. })| match (number + i) % GAP_FOLDS {
            0 => values[0],
            1 => values[values.len() / 2],
            _ => values[values.len() - 1],
        })
        .collect();
    let missing = |row: usize| (0..gapped.len()).filter(|&f| columns[f][row] == left_out[f]).collect::<Vec<_>>();
    let missing: Vec<Vec<usize>> = (0..data.len()).map(missing).collect();
    let (held_out, training_rows): (Vec<usize>, Vec<usize>) =
        (0..data.len()).partition(|&row| !missing[row].is_empty());
    if held_out.is_empty() || training_rows.len() < FEWEST_ROWS.max(data.len() / 3) {
        return Ok(Vec::new());
    }
    let training = data.subset(&training_rows);
    let fold = Fold { training, training_rows: training_rows.clone(), held_out: held_out.clone() };
    let fitted = match job.with_estimator(|estimator| HeldOut::fit(estimator, fold)) {
        Ok(fitted) => fitted,
        Err(FitError::TooFewRows { .. }) => return Ok(Vec::new()),
        Err(e) => return Err(e),
    };
    let mut predicted = vec![f64::NAN; data.len()];
    fitted.predict_into(data, &mut predicted);
    let known: Vec<Vec<f64>> = gapped.iter().map(|feature| known(data, feature.place, &training_rows)).collect();
    Ok(held_out
        .into_iter()
        .filter_map(|row| {
            let &[feature] = missing[row].as_slice() else { return None };
            let error = (predicted[row] / data.measured[row]).ln().abs();
            let distance = distance(&known[feature], left_out[feature]);
            (error.is_finite() && distance > 0.0).then_some(Miss { feature, distance, error })
        })
        .collect())
}

/// The values of a feature in some measurements, ascending.
fn known(data: &Dataset, place: usize, rows: &[usize]) -> Vec<f64> {
    let column = column(data, place);
    let mut values: Vec<f64> = rows.iter().map(|&row| column[row]).collect();
    values.sort_by(f64::total_cmp);
    values.dedup();
    values
}

/// For each feature, the growth of the half-width with the distance that holds `level` of the errors at values left out; that of
/// all features together where one has too few.
fn slopes(misses: &[Miss], features: usize, half_width: f64, level: f64) -> Vec<f64> {
    let needed = |miss: &Miss| ((miss.error - half_width) / miss.distance).max(0.0);
    let all = rank(misses.iter().map(needed).collect(), level).unwrap_or(0.0);
    let own = |feature| rank(misses.iter().filter(|miss| miss.feature == feature).map(needed).collect(), level);
    (0..features).map(|feature| own(feature).unwrap_or(all)).collect()
}

/// The value at rank ⌈(n + 1) · level⌉; none for too few.
fn rank(mut values: Vec<f64>, level: f64) -> Option<f64> {
    let rank = ((values.len() + 1) as f64 * level).ceil() as usize;
    values.sort_by(f64::total_cmp);
    values.get(rank.checked_sub(1)?).copied()
}

/// The half-width at values that training has: what holds `level` of the errors of the folds by network, each less what its distance
/// from the values of its fold's training part adds.
fn base_width(data: &Dataset, folds: &Folds, held_out: &[f64], widenings: &[(usize, Widening)], level: f64) -> f64 {
    let mut rest = Vec::with_capacity(data.len());
    let columns: Vec<Vec<f64>> = widenings.iter().map(|(place, _)| column(data, *place)).collect();
    for number in 0..folds.count() {
        let training = folds.training(number);
        let known: Vec<Vec<f64>> = widenings.iter().map(|(place, _)| known(data, *place, &training)).collect();
        for row in folds.held_out(number) {
            let additions = widenings
                .iter()
                .enumerate()
                .map(|(i, (_, widening))| widening.slope * distance(&known[i], columns[i][row]));
            let error = (held_out[row] / data.measured[row]).ln().abs();
            rest.push((error - additions.fold(0.0, f64::max)).max(0.0));
        }
    }
    rank(rest, level).unwrap_or(f64::INFINITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::Extraction;
    use crate::fit::kinds::Kind;
    use crate::fit::plan::Plan;
    use crate::fit::train::train;
    use crate::training;
    use shared::engine::Table;

    #[test]
    fn a_slope_holds_the_level_of_errors_at_values_left_out_and_borrows_where_a_feature_has_few() {
        let miss = |feature: usize, i: usize| Miss { feature, distance: 0.5, error: 0.01 * i as f64 };
        let misses: Vec<Miss> = (0..40).map(|i| miss(0, i)).chain([miss(1, 39)]).collect();
        let slopes = slopes(&misses, 2, 0.1, 0.9);
        let held = misses.iter().filter(|miss| miss.error <= 0.1 + slopes[miss.feature] * miss.distance).count();
        assert!(held >= 37, "{held} of {}", misses.len());
        assert_eq!(
            slopes[1],
            rank(misses.iter().map(|m| ((m.error - 0.1) / m.distance).max(0.0)).collect(), 0.9).expect("enough")
        );
        assert_eq!(rank(vec![1.0; 8], 0.9), None, "a rank of nine of eight");
    }

    /// Networks of all the same sizes, of which the largest is far: its time follows another law than a model of sizes alone shows.
    #[test]
    fn bounds_of_a_model_widen_between_and_beyond_the_sizes_it_was_fitted_on() {
        let mut table = String::from("model,batch_size,input_size,output_size,runtime,layer_name\n");
        for network in 0..12 {
            for size in [64, 128, 256, 512, 1024] {
                for output in [16, 32, 64, 128] {
                    // Odd sizes take twice as long, as where a tile is left half empty.
                    let odd = if (size / 128) % 2 == 0 { 1.0 } else { 2.0 };
                    let noise = 1.0 + 0.002 * f64::from((network * 7 + size + output) % 5);
                    let time = noise * odd * (0.01 + 1e-6 * f64::from(size * output));
                    table += &format!("net{network},1,{size},{output},{time},fc{size}x{output}\n");
                }
            }
        }
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("dense.csv"), table).expect("written");
        let data = training::read(folder.path()).expect("read");
        let plan = Plan::of("hybrid".parse::<Kind>().expect("a kind"));
        let estimator = plan.estimator();
        let job = FitJob {
            data: &data,
            estimator: estimator.as_ref(),
            evaluation: &plan.evaluation,
            test_networks: &BTreeSet::new(),
            extraction: Extraction::default(),
            negative_predictions: false,
            baselines: &[],
        };
        let outcome = train(&job, "board", &|_, _| ()).expect("a fit");
        let card = &outcome.artefacts.iter().find(|a| a.card.layer_kind == Table::Dense).expect("a model").card;
        let interval = card.interval.expect("an interval");
        let sizes = card.widening.iter().find(|widening| widening.feature == "input_size").expect("widens");
        assert_eq!(sizes.values, [64.0, 128.0, 256.0, 512.0, 1024.0]);
        // A size left out is off by up to a factor of two, one of training by next to nothing.
        assert!(interval.upper_ratio < 1.1, "{interval:?}");
        assert!(interval.widened(sizes.addition(360.0)).upper_ratio > 1.2, "{sizes:?}");
        assert_eq!(interval.widened(sizes.addition(256.0)), interval);
    }
}
