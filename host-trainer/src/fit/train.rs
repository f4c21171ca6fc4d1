//! From training data to model artefacts: one power and one runtime model a layer kind, judged on held-out networks.

use super::lasso::Folds;
use super::plan::Evaluation;
use super::roofline;
use crate::evaluate::Metrics;
use crate::features::{Column, Extraction, columns};
use crate::model::{
    Artefact, Card, Device, FeatureRange, FitError, Interval, Predictor, Problem, Program, Recipe, Scores, SelfTest,
    Target,
};
use crate::onnx::{GraphBuilder, Model, Value};
use crate::training::{Row, TrainingData};
use rayon::prelude::*;
use shared::engine::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Rows a table needs before a model is fitted on it. Below it the roofline speaks for the table's layers.
pub const FEWEST_ROWS: usize = 5;
/// Rows whose predictions a card keeps as a self-test.
const SELF_TEST_ROWS: usize = 8;
/// Largest relative difference between the in-memory model and its ONNX file, and between two runtimes.
pub const ONNX_TOLERANCE: f64 = 1e-5;
/// A power that varies less than this within each network is no measurement of its layers.
const CONSTANT_POWER: f64 = 0.02;

/// What to fit.
#[derive(Debug)]
pub struct Order<'a> {
    /// The data, of every device.
    pub data: &'a TrainingData,
    /// The model kind with its options.
    pub recipe: &'a dyn Recipe,
    /// How models are judged.
    pub evaluation: &'a Evaluation,
    /// Networks kept back.
    pub test_networks: &'a BTreeSet<String>,
    /// How layers of an engine are to be read for these models.
    pub extraction: Extraction,
    /// Whether predictions may be negative.
    pub negative_predictions: bool,
}

/// What came of fitting one device.
#[derive(Debug)]
pub struct Outcome {
    /// The models.
    pub artefacts: Vec<Artefact>,
    /// What holds for the device as a whole.
    pub device: Device,
    /// What was not fitted, and why.
    pub skipped: Vec<Skipped>,
    /// Whole networks, predicted by models that did not see them, against the sums of their measured layers.
    pub totals: Vec<Total>,
}

/// A model that was not fitted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    /// Layer kind.
    pub table: Table,
    /// Target.
    pub target: Target,
    /// Why.
    pub reason: String,
}

/// One network's sums over the layers that models predict.
#[derive(Debug, Clone, PartialEq)]
pub struct Total {
    /// The network.
    pub network: String,
    /// Whether it was kept back for testing; else it was a held-out fold of cross-validation.
    pub test: bool,
    /// Layers summed.
    pub layers: usize,
    /// Sum of measured run times, ms.
    pub measured_ms: f64,
    /// Sum of predicted run times, ms.
    pub predicted_ms: f64,
    /// Sum of measured power × run time, mJ; none where a layer lacks power.
    pub measured_mj: Option<f64>,
    /// Sum of predicted power × run time, mJ.
    pub predicted_mj: Option<f64>,
}

/// Fits every model of a device. `progress` is told of each model as it is done.
///
/// # Errors
/// When no model at all can be fitted, or a fit fails for a reason other than too few rows.
pub fn train(order: &Order<'_>, device: &str, progress: &(dyn Fn(Table, Target) + Sync)) -> Result<Outcome, FitError> {
    let tables: Vec<(Table, Vec<&Row>)> = order
        .data
        .tables
        .iter()
        .map(|(table, rows)| (*table, rows.iter().filter(|row| of_device(row, device)).collect::<Vec<_>>()))
        .filter(|(_, rows)| !rows.is_empty())
        .collect();
    let jobs: Vec<(Table, &[&Row], Target)> =
        tables.iter().flat_map(|(table, rows)| Target::ALL.map(|target| (*table, rows.as_slice(), target))).collect();
    let results: Vec<_> = jobs
        .par_iter()
        .map(|&(table, rows, target)| {
            let result = train_one(order, device, table, target, rows);
            progress(table, target);
            (table, target, result)
        })
        .collect();
    let (mut fitted, mut skipped) = (Vec::new(), Vec::new());
    for (table, target, result) in results {
        match result {
            Ok(one) => fitted.push(one),
            Err(FitError::TooFewRows { found, needed }) => {
                let reason = format!("{found} training rows, {needed} are needed");
                skipped.push(Skipped { table, target, reason });
            }
            Err(e) => return Err(FitError::Failed(format!("{} {}: {e}", table.name(), target.name()))),
        }
    }
    let totals = totals(&fitted, order.test_networks);
    let device = describe_device(order, device, &tables, &totals);
    if fitted.is_empty() && device.roofline.is_none() {
        let needed = FEWEST_ROWS;
        return Err(FitError::TooFewRows { found: tables.iter().map(|(_, rows)| rows.len()).sum(), needed });
    }
    let artefacts = fitted.into_iter().map(|one| one.artefact).collect();
    Ok(Outcome { artefacts, device, skipped, totals })
}

