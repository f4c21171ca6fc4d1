//! Whole networks: sums over layers that no model involved had seen, against what was measured.

use super::job::{FitJob, LayerId};
use super::outcome::{LayerPredictions, NetworkPrediction};
use crate::training::Total;
use std::collections::{BTreeMap, BTreeSet};

/// Sums over each network's layers: against the network's total where one was measured, else against the sum of its measured
/// layers.
pub(super) fn predictions(
    job: &FitJob<'_>,
    known: &[Total<'_>],
    unseen: &[LayerPredictions],
) -> Vec<NetworkPrediction> {
    let known_layers: BTreeMap<LayerId, &LayerPredictions> =
        unseen.iter().map(|layer| ((layer.table, layer.number), layer)).collect();
    let mut sums: Vec<NetworkPrediction> = Vec::new();
    let mut done: BTreeSet<&str> = BTreeSet::new();
    for total in known {
        done.insert(&total.measured.network);
        let Some(measured_ms) = total.measured.runtime.map(|t| t.0) else { continue };
        let layers: Option<Vec<&LayerPredictions>> =
            total.layers.iter().map(|id| known_layers.get(id).copied()).collect();
        let Some(layers) = layers else { continue };
        let Some(predicted_ms) = layers.iter().map(|layer| layer.runtime_ms).sum::<Option<f64>>() else { continue };
        sums.push(NetworkPrediction {
            network: total.measured.network.clone(),
            test: job.test_networks.contains(&total.measured.network),
            layers: total.layers.clone(),
            measured_ms,
            predicted_ms,
            measured_mj: total.measured.energy().map(|e| e.0),
            predicted_mj: layers.iter().map(|layer| Some(layer.power_w? * layer.runtime_ms?)).sum(),
        });
    }
    let mut by_network: BTreeMap<&str, NetworkPrediction> = BTreeMap::new();
    for ((table, number), layer) in &known_layers {
        let row = &job.data.tables[table][*number];
        let (Some(measured_ms), Some(time)) = (row.runtime.map(|t| t.0), layer.runtime_ms) else { continue };
        if done.contains(row.network.as_str()) {
            continue;
        }
        let total = by_network.entry(&row.network).or_insert_with(|| NetworkPrediction {
            network: row.network.clone(),
            test: job.test_networks.contains(&row.network),
            layers: Vec::new(),
            measured_ms: 0.0,
            predicted_ms: 0.0,
            measured_mj: Some(0.0),
            predicted_mj: Some(0.0),
        });
        total.layers.push((*table, *number));
        total.measured_ms += measured_ms;
        total.predicted_ms += time;
        total.measured_mj = total.measured_mj.zip(row.power).map(|(sum, p)| sum + p.0 * measured_ms);
        total.predicted_mj = total.predicted_mj.zip(layer.power_w).map(|(sum, p)| sum + p * time);
    }
    sums.extend(by_network.into_values());
    sums
}
