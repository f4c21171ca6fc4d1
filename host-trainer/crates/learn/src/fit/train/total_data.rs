//! Data sets of whole networks' totals, and of whatever layers were measured besides.

use super::job::{DeviceTable, FitJob, LayerId, LayerValues};
use super::layer_data::measured;
use crate::features::Column;
use crate::model::{Dataset, LayerTable, Occurrence, Target};
use crate::training::{Total, TrainingData};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// A device's measurements of one target, with what they were made of.
pub(super) struct TotalData<'a> {
    /// All tables together.
    pub(super) data: Dataset,
    /// Network of each measurement.
    pub(super) names: Vec<&'a str>,
    /// Source of each measurement, where the data name it.
    pub(super) sources: Vec<Option<&'a str>>,
    /// Multiply-accumulates behind each measurement; 0 for what computes none.
    pub(super) macs: Vec<f64>,
    /// What cards say of the sources.
    pub(super) note: Option<String>,
    /// Table and row of each layer, as indices into the data set.
    pub(super) places: HashMap<LayerId, (usize, usize)>,
}

/// Whether some total of a target stands for layers without a measurement of their own.
pub(crate) fn learns_from_totals(data: &TrainingData, totals: &[Total<'_>], target: Target) -> bool {
    totals.iter().any(|total| stands_for_layers(data, total, target))
}

fn stands_for_layers(data: &TrainingData, total: &Total<'_>, target: Target) -> bool {
    let known = match target {
        Target::Runtime => total.measured.runtime.is_some(),
        Target::Power => total.measured.power.is_some() || total.measured.energy.is_some(),
    };
    known && total.layers.iter().any(|(table, number)| measured(&data.tables[table][*number], target).is_none())
}

/// Layers of all tables, each distinct row of features once, with the indices of their places.
struct Layers {
    tables: Vec<LayerTable>,
    places: HashMap<LayerId, (usize, usize)>,
}

fn layers(job: &FitJob<'_>, target: Target, tables: &[DeviceTable<'_>], times: &LayerValues) -> Layers {
    let mut found = Layers { tables: Vec::new(), places: HashMap::new() };
    for (table, rows) in tables {
        let features = job.estimator.features(*table, target);
        let columns: Vec<Column> = features.iter().filter_map(|name| Column::resolve(*table, name)).collect();
        let mut layers = LayerTable::new(*table, features);
        // For power, the run times of each row in all networks that have it.
        let mut row_times: Vec<Vec<f64>> = Vec::new();
        // Networks share layers; each is predicted once.
        let mut known: HashMap<Vec<u64>, usize> = HashMap::new();
        for (number, row) in rows {
            let values: Vec<f64> = columns.iter().map(|column| column.value(&row.spec)).collect();
            let next = known.len();
            let place = *known.entry(values.iter().map(|v| v.to_bits()).collect()).or_insert(next);
            if place == next {
                layers.rows.extend(&values);
                row_times.push(Vec::new());
            }
            row_times[place].extend(times.get(&(*table, *number)));
            found.places.insert((*table, *number), (found.tables.len(), place));
        }
        if target == Target::Power {
            let mean = |times: &Vec<f64>| (!times.is_empty()).then(|| times.iter().sum::<f64>() / times.len() as f64);
            layers.runtimes = row_times.iter().map(mean).collect();
        }
        found.tables.push(layers);
    }
    found
}

/// The data set of one target. `times` are the layers' run times, by which powers are weighted; unused for run time itself.
pub(super) fn total_dataset<'a>(
    job: &FitJob<'a>,
    target: Target,
    tables: &[DeviceTable<'a>],
    totals: &[Total<'a>],
    times: &LayerValues,
) -> TotalData<'a> {
    let Layers { tables: mut layer_tables, places } = layers(job, target, tables, times);
    let (mut values, mut names, mut sources, mut macs) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for total in totals.iter().filter(|total| stands_for_layers(job.data, total, target)) {
        let time: Option<f64> = total.layers.iter().map(|id| times.get(id)).sum::<Option<f64>>();
        let value = match target {
            Target::Runtime => total.measured.runtime.map(|t| t.0),
            // Where only the energy was measured, the run time is the predicted one.
            Target::Power => total.measured.power().map(|p| p.0).or_else(|| Some(total.measured.energy?.0 / time?)),
        };
        let Some(value) = value.filter(|value| *value > 0.0) else { continue };
        let weight = |id: &LayerId| match target {
            Target::Runtime => Some(1.0),
            Target::Power => Some(times.get(id)? / time?),
        };
        let Some(weights) = total.layers.iter().map(weight).collect::<Option<Vec<f64>>>() else { continue };
        let mut merged: BTreeMap<(usize, usize), f64> = BTreeMap::new();
        for (id, weight) in total.layers.iter().zip(weights) {
            if let Some(place) = places.get(id) {
                *merged.entry(*place).or_default() += weight;
            }
        }
        for ((table, row), weight) in merged {
            layer_tables[table].occurrences.push(Occurrence { measurement: values.len(), row, weight });
        }
        values.push(value);
        names.push(total.measured.network.as_str());
        sources.push(total.measured.source.as_deref());
        let of_layer = |(table, number): &LayerId| job.data.tables[table][*number].spec.work().macs.unwrap_or(0.0);
        macs.push(total.layers.iter().map(of_layer).sum());
    }
    for (table, rows) in tables {
        for (number, row) in rows {
            if let (Some(value), Some(&(table, place))) = (measured(row, target), places.get(&(*table, *number))) {
                let one = Occurrence { measurement: values.len(), row: place, weight: 1.0 };
                layer_tables[table].occurrences.push(one);
                values.push(value);
                names.push(row.network.as_str());
                sources.push(None);
                macs.push(row.spec.work().macs.unwrap_or(0.0));
            }
        }
    }
    // Variants of one network count as one, so that no fold has some of them on either side.
    let known = job.data.families();
    let families: Vec<&str> = names.iter().map(|name| known.get(name).copied().unwrap_or(name)).collect();
    let sorted: BTreeSet<&str> = families.iter().copied().collect();
    let numbers: HashMap<&str, usize> = sorted.into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    let networks = families.iter().map(|name| numbers[name]).collect();
    let data = Dataset { target, tables: layer_tables, measured: values, networks, other_target: Vec::new() };
    TotalData { data, names, sources, macs, note: None, places }
}
