//! From a table to a graph with a card, judged on folds and on rows kept back.

use super::data::{Part, TableData};
use crate::fit::cross_validation::folds_by_row;
use crate::fit::kinds::Kind;
use crate::fit::plan::Plan;
use crate::fit::train::ONNX_TOLERANCE;
use crate::model::{FeatureRange, Program};
use estimators::metrics::{Errors, Metrics};
use estimators::mlp::{self, History, Network, Partition, Progress, Sampling, Stepwise};
use estimators::{FitError, fold_hash};
use onnx::{GraphBuilder, Model};
use serde::Serialize;
use std::collections::BTreeMap;
use std::ops::ControlFlow;

/// One row in so many is kept back for testing; no fold and no trial sees it.
const TEST_ONE_IN: u64 = 5;
/// Rows it takes.
const FEWEST_ROWS: usize = 20;
/// Rows whose predictions a card keeps as a self-test.
const SELF_TEST_ROWS: usize = 8;

/// What a reader should know of a model of a table.
#[derive(Debug, Clone, Serialize)]
pub struct TableCard {
    /// The card's own version.
    pub schema_version: u32,
    /// What fitted it.
    pub program: Program,
    /// The tag whose rows it was trained on.
    pub tag: String,
    /// The model kind.
    pub model_kind: &'static str,
    /// Raw inputs in the order of the ONNX input, each with the range seen in training.
    pub inputs: Vec<FeatureRange>,
    /// Outputs: of each a graph, `<output>.onnx`, with its SHA-256.
    pub onnx_sha256: BTreeMap<String, String>,
    /// Rows trained on.
    pub training_rows: usize,
    /// Rows kept back for testing.
    pub test_rows: usize,
    /// Rows that held a zero where a zero is no value.
    pub rows_with_zeros: usize,
    /// Rows left out, since a column held no number.
    pub rows_without_numbers: usize,
    /// SHA-256 of the rows.
    pub data_sha256: String,
    /// The options it was fitted with.
    pub configuration: serde_json::Value,
    /// How training went.
    pub fit: serde_json::Value,
    /// Figures of each output on folds that the model did not see.
    pub cross_validation: BTreeMap<String, Metrics>,
    /// Figures of each output on the rows kept back.
    pub test: BTreeMap<String, Metrics>,
    /// A few inputs, and each output for them.
    pub self_test: SelfTest,
}

/// Inputs with the predictions that belong to them.
#[derive(Debug, Clone, Serialize)]
pub struct SelfTest {
    /// Raw inputs, row by row.
    pub inputs: Vec<Vec<f32>>,
    /// Predictions of each output.
    pub outputs: BTreeMap<String, Vec<f32>>,
}

/// A model of a table.
#[derive(Debug, Clone)]
pub struct Fitted {
    /// Its card.
    pub card: TableCard,
    /// A graph an output, by name.
    pub graphs: BTreeMap<String, Vec<u8>>,
}

/// Rows to train on and rows kept back. Rows are listed by number from here on: copies would be most of the memory of a fit.
fn split(data: &TableData) -> (Vec<u32>, Vec<u32>) {
    (0..data.len() as u32).partition(|row| !fold_hash(*row as usize).is_multiple_of(TEST_ONE_IN))
}

/// Refuses a model kind that no table can have.
///
/// # Errors
/// [`FitError::Options`], for every kind but `mlp`.
pub fn check_kind(plan: &Plan) -> Result<(), FitError> {
    if plan.kind == Kind::MLP {
        return Ok(());
    }
    Err(FitError::Options(format!("{} knows layers; a table of any other kind takes mlp", plan.kind.name())))
}

fn table<'a>(Part { data, numbers }: Part<'a>) -> mlp::Data<'a> {
    mlp::Data {
        inputs: data.inputs.len(),
        outputs: data.outputs.len(),
        rows: &data.rows,
        targets: &data.targets,
        chosen: Some(numbers),
        groups: &[],
    }
}

fn network(rows: Part<'_>, plan: &Plan) -> Result<Network, FitError> {
    check_kind(plan)?;
    mlp::train(&table(rows), &plan.options())
}

/// Adds a network's errors on some rows to those of each output.
fn add_errors(errors: &mut [Errors], network: &Network, rows: Part<'_>) {
    let mut targets = rows.targets();
    network.predict_each(rows.inputs(), |predicted| {
        let pairs = targets.next().into_iter().flatten().zip(predicted);
        errors.iter_mut().zip(pairs).for_each(|(errors, (y, p))| errors.add(*y, *p));
    });
}