/// Rows without a device belong to every device.
fn of_device(row: &Row, device: &str) -> bool {
    row.device.as_deref().is_none_or(|name| name == device)
}

/// A fitted model with the predictions that judged it, by layer.
struct Fitted<'a> {
    artefact: Artefact,
    target: Target,
    /// Each row that was predicted by a model that had not seen its network.
    held_out: Vec<HeldOut<'a>>,
}

/// A layer predicted by a model that had not seen its network.
#[derive(Clone, Copy)]
struct HeldOut<'a> {
    /// The layer's number among its table's rows.
    number: usize,
    row: &'a Row,
    measured: f64,
    predicted: f64,
}

fn measured(row: &Row, target: Target) -> Option<f64> {
    match target {
        Target::Power => row.power.map(|p| p.0),
        Target::Runtime => row.runtime.map(|t| t.0),
    }
}

fn train_one<'a>(
    order: &Order<'_>,
    device: &str,
    table: Table,
    target: Target,
    rows: &[&'a Row],
) -> Result<Fitted<'a>, FitError> {
    let with_target = rows.iter().copied().enumerate().filter(|(_, row)| measured(row, target).is_some());
    let (test_rows, train_rows): (Vec<_>, Vec<_>) =
        with_target.partition(|(_, row)| order.test_networks.contains(&row.network));
    let (test_numbers, test_rows): (Vec<usize>, Vec<&'a Row>) = test_rows.into_iter().unzip();
    let (train_numbers, train_rows): (Vec<usize>, Vec<&'a Row>) = train_rows.into_iter().unzip();
    if train_rows.len() < FEWEST_ROWS {
        return Err(FitError::TooFewRows { found: train_rows.len(), needed: FEWEST_ROWS });
    }
    let features = order.recipe.features(table, target);
    let problem = pose(table, target, &features, &train_rows);
    let networks: BTreeSet<&str> = train_rows.iter().map(|row| row.network.as_str()).collect();

    let (held_out, grouped) = cross_validate(order, &problem, networks.len())?;
    let predictor = fit(order, &problem)?;
    let predict_all =
        |problem: &Problem| -> Vec<f64> { (0..problem.len()).map(|i| predictor.predict(problem.row(i))).collect() };
    let test = pose(table, target, &features, &test_rows);
    let test_predictions = predict_all(&test);
    let mut test_by_network = BTreeMap::new();
    for network in test_rows.iter().map(|row| &row.network).collect::<BTreeSet<_>>() {
        let of_network: Vec<usize> = (0..test.len()).filter(|&i| test_rows[i].network == *network).collect();
        let pick = |values: &[f64]| of_network.iter().map(|&i| values[i]).collect::<Vec<_>>();
        test_by_network.insert(network.clone(), Metrics::of(&pick(&test.measured), &pick(&test_predictions)));
    }
    let scores = Scores {
        training: Metrics::of(&problem.measured, &predict_all(&problem)),
        cross_validation: held_out.as_ref().map(|predictions| Metrics::of(&problem.measured, predictions)),
        folds: held_out.as_ref().map(|_| if grouped { "by network".to_owned() } else { "by layer".to_owned() }),
        test: (!test.is_empty()).then(|| Metrics::of(&test.measured, &test_predictions)),
        test_by_network,
    };
    let interval = held_out.as_ref().filter(|_| grouped).and_then(|predictions| {
        Interval::conformal(order.evaluation.interval_level, &problem.measured, predictions, networks.len())
    });
    let mut notes = notes(&problem, &networks, interval.is_some());
    notes.extend(predictor.warnings());

    let (onnx, self_test) = export(predictor.as_ref(), &problem, order, device)?;
    let card = Card {
        schema_version: 1,
        program: Program::this(),
        device: device.to_owned(),
        layer_kind: table,
        target,
        unit: target.unit().to_owned(),
        model_kind: order.recipe.kind().to_owned(),
        features: ranges(&problem),
        derived_ranges: derived_ranges(table, &train_rows, &problem.features),
        extraction: order.extraction,
        training_rows: problem.len(),
        training_networks: networks.iter().map(|name| (*name).to_owned()).collect(),
        test_networks: scores.test_by_network.keys().cloned().collect(),
        data_sha256: order.data.hash.clone(),
        onnx_sha256: crate::model::sha256(&onnx),
        configuration: order.recipe.configuration(table, target),
        fit: predictor.describe(),
        scores,
        interval,
        self_test,
        notes,
    };
    let mut judged: Vec<HeldOut<'_>> = Vec::new();
    let mut judge = |numbers: &[usize], rows: &[&'a Row], measured: &[f64], predicted: &[f64]| {
        judged.extend((0..rows.len()).map(|i| HeldOut {
            number: numbers[i],
            row: rows[i],
            measured: measured[i],
            predicted: predicted[i],
        }));
    };
    if let Some(predictions) = held_out.filter(|_| grouped) {
        judge(&train_numbers, &train_rows, &problem.measured, &predictions);
    }
    judge(&test_numbers, &test_rows, &test.measured, &test_predictions);
    Ok(Fitted { artefact: Artefact { card, onnx }, target, held_out: judged })
}

/// The problem that rows pose. Networks are numbered in the order of their names.
fn pose(table: Table, target: Target, features: &[String], rows: &[&Row]) -> Problem {
    let columns: Vec<Column> = features.iter().filter_map(|name| Column::resolve(table, name)).collect();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.network.as_str()).collect();
    let numbers: BTreeMap<&str, usize> = names.into_iter().enumerate().map(|(i, name)| (name, i)).collect();
    Problem {
        table,
        target,
        features: features.to_vec(),
        rows: rows.iter().flat_map(|row| columns.iter().map(|column| column.value(&row.shape))).collect(),
        measured: rows.iter().map(|row| measured(row, target).unwrap_or(f64::NAN)).collect(),
        networks: rows.iter().map(|row| numbers[row.network.as_str()]).collect(),
    }
}

