//! Models of all tables of a device at once, from whole networks' totals and whatever layers were measured besides.

use super::Order;
use super::artefact::{Making, make, metrics_by_network};
use super::layers::measured;
use crate::features::Column;
use crate::model::{Artefact, Part, Predictor, Problem, Scores, Sums, Target, Use};
use crate::training::{Row, Total};
use estimators::FitError;
use estimators::fold_hashes;
use estimators::lasso::Folds;
use estimators::metrics::Metrics;
use rayon::prelude::*;
use shared::engine::Table;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A layer: its table and its number in it.
pub(super) type Key = (Table, usize);
/// Values of layers.
pub(super) type Values = HashMap<Key, f64>;

/// What came of learning one target from totals.
pub(super) struct Learnt {
    pub(super) artefacts: Vec<Artefact>,
    /// Every layer's value, by a model that had not seen its network wherever there is one.
    pub(super) values: Values,
    /// Networks whose values come from models that had not seen them.
    pub(super) unseen: BTreeSet<String>,
}

/// Whether some total of a target stands for layers without a measurement of their own.
pub(super) fn wanted(order: &Order<'_>, totals: &[Total<'_>], target: Target) -> bool {
    totals.iter().any(|total| stands_for_layers(order, total, target))
}

fn stands_for_layers(order: &Order<'_>, total: &Total<'_>, target: Target) -> bool {
    let told = match target {
        Target::Runtime => total.measured.runtime.is_some(),
        Target::Power => total.measured.power.is_some() || total.measured.energy.is_some(),
    };
    told && total.layers.iter().any(|(table, number)| measured(&order.data.tables[table][*number], target).is_none())
}

/// The sums of a device with what they were made of.
struct Posed<'a> {
    sums: Sums,
    /// Network of each sum.
    names: Vec<&'a str>,
    /// Part and row of each layer.
    places: HashMap<Key, (usize, usize)>,
}