/// The metrics of each output, of errors on these rows.
fn metrics(errors: &[Errors], rows: Part<'_>) -> Vec<Metrics> {
    let of = |(output, errors): (usize, &Errors)| errors.metrics(rows.targets().map(move |targets| targets[output]));
    errors.iter().enumerate().map(of).collect()
}

/// The metrics of each output of a network on some rows.
fn judge(network: &Network, rows: Part<'_>) -> Vec<Metrics> {
    let mut errors = vec![Errors::default(); rows.data.outputs.len()];
    add_errors(&mut errors, network, rows);
    metrics(&errors, rows)
}

/// Folds that judge.
#[must_use]
pub fn folds(plan: &Plan) -> u32 {
    plan.evaluation.folds.max(2) as u32
}

/// Cross-validates on the rows that are not kept back; `after_fold` gets a fold's number from 1 and figures of each output
/// on the rows held out so far. None where it breaks off.
///
/// # Errors
/// Too few rows, or a fit that fails.
pub fn validate(
    data: &TableData,
    plan: &Plan,
    after_fold: &mut dyn FnMut(u32, &[Metrics]) -> ControlFlow<()>,
) -> Result<Option<Vec<Metrics>>, FitError> {
    let (training, _) = split(data);
    if training.len() < FEWEST_ROWS {
        return Err(FitError::TooFewRows { found: training.len(), needed: FEWEST_ROWS });
    }
    let Some(folds) = folds_by_row(training.len(), folds(plan) as usize) else {
        return Err(FitError::TooFewRows { found: training.len(), needed: 2 });
    };
    let mut held_out = Vec::with_capacity(training.len());
    let mut errors = vec![Errors::default(); data.outputs.len()];
    let mut figures = Vec::new();
    for number in 0..folds.count() {
        let is_held_out = |place: usize| folds.fold_of_row()[place] == number;
        let side = |held_out: bool| {
            let rows = training.iter().enumerate().filter(move |(place, _)| is_held_out(*place) == held_out);
            rows.map(|(_, row)| *row)
        };
        let fitted = {
            let seen: Vec<u32> = side(false).collect();
            network(data.part(&seen), plan)?
        };
        let before = held_out.len();
        held_out.extend(side(true));
        add_errors(&mut errors, &fitted, data.part(&held_out[before..]));
        figures = metrics(&errors, data.part(&held_out));
        if after_fold(number as u32 + 1, &figures).is_break() {
            return Ok(None);
        }
    }
    Ok(Some(figures))
}

/// Fits a model, judges it, and writes a graph for each output, which is run and compared with the model in memory.
///
/// # Errors
/// Too few rows, a fit that fails, or a graph that says something else.
pub fn fit(data: &TableData, plan: &Plan) -> Result<Fitted, FitError> {
    let judged = validate(data, plan, &mut |_, _| ControlFlow::Continue(()))?.unwrap_or_default();
    let (training, test) = split(data);
    let fitted = network(data.part(&training), plan)?;
    let tested = judge(&fitted, data.part(&test));
    with_card(&fitted, plan, data.part(&training), test.len(), &tested, judged)
}

/// Rows of a table by what they are for.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct RowSplit {
    /// Rows to train on.
    pub training: Vec<u32>,
    /// Rows to validate on after each epoch, which decide when training stops.
    pub validation: Vec<u32>,
    /// Rows that judge the model; training does not see them.
    pub test: Vec<u32>,
    /// How an epoch draws the training rows.
    pub sampling: Sampling,
}

/// A model of a table that was trained on chosen rows.
#[derive(Debug, Clone)]
pub struct SplitFit {
    /// The model. Its card has no cross-validation.
    pub fitted: Fitted,
    /// Metrics of each output on the test rows.
    pub test: Vec<Metrics>,
    /// How training went, one history a network.
    pub histories: Vec<History>,
}