/// Fits, and keeps predictions at or above the smallest positive measurement: a layer takes time and power.
fn fit(order: &Order<'_>, problem: &Problem) -> Result<Box<dyn Predictor>, FitError> {
    let predictor = order.recipe.fit(problem)?;
    let smallest = problem.measured.iter().copied().filter(|y| *y > 0.0).fold(f64::INFINITY, f64::min);
    if order.negative_predictions || !smallest.is_finite() {
        return Ok(predictor);
    }
    Ok(Box::new(Floored { predictor, floor: smallest }))
}

/// A predictor that never falls below a floor.
#[derive(Debug)]
struct Floored {
    predictor: Box<dyn Predictor>,
    floor: f64,
}

impl Predictor for Floored {
    fn predict(&self, features: &[f64]) -> f64 {
        self.predictor.predict(features).max(self.floor)
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let prediction = self.predictor.export(graph, features);
        let floor = graph.doubles(&[self.floor], &[1, 1]);
        graph.apply("Max", &[&prediction, &floor], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        let mut description = self.predictor.describe();
        if let Some(fields) = description.as_object_mut() {
            fields.insert("floor".to_owned(), self.floor.into());
        }
        description
    }

    fn warnings(&self) -> Vec<String> {
        self.predictor.warnings()
    }
}

/// Predictions for every row by models that did not see the row's network, or, where there is but one network, the row.
/// The flag says which of the two it was.
fn cross_validate(order: &Order<'_>, problem: &Problem, networks: usize) -> Result<(Option<Vec<f64>>, bool), FitError> {
    let grouped = networks >= 2;
    let folds = order.evaluation.folds.min(if grouped { networks } else { problem.len() });
    if folds < 2 {
        return Ok((None, grouped));
    }
    let cut = if grouped { Folds::grouped(&problem.networks, folds) } else { Folds::contiguous(problem.len(), folds) };
    let cut = cut.map_err(|e| FitError::Failed(e.to_string()))?;
    let predictions: Result<Vec<Vec<(usize, f64)>>, FitError> = (0..folds)
        .into_par_iter()
        .map(|fold| {
            let kept = cut.training(fold);
            if kept.len() < 2 {
                return Err(FitError::TooFewRows { found: kept.len(), needed: 2 });
            }
            let predictor = fit(order, &problem.subset(&kept))?;
            Ok(cut.held_out(fold).into_iter().map(|i| (i, predictor.predict(problem.row(i)))).collect())
        })
        .collect();
    let predictions = match predictions {
        Ok(predictions) => predictions,
        // One network may hold nearly all rows; then there is nothing to judge by.
        Err(FitError::TooFewRows { .. }) => return Ok((None, grouped)),
        Err(e) => return Err(e),
    };
    let mut all = vec![f64::NAN; problem.len()];
    for (i, prediction) in predictions.into_iter().flatten() {
        all[i] = prediction;
    }
    Ok((Some(all), grouped))
}

fn range_of(name: &str, values: impl Iterator<Item = f64>) -> FeatureRange {
    let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), v| (min.min(v), max.max(v)));
    FeatureRange { name: name.to_owned(), unit: columns::unit(name).to_owned(), min, max }
}

