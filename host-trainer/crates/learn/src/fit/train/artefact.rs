//! A fitted predictor made into an artefact: graph, card, self-test.

use super::job::{FitJob, ONNX_TOLERANCE};
use crate::features::{Column, columns};
use crate::model::{
    Artefact, Card, FeatureRange, Interval, LayerTable, Predictor, Program, Scores, SelfTest, Target, Widening,
};
use crate::training::Row;
use estimators::FitError;
use estimators::metrics::Metrics;
use onnx::{GraphBuilder, Model};
use shared::engine::Table;
use std::collections::{BTreeMap, BTreeSet};

/// Rows whose predictions a card keeps as a self-test.
const SELF_TEST_ROWS: usize = 8;
/// Test networks whose scores a card lists one by one, at most.
const LISTED_NETWORKS: usize = 100;

/// A fitted model with everything that its card says of it.
pub(super) struct FittedModel<'a> {
    pub(super) predictor: &'a dyn Predictor,
    pub(super) target: Target,
    /// The features of the rows trained on.
    pub(super) layers: &'a LayerTable,
    /// The same rows as read.
    pub(super) rows: &'a [&'a Row],
    pub(super) networks: &'a BTreeSet<&'a str>,
    pub(super) scores: Scores,
    pub(super) interval: Option<Interval>,
    pub(super) widening: Vec<Widening>,
    pub(super) notes: Vec<String>,
}

/// Writes a model's graph and card.
pub(super) fn write(job: &FitJob<'_>, device: &str, model: FittedModel<'_>) -> Result<Artefact, FitError> {
    let (onnx, self_test) = export(&model, job, device)?;
    let FittedModel { predictor, target, layers, rows, networks, scores, interval, widening, notes } = model;
    let card = Card {
        schema_version: 1,
        program: Program::this(),
        device: device.to_owned(),
        hardware: job.data.hardware.get(device).cloned(),
        layer_kind: layers.table,
        target,
        unit: target.unit().to_owned(),
        model_kind: job.estimator.kind().to_owned(),
        features: ranges(layers),
        derived_ranges: derived_ranges(layers.table, rows, &layers.features),
        extraction: job.extraction,
        training_rows: layers.len(),
        training_networks: networks.iter().map(|name| (*name).to_owned()).collect(),
        test_networks: scores.test_by_network.keys().cloned().collect(),
        data_sha256: job.data.hash.clone(),
        onnx_sha256: shared::digest::sha256(&onnx),
        configuration: job.estimator.configuration(layers.table, target),
        fit: predictor.describe(),
        scores,
        interval,
        widening,
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

fn ranges(layers: &LayerTable) -> Vec<FeatureRange> {
    let column = |i: usize| layers.rows.iter().skip(i).step_by(layers.features.len()).copied();
    layers.features.iter().enumerate().map(|(i, name)| range_of(name, column(i))).collect()
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

/// Writes the graph, loads it again, and checks that it computes what the model in memory computes.
fn export(model: &FittedModel<'_>, job: &FitJob<'_>, device: &str) -> Result<(Vec<u8>, SelfTest), FitError> {
    let FittedModel { predictor, target, layers, .. } = model;
    let mut graph = GraphBuilder::new();
    let input = graph.input();
    let output = predictor.export(&mut graph, &input);
    let metadata = [
        ("device", device.to_owned()),
        ("layer_kind", layers.table.name().to_owned()),
        ("target", target.name().to_owned()),
        ("unit", target.unit().to_owned()),
        ("model_kind", job.estimator.kind().to_owned()),
        ("features", layers.features.join(",")),
        ("data_sha256", job.data.hash.clone()),
    ];
    let bytes = graph.finish(&output, target.name(), layers.features.len(), &metadata);
    let loaded = Model::load(&bytes)?;
    let step = layers.len().div_ceil(SELF_TEST_ROWS).max(1);
    let inputs: Vec<Vec<f32>> =
        (0..layers.len()).step_by(step).map(|i| layers.row(i).iter().map(|&x| x as f32).collect()).collect();
    let flat: Vec<f32> = inputs.iter().flatten().copied().collect();
    let outputs = loaded.predict(&flat)?;
    for (row, &onnx) in inputs.iter().zip(&outputs) {
        let wide: Vec<f64> = row.iter().map(|&x| f64::from(x)).collect();
        let memory = predictor.predict(&wide);
        let scale = memory.abs().max(f64::from(f32::MIN_POSITIVE));
        if (f64::from(onnx) - memory).abs() > ONNX_TOLERANCE * scale {
            return Err(FitError::OnnxDiffers { onnx, memory });
        }
    }
    Ok((bytes, SelfTest { inputs, outputs, tolerance: ONNX_TOLERANCE }))
}
