//! From training data to model artefacts: one power and one runtime model a layer kind, evaluated on held-out networks.

mod artefact;
mod device;
mod gaps;
mod job;
mod layer_data;
mod layers;
mod networks;
mod outcome;
mod source_scales;
mod total_baselines;
mod total_data;
mod totals;
mod validate;

pub use job::{FEWEST_ROWS, FitJob, LayerId, ONNX_TOLERANCE};
pub(crate) use layer_data::layer_dataset;
pub use outcome::{LayerPredictions, NetworkPrediction, Outcome, Skipped};
pub(crate) use total_data::learns_from_totals;
pub use validate::validate;

use crate::model::{Artefact, Target};
use crate::training::{Row, Total};
use estimators::FitError;
use job::{DeviceTable, LayerValues};
use rayon::prelude::*;
use shared::engine::Table;
use std::collections::BTreeMap;

/// What fitting one target left.
#[derive(Default)]
struct TargetModels {
    artefacts: Vec<Artefact>,
    skipped: Vec<Skipped>,
    /// Layers' values by models that had not seen their networks.
    unseen: LayerValues,
    /// Values of layers that lack a measurement.
    inferred: LayerValues,
}

type Models = BTreeMap<Target, TargetModels>;

/// Fits every model of a device. `progress` is called with each model as it is done.
///
/// ```
/// use learn::evaluate::{Baselines, Measurand, evaluate};
/// use learn::fit::kinds::Kind;
/// use learn::fit::plan::Plan;
/// use learn::fit::train::{FitJob, train};
/// use learn::predict::Models;
///
/// // Fully connected layers of four networks: batch, input and output size, run time in ms.
/// let mut table = String::from("model,batch_size,input_size,output_size,runtime,layer_name\n");
/// for i in 0..12 {
///     let input = 256 * (1 + i);
///     table += &format!("net{},1,{input},10,{},fc{i}\n", i % 4, 0.01 + 2e-6 * f64::from(input));
/// }
/// let folder = tempfile::tempdir()?;
/// std::fs::write(folder.path().join("dense.csv"), table)?;
/// let data = learn::training::read(folder.path())?;
///
/// let plan = Plan::of("physics".parse::<Kind>()?);
/// let estimator = plan.estimator();
/// let job = FitJob::new(&data, estimator.as_ref(), &plan.evaluation);
/// let outcome = train(&job, "orin-nano", &|_, _| ())?;
/// assert_eq!(outcome.artefacts.len(), 1);
///
/// // Evaluates the models on the rows they were fitted on, beside simple kinds.
/// let models = Models::of(outcome.device, outcome.artefacts, folder.path());
/// let evaluation = evaluate(&models, &data, "orin-nano", false, &Baselines::of(&data, "orin-nano", 4))?;
/// let runtime = evaluation.rows.iter().find(|row| row.target == Measurand::Runtime).ok_or("a row")?;
/// assert!(runtime.metrics.mape_percent < Some(1.0));
/// assert!(runtime.baselines["constant"].mape_percent > Some(10.0));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When no model at all can be fitted, or a fit fails for a reason other than too few rows.
pub fn train(job: &FitJob<'_>, device: &str, progress: &(dyn Fn(Table, Target) + Sync)) -> Result<Outcome, FitError> {
    let of_device = |rows: &'_ Vec<Row>| -> Vec<usize> { (0..rows.len()).filter(|&i| rows[i].is_of(device)).collect() };
    let tables: Vec<DeviceTable<'_>> = job
        .data
        .tables
        .iter()
        .map(|(table, rows)| (*table, of_device(rows).into_iter().map(|i| (i, &rows[i])).collect::<Vec<_>>()))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let totals = job.data.totals_of(device);
    let from_totals = |target| learns_from_totals(job.data, &totals, target);
    let by_layers: Vec<Target> = Target::ALL.into_iter().filter(|target| !from_totals(*target)).collect();
    let mut models = train_layers(job, device, &tables, &by_layers, progress)?;
    // Run time first: a network's power is its layers' weighted by the time that each takes.
    for target in [Target::Runtime, Target::Power].into_iter().filter(|target| from_totals(*target)) {
        let times = if target == Target::Power { times(&tables, &models) } else { LayerValues::new() };
        let fitted = train_totals(job, device, target, &tables, &totals, &times)?;
        tables.iter().for_each(|(table, _)| progress(*table, target));
        models.insert(target, fitted);
    }
    let unseen = unseen(&models);
    let totals = networks::predictions(job, &totals, &unseen);
    let inferred = |target: Target, id: &LayerId| models.get(&target)?.inferred.get(id).copied();
    let device = device::describe(job, device, &tables, &inferred, &totals);
    let (mut artefacts, mut skipped) = (Vec::new(), Vec::new());
    for of_target in models.into_values() {
        artefacts.extend(of_target.artefacts);
        skipped.extend(of_target.skipped);
    }
    artefacts.sort_by_key(|artefact: &Artefact| (artefact.card.layer_kind, artefact.card.target));
    if artefacts.is_empty() && device.roofline.is_none() {
        let needed = FEWEST_ROWS;
        return Err(FitError::TooFewRows { found: tables.iter().map(|(_, rows)| rows.len()).sum(), needed });
    }
    Ok(Outcome { artefacts, device, skipped, totals, unseen })
}

