//! Models of all tables of a device at once, from whole networks' totals and whatever layers were measured besides.

use super::artefact::{FittedModel, metrics_by_network, write};
use super::job::{DeviceTable, FEWEST_ROWS, FitJob, LayerValues};
use super::source_scales::SourceScales;
use super::total_baselines;
use super::total_data::{TotalData, total_dataset};
use crate::fit::cross_validation::{fit_folds, folds_by_network};
use crate::fit::estimator::FittedModels;
use crate::model::{Artefact, LayerTable, Scores, Target};
use crate::training::{Row, Total};
use estimators::FitError;
use estimators::metrics::Metrics;
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// Models of one target, learnt from totals.
pub(super) struct TotalModels {
    pub(super) artefacts: Vec<Artefact>,
    /// Every layer's value, by a model that had not seen its network wherever there is one.
    pub(super) values: LayerValues,
    /// Networks whose values come from models that had not seen them.
    pub(super) unseen: BTreeSet<String>,
}

/// Learns one target. `times` are the layers' run times, by which powers are weighted; unused for run time itself.
pub(super) fn train(
    job: &FitJob<'_>,
    device: &str,
    target: Target,
    tables: &[DeviceTable<'_>],
    totals: &[Total<'_>],
    times: &LayerValues,
) -> Result<TotalModels, FitError> {
    let mut all = total_dataset(job, target, tables, totals, times);
    let is_test = |i: &usize| job.test_networks.contains(all.names[*i]);
    let (test, train): (Vec<usize>, Vec<usize>) = (0..all.data.len()).partition(is_test);
    if train.len() < FEWEST_ROWS {
        return Err(FitError::TooFewRows { found: train.len(), needed: FEWEST_ROWS });
    }
    let mut training = all.data.subset(&train);
    let sources: Vec<Option<&str>> = train.iter().map(|&i| all.sources[i]).collect();
    let scales = SourceScales::fit(job.estimator, &training, &sources)?;
    scales.apply(&mut training, &sources);
    all.note = scales.note();
    let models = job.estimator.fit(&training)?;
    let values = models.predict_rows(&all.data);
    let fitted = all.data.sum(&values);

    // Folds by network, and with them each network's layers as models that had not seen it predict them.
    let several = training.network_count() >= 2;
    let folds = folds_by_network(&training.networks, job.evaluation.folds).filter(|_| several);
    let mut by_fold: Vec<Vec<Vec<f64>>> = Vec::new();
    let mut fold_of_network: HashMap<usize, usize> = HashMap::new();
    let mut held_out = fitted.clone();
    if let Some(folds) = &folds {
        fold_of_network.extend(training.networks.iter().copied().zip(folds.fold_of_row().iter().copied()));
        for fold in fit_folds(job.estimator, &training, folds)? {
            let values = fold.models.predict_rows(&all.data);
            let sums = all.data.sum(&values);
            fold.held_out.iter().for_each(|&i| held_out[train[i]] = sums[train[i]]);
            by_fold.push(values);
        }
    }

    let metrics = |values: &[f64], which: &[usize]| {
        let pick = |from: &[f64]| which.iter().map(|&i| from[i]).collect::<Vec<_>>();
        Metrics::of(&pick(&all.data.measured), &pick(values))
    };
    let scores = Scores {
        training: metrics(&fitted, &train),
        cross_validation: folds.is_some().then(|| metrics(&held_out, &train)),
        folds: folds.is_some().then(|| "by network, on totals".to_owned()),
        test: (!test.is_empty()).then(|| metrics(&fitted, &test)),
        test_by_network: metrics_by_network(test.iter().map(|&i| (all.names[i], (all.data.measured[i], fitted[i])))),
        baselines: match &folds {
            Some(folds) if !job.baselines.is_empty() => {
                let macs: Vec<f64> = train.iter().map(|&i| all.macs[i]).collect();
                total_baselines::scores(&all.data.subset(&train).measured, &macs, folds)
            }
            _ => BTreeMap::new(),
        },
    };
    let artefacts = artefacts(job, device, &all, &train, &models, &scores, tables)?;

    let numbers: HashMap<&str, usize> = all.names.iter().copied().zip(all.data.networks.iter().copied()).collect();
    let mut layer_values = LayerValues::new();
    for (table, rows) in tables {
        for (number, row) in rows {
            let Some(&(index, place)) = all.places.get(&(*table, *number)) else { continue };
            let fold = numbers.get(row.network.as_str()).and_then(|network| fold_of_network.get(network));
            let value = fold.map_or(values[index][place], |&fold| by_fold[fold][index][place]);
            layer_values.insert((*table, *number), value);
        }
    }
    let known = all.names.iter().zip(&all.data.networks);
    let unseen =
        known.filter(|(name, network)| job.test_networks.contains(**name) || fold_of_network.contains_key(*network));
    Ok(TotalModels { artefacts, values: layer_values, unseen: unseen.map(|(name, _)| (*name).to_owned()).collect() })
}

fn artefacts(
    job: &FitJob<'_>,
    device: &str,
    all: &TotalData<'_>,
    train: &[usize],
    models: &FittedModels,
    scores: &Scores,
    tables: &[DeviceTable<'_>],
) -> Result<Vec<Artefact>, FitError> {
    let names: BTreeSet<&str> = train.iter().map(|&i| all.names[i]).collect();
    let mut artefacts = Vec::new();
    for ((predictor, table), (_, rows)) in models.0.iter().zip(&all.data.tables).zip(tables) {
        let of_training = rows.iter().filter(|(_, row)| names.contains(row.network.as_str()));
        let (trained, places): (Vec<&Row>, Vec<usize>) =
            of_training.filter_map(|(number, row)| Some((*row, all.places.get(&(table.table, *number))?.1))).unzip();
        if trained.is_empty() {
            continue;
        }
        let mut layers = LayerTable::new(table.table, table.features.clone());
        layers.rows = places.iter().flat_map(|&place| table.row(place).iter().copied()).collect();
        let mut notes = vec![
            "learnt from whole networks' totals: how well a layer's share of them is told, nothing measured says"
                .to_owned(),
        ];
        notes.extend(all.note.clone());
        notes.extend(predictor.warnings());
        let fitted = FittedModel {
            predictor: predictor.as_ref(),
            target: all.data.target,
            layers: &layers,
            rows: &trained,
            networks: &trained.iter().map(|row| row.network.as_str()).collect(),
            scores: scores.clone(),
            interval: None,
            widening: Vec::new(),
            notes,
        };
        artefacts.push(write(job, device, fitted)?);
    }
    Ok(artefacts)
}