/// Trains on rows that are chosen, some epochs at a time, and judges by others. `after` sees how far training is after every so
/// many epochs and may break it off, which gives none; with what it kept, training goes on where it stood.
///
/// # Errors
/// A kind that no table can have, too few rows, a training that fails, progress of another training, or a graph that says
/// something else.
pub fn fit_split(
    data: &TableData,
    plan: &Plan,
    split: &RowSplit,
    every: usize,
    from: Option<Progress>,
    after: &mut dyn FnMut(&Progress) -> ControlFlow<()>,
) -> Result<Option<SplitFit>, FitError> {
    check_kind(plan)?;
    let all = split.training.iter().chain(&split.validation).chain(&split.test);
    if all.into_iter().any(|row| *row as usize >= data.len()) {
        return Err(FitError::Data("a split names a row that the table does not have".to_owned()));
    }
    if split.training.len() < FEWEST_ROWS {
        return Err(FitError::TooFewRows { found: split.training.len(), needed: FEWEST_ROWS });
    }
    // Scales come from these rows: the test rows take no part in anything.
    let seen = [split.training.as_slice(), &split.validation].concat();
    let (training, all) = (split.training.len() as u32, seen.len() as u32);
    let partition = Partition {
        training: (0..training).collect(),
        validation: (training..all).collect(),
        sampling: split.sampling.clone(),
    };
    let how = Stepwise { partition: Some(partition), from, every };
    let trained = mlp::train_stepwise(&table(data.part(&seen)), &plan.options(), how, after)?;
    let Some(network) = trained else { return Ok(None) };
    let tested = judge(&network, data.part(&split.test));
    let fitted = with_card(&network, plan, data.part(&split.training), split.test.len(), &tested, Vec::new())?;
    Ok(Some(SplitFit { fitted, test: tested, histories: network.histories().to_vec() }))
}

/// The graphs and the card of a trained network, which was tested on rows and judged on folds. Each graph is run and compared with
/// the network in memory.
fn with_card(
    fitted: &Network,
    plan: &Plan,
    training: Part<'_>,
    test_rows: usize,
    tested: &[Metrics],
    judged: Vec<Metrics>,
) -> Result<Fitted, FitError> {
    let data = training.data;
    let named = |figures: Vec<Metrics>| data.outputs.iter().cloned().zip(figures).collect::<BTreeMap<_, _>>();
    let width = data.inputs.len();
    let step = training.len().div_ceil(SELF_TEST_ROWS).max(1);
    let inputs: Vec<Vec<f32>> =
        training.inputs().step_by(step).map(|row| row.iter().map(|x| *x as f32).collect()).collect();
    let flat: Vec<f32> = inputs.iter().flatten().copied().collect();
    let (mut graphs, mut outputs, mut hashes) = (BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
    for (o, name) in data.outputs.iter().enumerate() {
        let mut graph = GraphBuilder::new();
        let input = graph.input();
        let output = fitted.export(&mut graph, &input, o);
        let metadata = [
            ("tag", data.tag.clone()),
            ("model_kind", plan.kind.name().to_owned()),
            ("features", data.inputs.join(",")),
            ("data_sha256", data.hash.clone()),
        ];
        let bytes = graph.finish(&output, "prediction", width, &metadata);
        let predicted = Model::load(&bytes)?.predict(&flat)?;
        for (row, got) in inputs.iter().zip(&predicted) {
            let wide: Vec<f64> = row.iter().map(|x| f64::from(*x)).collect();
            let expected = fitted.predict(&wide)[o];
            if (f64::from(*got) - expected).abs() > ONNX_TOLERANCE * expected.abs().max(f64::from(f32::MIN_POSITIVE)) {
                return Err(FitError::OnnxDiffers { onnx: *got, memory: expected });
            }
        }
        hashes.insert(name.clone(), shared::digest::sha256(&bytes));
        outputs.insert(name.clone(), predicted);
        graphs.insert(name.clone(), bytes);
    }
    let range = |(i, name): (usize, &String)| {
        let values = training.inputs().map(|row| row[i]);
        let (min, max) = values.fold((f64::INFINITY, f64::NEG_INFINITY), |(min, max), x| (min.min(x), max.max(x)));
        FeatureRange { name: name.clone(), unit: String::new(), min, max }
    };
    let card = TableCard {
        schema_version: 1,
        program: Program::this(),
        tag: data.tag.clone(),
        model_kind: plan.kind.name(),
        inputs: data.inputs.iter().enumerate().map(range).collect(),
        onnx_sha256: hashes,
        training_rows: training.len(),
        test_rows,
        rows_with_zeros: data.with_zeros,
        rows_without_numbers: data.no_numbers,
        data_sha256: data.hash.clone(),
        configuration: serde_json::json!({ "mlp": plan.options::<mlp::Settings>() }),
        fit: fitted.describe(),
        cross_validation: named(judged),
        test: named(tested.to_vec()),
        self_test: SelfTest { inputs, outputs },
    };
    Ok(Fitted { card, graphs })
}
