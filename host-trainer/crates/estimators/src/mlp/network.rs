//! A trained network: predicts, and writes itself into a graph.

use super::layers::Dense;
use super::scale::{InputScale, OutputScale};
use onnx::{GraphBuilder, Value};
use serde::{Deserialize, Serialize};

/// Epochs that a history lists at most; longer ones are thinned out.
const LISTED_EPOCHS: usize = 200;

/// What one epoch came to.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Epoch {
    /// Which member of the ensemble, from 0.
    pub member: usize,
    /// The epoch's number, from 1.
    pub epoch: usize,
    /// Mean loss over the training rows, as the steps met them, on the targets' scale.
    pub training: f64,
    /// Mean loss over the validation rows after it; none where no rows are kept back.
    pub validation: Option<f64>,
    /// What weight decay amounts to as a loss: half the decay times the sum of squared weights.
    #[serde(default)]
    pub regularisation: f64,
    /// Step size.
    pub learning_rate: f64,
}

impl Epoch {
    /// The loss that decides: on the validation rows where there are any.
    #[must_use]
    pub fn deciding(&self) -> f64 {
        self.validation.unwrap_or(self.training)
    }
}

/// How the training of one network went.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// Every epoch.
    pub epochs: Vec<Epoch>,
    /// The epoch whose weights were kept.
    pub best_epoch: usize,
    /// Its loss on the rows that decide.
    pub best_loss: f64,
    /// Rows trained on.
    pub training_rows: usize,
    /// Rows validated on.
    pub validation_rows: usize,
}

impl History {
    /// The history for a card; no more than 200 epochs are listed.
    #[must_use]
    pub fn describe(&self) -> serde_json::Value {
        let step = self.epochs.len().div_ceil(LISTED_EPOCHS).max(1);
        let listed: Vec<&Epoch> = self.epochs.iter().skip(step - 1).step_by(step).collect();
        let rounded = |x: f64| (1e6 * x).round() / 1e6;
        serde_json::json!({
            "epochs": self.epochs.len(),
            "best_epoch": self.best_epoch,
            "best_loss": self.best_loss,
            "training_rows": self.training_rows,
            "validation_rows": self.validation_rows,
            "curve": {
                "epoch": listed.iter().map(|e| e.epoch).collect::<Vec<_>>(),
                "training_loss": listed.iter().map(|e| rounded(e.training)).collect::<Vec<_>>(),
                "validation_loss": listed.iter().map(|e| e.validation.map(rounded)).collect::<Vec<_>>(),
            },
        })
    }
}

/// A trained network, or several whose outputs are averaged, with scalers on both ends.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Network {
    pub(super) inputs: InputScale,
    pub(super) outputs: Vec<OutputScale>,
    pub(super) members: Vec<Vec<Dense>>,
    pub(super) histories: Vec<History>,
}

impl Network {
    /// Number of values a row.
    #[must_use]
    pub fn input_count(&self) -> usize {
        self.inputs.width()
    }

    /// Number of values predicted.
    #[must_use]
    pub fn output_count(&self) -> usize {
        self.outputs.len()
    }

    /// How training went, one history a member.
    #[must_use]
    pub fn histories(&self) -> &[History] {
        &self.histories
    }

    /// Predicts one raw row: one value an output.
    #[must_use]
    pub fn predict(&self, row: &[f64]) -> Vec<f64> {
        let mut predicted = Vec::new();
        self.predict_each(std::iter::once(row), |values| predicted.extend_from_slice(values));
        predicted
    }

