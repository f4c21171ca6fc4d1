//! What holds for a device as a whole.

use super::job::{DeviceTable, FitJob, LayerId};
use super::layer_data::measured;
use super::outcome::NetworkPrediction;
use crate::fit::roofline;
use crate::model::{Device, Interval, Target};
use crate::training::Row;
use shared::units::Millis;
use std::collections::{BTreeMap, BTreeSet};

/// Describes a device by its training rows. `inferred` gives values of layers that were measured only within totals.
pub(super) fn describe(
    job: &FitJob<'_>,
    name: &str,
    tables: &[DeviceTable<'_>],
    inferred: &dyn Fn(Target, &LayerId) -> Option<f64>,
    totals: &[NetworkPrediction],
) -> Device {
    let training = || {
        tables
            .iter()
            .flat_map(|(table, rows)| rows.iter().map(|(number, row)| ((*table, *number), *row)))
            .filter(|(_, row)| !job.test_networks.contains(&row.network))
    };
    let mut powers: Vec<f64> = training()
        .filter_map(|(key, row)| measured(row, Target::Power).or_else(|| inferred(Target::Power, &key)))
        .collect();
    powers.sort_by(f64::total_cmp);
    // Layers that were measured only within totals take part with what was learnt of them.
    let timed: Vec<Row> = training()
        .filter_map(|(key, row)| {
            let runtime = row.runtime.or_else(|| inferred(Target::Runtime, &key).map(Millis))?;
            Some(Row { runtime: Some(runtime), ..row.clone() })
        })
        .collect();
    let level = job.evaluation.interval_level;
    let family = families(job, totals);
    let interval = |pairs: Vec<(usize, (f64, f64))>| {
        let (families, pairs): (Vec<usize>, Vec<(f64, f64)>) = pairs.into_iter().unzip();
        Interval::of_families(level, &pairs, &families)
    };
    let all = || totals.iter().zip(family.iter().copied());
    let energies = || all().filter_map(|(t, family)| Some((t, family, t.measured_mj?, t.predicted_mj?)));
    let runtime_total = interval(all().map(|(t, family)| (family, (t.measured_ms, t.predicted_ms))).collect());
    let mut notes = Vec::new();
    if runtime_total.is_none() {
        notes.push(format!(
            "no interval for whole networks: {} networks were held out, and a {:.0} % interval takes more",
            totals.len(),
            100.0 * level
        ));
    }
    Device {
        name: name.to_owned(),
        roofline: roofline::fit(timed.iter(), level),
        median_power_w: powers.get(powers.len() / 2).copied(),
        runtime_total,
        energy_total: interval(
            energies().map(|(_, family, measured, predicted)| (family, (measured, predicted))).collect(),
        ),
        power_total: interval(
            energies()
                .map(|(t, family, measured, predicted)| {
                    (family, (measured / t.measured_ms, predicted / t.predicted_ms))
                })
                .collect(),
        ),
        networks: training().map(|(_, row)| row.network.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        notes,
        hardware: job.data.hardware.get(name).cloned(),
        transfer: None,
    }
}

/// A number for the family of each network: variants of one network, which were held out together, have the same.
fn families(job: &FitJob<'_>, totals: &[NetworkPrediction]) -> Vec<usize> {
    let known = job.data.families();
    let name =
        |total: &'_ NetworkPrediction| known.get(total.network.as_str()).copied().unwrap_or(&total.network).to_owned();
    let names: BTreeSet<String> = totals.iter().map(name).collect();
    let numbers: BTreeMap<String, usize> = names.into_iter().enumerate().map(|(number, name)| (name, number)).collect();
    totals.iter().map(|total| numbers[&name(total)]).collect()
}