fn ranges(problem: &Problem) -> Vec<FeatureRange> {
    let column = |i: usize| problem.rows.iter().skip(i).step_by(problem.features.len()).copied();
    problem.features.iter().enumerate().map(|(i, name)| range_of(name, column(i))).collect()
}

/// A layer can lie within every feature's range and yet be far from all that was trained on: a dense 3×3 convolution where
/// training saw wide 1×1 and depthwise 3×3 ones. Its operations and weights tell.
fn derived_ranges(table: Table, rows: &[&Row], features: &[String]) -> Vec<FeatureRange> {
    ["macs", "weights", "input_elements", "output_elements"]
        .into_iter()
        .filter(|name| !features.iter().any(|feature| feature == name))
        .filter_map(|name| Column::resolve(table, name).map(|column| (name, column)))
        .map(|(name, column)| range_of(name, rows.iter().map(|row| column.value(&row.shape))))
        .collect()
}

/// What the data alone say about how far a model can be trusted.
fn notes(problem: &Problem, networks: &BTreeSet<&str>, has_interval: bool) -> Vec<String> {
    let mut notes = Vec::new();
    if let [only] = networks.iter().collect::<Vec<_>>().as_slice() {
        notes.push(format!("trained on one network, {only}: nothing is known of its accuracy on others"));
    }
    if !has_interval {
        notes.push("the data are too thin for an interval".to_owned());
    }
    if problem.target == Target::Power {
        let spread = (0..networks.len()).map(|network| {
            let powers: Vec<f64> =
                (0..problem.len()).filter(|&i| problem.networks[i] == network).map(|i| problem.measured[i]).collect();
            coefficient_of_variation(&powers)
        });
        let widest = spread.fold(0.0, f64::max);
        if widest < CONSTANT_POWER {
            notes.push(format!(
                "power varies by less than {:.0} % within each network: it is one constant a network, not a measurement of \
                 its layers",
                (100.0 * widest).floor() + 1.0
            ));
        }
    }
    notes
}

fn coefficient_of_variation(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return 0.0;
    }
    let mean = values.iter().sum::<f64>() / values.len() as f64;
    let variance = values.iter().map(|v| (v - mean) * (v - mean)).sum::<f64>() / (values.len() - 1) as f64;
    variance.sqrt() / mean.abs()
}