/// Fits targets from measured layers, table by table, side by side.
fn train_layers(
    job: &FitJob<'_>,
    device: &str,
    tables: &[DeviceTable<'_>],
    targets: &[Target],
    progress: &(dyn Fn(Table, Target) + Sync),
) -> Result<Models, FitError> {
    let wanted: Vec<(&DeviceTable<'_>, Target)> =
        tables.iter().flat_map(|table| targets.iter().map(move |target| (table, *target))).collect();
    let results: Vec<_> = wanted
        .par_iter()
        .map(|&((table, rows), target)| {
            let result = layers::train(job, device, *table, target, rows);
            progress(*table, target);
            (*table, target, result)
        })
        .collect();
    let mut models = Models::new();
    for (table, target, result) in results {
        let of_target = models.entry(target).or_default();
        match result {
            Ok(fitted) => {
                of_target.artefacts.push(fitted.artefact);
                of_target.unseen.extend(fitted.unseen.into_iter().map(|(number, value)| ((table, number), value)));
            }
            Err(FitError::TooFewRows { found, needed }) => {
                let reason = format!("{found} training rows, {needed} are needed");
                of_target.skipped.push(Skipped { table, target, reason });
            }
            Err(e) => return Err(e.of(format!("{} {}", table.name(), target.name()))),
        }
    }
    Ok(models)
}

/// Fits one target from totals, all tables together.
fn train_totals(
    job: &FitJob<'_>,
    device: &str,
    target: Target,
    tables: &[DeviceTable<'_>],
    totals: &[Total<'_>],
    times: &LayerValues,
) -> Result<TargetModels, FitError> {
    match totals::train(job, device, target, tables, totals, times) {
        Ok(fitted) => {
            let mut models = TargetModels { artefacts: fitted.artefacts, ..TargetModels::default() };
            for (id, value) in fitted.values {
                let row = &job.data.tables[&id.0][id.1];
                if fitted.unseen.contains(&row.network) {
                    models.unseen.insert(id, value);
                }
                models.inferred.insert(id, value);
            }
            Ok(models)
        }
        Err(FitError::TooFewRows { found, needed }) => {
            let reason = format!("{found} totals and layers, {needed} are needed");
            let skipped = |(table, _): &DeviceTable<'_>| Skipped { table: *table, target, reason: reason.clone() };
            Ok(TargetModels { skipped: tables.iter().map(skipped).collect(), ..TargetModels::default() })
        }
        Err(e) => Err(e.of(target.name())),
    }
}

/// Run times of layers, measured or else learnt from totals.
fn times(tables: &[DeviceTable<'_>], models: &Models) -> LayerValues {
    let mut times = models.get(&Target::Runtime).map(|of_target| of_target.inferred.clone()).unwrap_or_default();
    for (table, rows) in tables {
        let known = rows.iter().filter_map(|(number, row)| Some(((*table, *number), row.runtime?.0)));
        times.extend(known);
    }
    times
}

/// Both targets' predictions of each layer, in the order of tables and rows.
fn unseen(models: &Models) -> Vec<LayerPredictions> {
    let mut layers: BTreeMap<LayerId, LayerPredictions> = BTreeMap::new();
    for (target, of_target) in models {
        for (&(table, number), value) in &of_target.unseen {
            let none = LayerPredictions { table, number, power_w: None, runtime_ms: None };
            let layer = layers.entry((table, number)).or_insert(none);
            match target {
                Target::Power => layer.power_w = Some(*value),
                Target::Runtime => layer.runtime_ms = Some(*value),
            }
        }
    }
    layers.into_values().collect()
}
