//! A fitted predictor made into an artefact: graph, card, self-test.

use super::{ONNX_TOLERANCE, Order, SELF_TEST_ROWS};
use crate::features::{Column, columns};
use crate::model::{Artefact, Card, FeatureRange, Interval, Predictor, Problem, Program, Scores, SelfTest};
use crate::training::Row;
use estimators::FitError;
use estimators::metrics::Metrics;
use onnx::{GraphBuilder, Model};
use shared::engine::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Test networks whose scores a card lists one by one, at most.
const LISTED_NETWORKS: usize = 100;

/// What an artefact is made of.
pub(super) struct Making<'a> {
    pub(super) predictor: &'a dyn Predictor,
    /// The rows trained on, with table, target and features.
    pub(super) problem: &'a Problem,
    /// The same rows as read.
    pub(super) rows: &'a [&'a Row],
    pub(super) networks: &'a BTreeSet<&'a str>,
    pub(super) scores: Scores,
    pub(super) interval: Option<Interval>,
    pub(super) notes: Vec<String>,
}

pub(super) fn make(order: &Order<'_>, device: &str, made: Making<'_>) -> Result<Artefact, FitError> {
    let Making { predictor, problem, rows, networks, scores, interval, notes } = made;
    let (onnx, self_test) = export(predictor, problem, order, device)?;
    let card = Card {
        schema_version: 1,
        program: Program::this(),
        device: device.to_owned(),
        layer_kind: problem.table,
        target: problem.target,
        unit: problem.target.unit().to_owned(),
        model_kind: order.recipe.kind().to_owned(),
        features: ranges(problem),
        derived_ranges: derived_ranges(problem.table, rows, &problem.features),
        extraction: order.extraction,
        training_rows: problem.len(),
        training_networks: networks.iter().map(|name| (*name).to_owned()).collect(),
        test_networks: scores.test_by_network.keys().cloned().collect(),
        data_sha256: order.data.hash.clone(),
        onnx_sha256: shared::digest::sha256(&onnx),
        configuration: order.recipe.configuration(problem.table, problem.target),
        fit: predictor.describe(),
        scores,
        interval,
        self_test,
        notes,
    };
    Ok(Artefact { card, onnx })
}

/// Metrics of each network's pairs of measured and predicted, unless there are too many to list.
pub(super) fn metrics_by_network<'a>(pairs: impl Iterator<Item = (&'a str, (f64, f64))>) -> BTreeMap<String, Metrics> {
    let mut networks: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for (network, (measured, predicted)) in pairs {
        let of_network = networks.entry(network).or_default();
        of_network.0.push(measured);
        of_network.1.push(predicted);
    }
    if networks.len() > LISTED_NETWORKS {
        return BTreeMap::new();
    }
    networks
        .into_iter()
        .map(|(name, (measured, predicted))| (name.to_owned(), Metrics::of(&measured, &predicted)))
        .collect()
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
        .map(|(name, column)| range_of(name, rows.iter().map(|row| column.value(&row.spec))))
        .collect()
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