    /// Predicts raw rows one after the other; `each` is given the values of each, one an output. No more is kept than one row.
    ///
    /// ```
    /// use estimators::mlp::{Data, Settings, train};
    ///
    /// let rows: Vec<f64> = (1..=40).map(f64::from).collect();
    /// let data = Data { inputs: 1, outputs: 1, rows: &rows, targets: &rows, chosen: None, groups: &[] };
    /// let network = train(&data, &Settings { hidden: vec![4], epochs: 2, members: 1, ..Settings::default() })?;
    /// let mut predicted = Vec::new();
    /// network.predict_each(rows.chunks(1), |values| predicted.push(values[0]));
    /// assert_eq!(predicted[3], network.predict(&[4.0])[0]);
    /// # Ok::<(), estimators::FitError>(())
    /// ```
    pub fn predict_each<'r>(&self, rows: impl Iterator<Item = &'r [f64]>, mut each: impl FnMut(&[f64])) {
        let (mut seen, mut values, mut next, mut sums) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let count = self.members.len() as f64;
        for row in rows {
            seen.clear();
            seen.extend(self.inputs.apply(row));
            sums.clear();
            sums.resize(self.outputs.len(), 0.0);
            for member in &self.members {
                values.clone_from(&seen);
                for (number, layer) in member.iter().enumerate() {
                    next.clone_from(&layer.biases);
                    for (x, weights) in values.iter().zip(layer.weights.chunks_exact(next.len())) {
                        next.iter_mut().zip(weights).for_each(|(sum, w): (&mut f64, _)| *sum += x * w);
                    }
                    if number + 1 < member.len() {
                        next.iter_mut().for_each(|x| *x = x.max(0.0));
                    }
                    std::mem::swap(&mut values, &mut next);
                }
                sums.iter_mut().zip(&values).for_each(|(sum, z): (&mut f64, _)| *sum += z);
            }
            sums.iter_mut().zip(&self.outputs).for_each(|(sum, scale)| *sum = scale.value(*sum / count));
            each(&sums);
        }
    }

    /// Writes one output: from raw rows (`rows × inputs`, double) to a column.
    pub fn export(&self, graph: &mut GraphBuilder, rows: &Value, output: usize) -> Value {
        let columns = self.export_columns(graph, rows, output..output + 1);
        columns.into_iter().next().unwrap_or_else(|| rows.clone())
    }

    /// Writes all outputs side by side: from raw rows (`rows × inputs`, double) to `rows × outputs`.
    pub fn export_all(&self, graph: &mut GraphBuilder, rows: &Value) -> Value {
        let columns = self.export_columns(graph, rows, 0..self.outputs.len());
        graph.beside(&columns.iter().collect::<Vec<_>>())
    }

    fn export_columns(&self, graph: &mut GraphBuilder, rows: &Value, wanted: std::ops::Range<usize>) -> Vec<Value> {
        let seen = self.inputs.export(graph, rows);
        let zero = graph.doubles(&[0.0], &[1, 1]);
        let mut mean: Option<Value> = None;
        for member in &self.members {
            let mut values = seen.clone();
            for (number, layer) in member.iter().enumerate() {
                let (count, last) = (layer.biases.len(), number + 1 == member.len());
                // Of the last layer, only the columns that are asked for.
                let keep = if last { wanted.clone() } else { 0..count };
                let cut = |row: &[f64]| row[keep.clone()].to_vec();
                let weights: Vec<f64> = layer.weights.chunks_exact(count).flat_map(cut).collect();
                let shape = [(layer.weights.len() / count) as i64, keep.len() as i64];
                let weights = graph.doubles(&weights, &shape);
                let biases = graph.doubles(&layer.biases[keep.clone()], &[1, keep.len() as i64]);
                let product = graph.apply("MatMul", &[&values, &weights], vec![]);
                values = graph.apply("Add", &[&product, &biases], vec![]);
                if !last {
                    values = graph.apply("Max", &[&values, &zero], vec![]);
                }
            }
            mean = Some(match mean {
                None => values,
                Some(sum) => graph.apply("Add", &[&sum, &values], vec![]),
            });
        }
        let count = graph.doubles(&[self.members.len() as f64], &[1, 1]);
        let mean = mean.unwrap_or(seen);
        let mean = graph.apply("Div", &[&mean, &count], vec![]);
        wanted
            .clone()
            .map(|output| {
                let column = graph.columns(&mean, &[output - wanted.start]);
                self.outputs[output].export(graph, &column)
            })
            .collect()
    }

    /// What a card says of the network: its size, and how training went.
    #[must_use]
    pub fn describe(&self) -> serde_json::Value {
        let widths: Vec<usize> = self.members.first().into_iter().flatten().map(|layer| layer.biases.len()).collect();
        let weights =
            self.members.iter().flatten().map(|layer| layer.weights.len() + layer.biases.len()).sum::<usize>();
        serde_json::json!({
            "inputs": self.inputs.width(),
            "layers": widths,
            "weights": weights,
            "members": self.histories.iter().map(History::describe).collect::<Vec<_>>(),
        })
    }
}