/// Learns one target. `times` are the layers' run times, by which powers are weighted; unused for run time itself.
pub(super) fn train(
    order: &Order<'_>,
    device: &str,
    target: Target,
    tables: &[(Table, Vec<(usize, &Row)>)],
    totals: &[Total<'_>],
    times: &Values,
) -> Result<Learnt, FitError> {
    let posed = pose(order, target, tables, totals, times);
    let unsupported = || {
        FitError::Failed(format!(
            "{} cannot learn from whole networks' totals, and layers lack measurements; take physics or hybrid",
            order.recipe.kind()
        ))
    };
    let fit = |sums: &Sums| order.recipe.fit_sums(sums).ok_or_else(unsupported)?;
    let is_test = |sum: &usize| order.test_networks.contains(posed.names[*sum]);
    let (test, train): (Vec<usize>, Vec<usize>) = (0..posed.sums.len()).partition(is_test);
    if train.len() < super::FEWEST_ROWS {
        return Err(FitError::TooFewRows { found: train.len(), needed: super::FEWEST_ROWS });
    }
    let predictors = fit(&posed.sums.subset(&train))?;
    let all_rows = |predictors: &[Box<dyn Predictor>]| -> Vec<Vec<f64>> {
        let parts = predictors.iter().zip(&posed.sums.parts);
        parts.map(|(p, part)| (0..part.len()).into_par_iter().map(|i| p.predict(part.row(i))).collect()).collect()
    };
    let values = all_rows(&predictors);
    let fitted = posed.sums.add_up(&values);

    // Folds by network, and with them each network's layers as models that had not seen it predict them.
    let labels: Vec<usize> = train.iter().map(|&sum| posed.sums.networks[sum]).collect();
    let networks = labels.iter().collect::<BTreeSet<_>>().len();
    let folds = order.evaluation.folds.min(networks);
    let mut by_fold: Vec<Vec<Vec<f64>>> = Vec::new();
    let mut fold_of_network: HashMap<usize, usize> = HashMap::new();
    if folds >= 2 {
        let cut = Folds::grouped(&fold_hashes(&labels), folds).map_err(|e| FitError::Failed(e.to_string()))?;
        fold_of_network.extend(labels.iter().copied().zip(cut.fold_of_row().iter().copied()));
        by_fold = (0..folds)
            .into_par_iter()
            .map(|fold| {
                let kept: Vec<usize> = cut.training(fold).into_iter().map(|i| train[i]).collect();
                Ok(all_rows(&fit(&posed.sums.subset(&kept))?))
            })
            .collect::<Result<_, FitError>>()?;
    }
    let mut held_out = fitted.clone();
    for (fold, values) in by_fold.iter().enumerate() {
        let sums = posed.sums.add_up(values);
        for &sum in &train {
            if fold_of_network.get(&posed.sums.networks[sum]) == Some(&fold) {
                held_out[sum] = sums[sum];
            }
        }
    }

    let pairs = |values: &[f64], which: &[usize]| {
        let pick = |from: &[f64]| which.iter().map(|&sum| from[sum]).collect::<Vec<_>>();
        Metrics::of(&pick(&posed.sums.measured), &pick(values))
    };
    let scores = Scores {
        training: pairs(&fitted, &train),
        cross_validation: (!by_fold.is_empty()).then(|| pairs(&held_out, &train)),
        folds: (!by_fold.is_empty()).then(|| "by network, on totals".to_owned()),
        test: (!test.is_empty()).then(|| pairs(&fitted, &test)),
        test_by_network: metrics_by_network(
            test.iter().map(|&sum| (posed.names[sum], (posed.sums.measured[sum], fitted[sum]))),
        ),
    };
    let artefacts = artefacts(order, device, &posed, &train, &predictors, &scores, tables)?;

    let numbers: HashMap<&str, usize> = posed.names.iter().copied().zip(posed.sums.networks.iter().copied()).collect();
    let mut layer_values = Values::new();
    for (table, rows) in tables {
        for (number, row) in rows {
            let Some(&(part, place)) = posed.places.get(&(*table, *number)) else { continue };
            let fold = numbers.get(row.network.as_str()).and_then(|network| fold_of_network.get(network));
            let value = fold.map_or(values[part][place], |&fold| by_fold[fold][part][place]);
            layer_values.insert((*table, *number), value);
        }
    }
    let known = posed.names.iter().zip(&posed.sums.networks);
    let unseen =
        known.filter(|(name, network)| order.test_networks.contains(**name) || fold_of_network.contains_key(*network));
    Ok(Learnt { artefacts, values: layer_values, unseen: unseen.map(|(name, _)| (*name).to_owned()).collect() })
}

fn pose<'a>(
    order: &Order<'a>,
    target: Target,
    tables: &[(Table, Vec<(usize, &'a Row)>)],
    totals: &[Total<'a>],
    times: &Values,
) -> Posed<'a> {
    let mut parts = Vec::new();
    let mut places = HashMap::new();
    for (table, rows) in tables {
        let features = order.recipe.features(*table, target);
        let columns: Vec<Column> = features.iter().filter_map(|name| Column::resolve(*table, name)).collect();
        let mut part = Part::empty(*table, features);
        // Of power, the run times of each row in all networks that have it.
        let mut row_times: Vec<Vec<f64>> = Vec::new();
        // Networks share layers; each is predicted once.
        let mut known: HashMap<Vec<u64>, usize> = HashMap::new();
        for (number, row) in rows {
            let values: Vec<f64> = columns.iter().map(|column| column.value(&row.spec)).collect();
            let next = known.len();
            let place = *known.entry(values.iter().map(|v| v.to_bits()).collect()).or_insert(next);
            if place == next {
                part.rows.extend(&values);
                row_times.push(Vec::new());
            }
            row_times[place].extend(times.get(&(*table, *number)));
            places.insert((*table, *number), (parts.len(), place));
        }
        if target == Target::Power {
            let mean = |times: &Vec<f64>| (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64);
            part.times = row_times.iter().map(mean).collect();
        }
        parts.push(part);
    }
    let (mut sums, mut names) = (Vec::new(), Vec::new());
    for total in totals.iter().filter(|total| stands_for_layers(order, total, target)) {
        let time: Option<f64> = total.layers.iter().map(|key| times.get(key)).sum::<Option<f64>>();
        let value = match target {
            Target::Runtime => total.measured.runtime.map(|t| t.0),
            // Where only the energy was measured, the run time is the predicted one.
            Target::Power => total.measured.power().map(|p| p.0).or_else(|| Some(total.measured.energy?.0 / time?)),
        };
        let Some(value) = value.filter(|value| *value > 0.0) else { continue };
        let weight = |key: &Key| match target {
            Target::Runtime => Some(1.0),
            Target::Power => Some(times.get(key)? / time?),
        };
        let Some(weights) = total.layers.iter().map(weight).collect::<Option<Vec<f64>>>() else { continue };
        let mut merged: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for (key, weight) in total.layers.iter().zip(weights) {
            if let Some(place) = places.get(key) {
                *merged.entry(*place).or_default() += weight;
            }
        }
        for ((part, row), weight) in merged {
            parts[part].uses.push(Use { sum: sums.len(), row, weight });
        }
        sums.push(value);
        names.push(total.measured.network.as_str());
    }
    for (table, rows) in tables {
        for (number, row) in rows {
            if let (Some(value), Some(&(part, place))) = (measured(row, target), places.get(&(*table, *number))) {
                parts[part].uses.push(Use { sum: sums.len(), row: place, weight: 1.0 });
                sums.push(value);
                names.push(row.network.as_str());
            }
        }
    }
    let sorted: BTreeSet<&str> = names.iter().copied().collect();
    let numbers: HashMap<&str, usize> = sorted.into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    let networks = names.iter().map(|name| numbers[name]).collect();
    Posed { sums: Sums { target, parts, measured: sums, networks }, names, places }
}

fn artefacts(
    order: &Order<'_>,
    device: &str,
    posed: &Posed<'_>,
    train: &[usize],
    predictors: &[Box<dyn Predictor>],
    scores: &Scores,
    tables: &[(Table, Vec<(usize, &Row)>)],
) -> Result<Vec<Artefact>, FitError> {
    let names: BTreeSet<&str> = train.iter().map(|&sum| posed.names[sum]).collect();
    let mut artefacts = Vec::new();
    for ((predictor, part), (_, rows)) in predictors.iter().zip(&posed.sums.parts).zip(tables) {
        let of_training = rows.iter().filter(|(_, row)| names.contains(row.network.as_str()));
        let (trained, trained_places): (Vec<&Row>, Vec<usize>) =
            of_training.filter_map(|(number, row)| Some((*row, posed.places.get(&(part.table, *number))?.1))).unzip();
        if trained.is_empty() {
            continue;
        }
        let problem = Problem {
            table: part.table,
            target: posed.sums.target,
            features: part.features.clone(),
            rows: trained_places.iter().flat_map(|&place| part.row(place).iter().copied()).collect(),
            measured: vec![f64::NAN; trained_places.len()],
            networks: vec![0; trained_places.len()],
            companion: Vec::new(),
        };
        let mut notes = vec![
            "learnt from whole networks' totals: how well a layer's share of them is told, nothing measured says"
                .to_owned(),
        ];
        notes.extend(predictor.warnings());
        let networks = trained.iter().map(|row| row.network.as_str()).collect();
        let making = Making {
            predictor: predictor.as_ref(),
            problem: &problem,
            rows: &trained,
            networks: &networks,
            scores: scores.clone(),
            interval: None,
            notes,
        };
        artefacts.push(make(order, device, making)?);
    }
    Ok(artefacts)
}