/// Writes the graph, loads it again, and checks that it says what the model in memory says.
fn export(
    predictor: &dyn Predictor,
    problem: &Problem,
    order: &Order<'_>,
    device: &str,
) -> Result<(Vec<u8>, SelfTest), FitError> {
    let mut graph = GraphBuilder::new();
    let input = graph.input();
    let output = predictor.export(&mut graph, &input);
    let metadata = [
        ("device", device.to_owned()),
        ("layer_kind", problem.table.name().to_owned()),
        ("target", problem.target.name().to_owned()),
        ("unit", problem.target.unit().to_owned()),
        ("model_kind", order.recipe.kind().to_owned()),
        ("features", problem.features.join(",")),
        ("data_sha256", order.data.hash.clone()),
    ];
    let bytes = graph.finish(&output, problem.target.name(), problem.features.len(), &metadata);
    let model = Model::load(&bytes).map_err(|e| FitError::Failed(e.to_string()))?;
    let step = problem.len().div_ceil(SELF_TEST_ROWS).max(1);
    let inputs: Vec<Vec<f32>> =
        (0..problem.len()).step_by(step).map(|i| problem.row(i).iter().map(|&x| x as f32).collect()).collect();
    let flat: Vec<f32> = inputs.iter().flatten().copied().collect();
    let outputs = model.predict(&flat).map_err(|e| FitError::Failed(e.to_string()))?;
    for (row, &output) in inputs.iter().zip(&outputs) {
        let wide: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let expected = predictor.predict(&wide);
        let scale = expected.abs().max(f64::from(f32::MIN_POSITIVE));
        if (f64::from(output) - expected).abs() > ONNX_TOLERANCE * scale {
            return Err(FitError::Failed(format!(
                "the ONNX model gives {output} where the model in memory gives {expected}"
            )));
        }
    }
    Ok((bytes, SelfTest { inputs, outputs, tolerance: ONNX_TOLERANCE }))
}

/// Sums over each network's layers, of networks that no model involved had seen.
fn totals(fitted: &[Fitted<'_>], test_networks: &BTreeSet<String>) -> Vec<Total> {
    // Layers by table and number in it, each with measurement and prediction of power and of run time.
    type Layers<'a> = BTreeMap<(Table, usize), (&'a Row, [Option<(f64, f64)>; 2])>;
    let mut layers: Layers<'_> = BTreeMap::new();
    for one in fitted {
        for held in &one.held_out {
            let key = (one.artefact.card.layer_kind, held.number);
            let slot = &mut layers.entry(key).or_insert((held.row, [None, None])).1;
            slot[usize::from(one.target == Target::Runtime)] = Some((held.measured, held.predicted));
        }
    }
    let mut totals: BTreeMap<&str, Total> = BTreeMap::new();
    for (row, [power, runtime]) in layers.values() {
        let Some((measured_ms, predicted_ms)) = *runtime else { continue };
        let total = totals.entry(&row.network).or_insert_with(|| Total {
            network: row.network.clone(),
            test: test_networks.contains(&row.network),
            layers: 0,
            measured_ms: 0.0,
            predicted_ms: 0.0,
            measured_mj: Some(0.0),
            predicted_mj: Some(0.0),
        });
        total.layers += 1;
        total.measured_ms += measured_ms;
        total.predicted_ms += predicted_ms;
        total.measured_mj = total.measured_mj.zip(*power).map(|(sum, (w, _))| sum + w * measured_ms);
        total.predicted_mj = total.predicted_mj.zip(*power).map(|(sum, (_, w))| sum + w * predicted_ms);
    }
    totals.into_values().collect()
}

fn describe_device(order: &Order<'_>, name: &str, tables: &[(Table, Vec<&Row>)], totals: &[Total]) -> Device {
    let training =
        || tables.iter().flat_map(|(_, rows)| rows).filter(|row| !order.test_networks.contains(&row.network));
    let mut powers: Vec<f64> = training().filter_map(|row| row.power).map(|p| p.0).collect();
    powers.sort_by(f64::total_cmp);
    let level = order.evaluation.interval_level;
    let interval = |pairs: Vec<(f64, f64)>| {
        let (measured, predicted): (Vec<f64>, Vec<f64>) = pairs.into_iter().unzip();
        Interval::conformal(level, &measured, &predicted, measured.len())
    };
    let runtime_total = interval(totals.iter().map(|t| (t.measured_ms, t.predicted_ms)).collect());
    let energy_total = interval(totals.iter().filter_map(|t| t.measured_mj.zip(t.predicted_mj)).collect());
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
        roofline: roofline::fit(training()),
        median_power_w: powers.get(powers.len() / 2).copied(),
        runtime_total,
        energy_total,
        networks: training().map(|row| row.network.clone()).collect::<BTreeSet<_>>().into_iter().collect(),
        notes,
    }
}
