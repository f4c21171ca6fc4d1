//! Ordinary least squares over a layer's sizes and work: a baseline, which shows what a model is worth.
//!
//! It minimises absolute errors, learns from single layers or from networks' totals, and may predict less than nothing where
//! nothing keeps it above zero. Inputs that are combinations of others, such as two columns that never differ in training,
//! have no coefficient of their own; the card names them.

use super::physics::{self, rounded};
use super::work_inputs;
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::Definition;
use crate::model::{Dataset, LayerTable, Predictor, Target};
use estimators::FitError;
use estimators::design::Design;
use estimators::formula::{Formula, FormulaExport};
use estimators::linear::least_squares;
use estimators::scaler::{Scaler, ScalerKind};
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

pub(super) static DEFINITION: Definition = Definition {
    name: "linear",
    description: "Ordinary least squares over sizes and work; a baseline, learns from layers, networks' totals, or both",
    estimator: |_, _| Box::new(LinearEstimator),
    search_space: &[],
    candidate: None,
    baseline: true,
};

pub(super) use crate::fit::kind_options::NoOptions as Options;

/// Fits linear models by ordinary least squares.
#[derive(Debug, Clone, Copy, Default)]
struct LinearEstimator;

/// The inputs of one table, standardised over its rows.
pub(super) struct Inputs {
    pub(super) formulas: Vec<Formula>,
    pub(super) scaler: Scaler,
    /// `rows × inputs`, standardised.
    pub(super) design: Design,
}

impl Inputs {
    /// The inputs of a table's rows; `change` is applied to each value before it is standardised.
    pub(super) fn of(table: &LayerTable, change: fn(f64) -> f64) -> Result<Self, FitError> {
        let formulas = work_inputs::of(table.table);
        let rows: Vec<Vec<f64>> = (0..table.len()).map(|i| rounded(table.row(i))).collect();
        let column = |formula: &Formula| rows.iter().map(|row| change(formula.value(row))).collect::<Vec<f64>>();
        let design = Design::from_columns(&formulas.iter().map(column).collect::<Vec<_>>())?;
        let scaler = Scaler::fit(ScalerKind::Standard, &design)?;
        Ok(Self { formulas, design: scaler.transform(design), scaler })
    }
}

/// Columns of a least-squares problem over the measurements: for each table one that counts its layers, then its inputs.
fn columns(data: &Dataset, inputs: &[Option<Inputs>]) -> Vec<Vec<f64>> {
    let mut columns = Vec::new();
    for (table, inputs) in data.tables.iter().zip(inputs) {
        let Some(inputs) = inputs else { continue };
        let sum = |value: &dyn Fn(usize) -> f64| {
            let mut column = vec![0.0; data.len()];
            table.occurrences.iter().for_each(|one| column[one.measurement] += one.weight * value(one.row));
            column
        };
        columns.push(sum(&|_| 1.0));
        columns.extend(inputs.design.iter_columns().map(|values| sum(&|row| values[row])));
    }
    columns
}

impl Estimator for LinearEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, _target: Target) -> Vec<String> {
        physics::features(table).iter().map(|name| (*name).to_owned()).collect()
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        if data.len() < 2 {
            return Err(FitError::TooFewRows { found: data.len(), needed: 2 });
        }
        let inputs = |table: &LayerTable| (!table.is_empty()).then(|| Inputs::of(table, |x| x)).transpose();
        let inputs: Vec<Option<Inputs>> = data.tables.iter().map(inputs).collect::<Result<_, _>>()?;
        let fit = least_squares(&Design::from_columns(&columns(data, &inputs))?, &data.measured)?;
        let mut at = 0;
        let mut models = Vec::new();
        for (table, inputs) in data.tables.iter().zip(inputs) {
            let Some(inputs) = inputs else {
                models.push(LinearPredictor::default());
                continue;
            };
            let first = at + 1;
            let coefficients = &fit.coefficients[first..first + inputs.formulas.len()];
            let names = work_inputs::names(table.table);
            let dependent = |input: &usize| fit.dependent.contains(&(first + input));
            models.push(LinearPredictor {
                intercept: fit.coefficients[at],
                centres: inputs.scaler.centre.clone(),
                slopes: coefficients.iter().zip(&inputs.scaler.scale).map(|(w, scale)| w / scale).collect(),
                dependent: (0..names.len()).filter(dependent).map(|input| names[input].clone()).collect(),
                formulas: inputs.formulas,
            });
            at += 1 + coefficients.len();
        }
        Ok(FittedModels::of(models))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({})
    }
}

/// A fitted linear model of one table.
#[derive(Debug, Clone, Default)]
struct LinearPredictor {
    formulas: Vec<Formula>,
    intercept: f64,
    /// Mean of each input in training.
    centres: Vec<f64>,
    /// Coefficient of each centred input.
    slopes: Vec<f64>,
    /// Names of the inputs that are combinations of others.
    dependent: Vec<String>,
}

impl Predictor for LinearPredictor {
    fn predict(&self, features: &[f64]) -> f64 {
        let row = rounded(features);
        let inputs = self.formulas.iter().zip(&self.centres).zip(&self.slopes);
        self.intercept + inputs.map(|((input, centre), slope)| (input.value(&row) - centre) * slope).sum::<f64>()
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        weighted_sum(graph, features, &self.formulas, |_, inputs| inputs, &self.centres, &self.slopes, self.intercept)
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({
            "intercept": self.intercept,
            "coefficients": self.slopes.iter().filter(|slope| **slope != 0.0).count(),
            "dependent_inputs": self.dependent,
        })
    }
}

/// Writes `intercept + Σ (change(input) − centre) · slope` into a graph.
pub(super) fn weighted_sum(
    graph: &mut GraphBuilder,
    features: &Value,
    formulas: &[Formula],
    change: impl Fn(&mut GraphBuilder, Value) -> Value,
    centres: &[f64],
    slopes: &[f64],
    intercept: f64,
) -> Value {
    let intercept = graph.doubles(&[intercept], &[1, 1]);
    if formulas.is_empty() {
        // A column of zeros, so that the result has a row for every row of features.
        let first = graph.columns(features, &[0]);
        let zero = graph.doubles(&[0.0], &[1, 1]);
        let zeros = graph.apply("Mul", &[&first, &zero], vec![]);
        return graph.apply("Add", &[&zeros, &intercept], vec![]);
    }
    let mut written = FormulaExport::new(features);
    let inputs: Vec<Value> = formulas.iter().map(|input| written.write(graph, input)).collect();
    let inputs = graph.beside(&inputs.iter().collect::<Vec<_>>());
    let inputs = change(graph, inputs);
    let width = formulas.len() as i64;
    let centres = graph.doubles(centres, &[1, width]);
    let slopes = graph.doubles(slopes, &[width, 1]);
    let centred = graph.apply("Sub", &[&inputs, &centres], vec![]);
    let sum = graph.apply("MatMul", &[&centred, &slopes], vec![]);
    graph.apply("Add", &[&sum, &intercept], vec![])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Occurrence;

    /// Element-wise layers whose run time is a launch and a price an element.
    fn layers() -> LayerTable {
        let features = LinearEstimator.features(Table::Pointwise, Target::Runtime);
        let mut table = LayerTable::new(Table::Pointwise, features);
        for i in 0..12 {
            let elements = 1e4 * f64::from(1 + i * i);
            table.rows.extend([1.0, elements, elements, 0.0, 4.0]);
        }
        table
    }

    fn law(row: &[f64]) -> f64 {
        0.01 + 2e-6 * row[1]
    }

    #[test]
    fn a_linear_law_is_found_although_most_inputs_depend_on_each_other() {
        let table = layers();
        let measured = (0..table.len()).map(|i| law(table.row(i))).collect();
        let data = Dataset::of_layers(Target::Runtime, table, measured, (0..12).collect());
        let models = LinearEstimator.fit(&data).expect("fits");
        for (predicted, measured) in models.predict(&data).iter().zip(&data.measured) {
            assert!((predicted / measured - 1.0).abs() < 1e-6, "{predicted} for {measured}");
        }
        let dependent = models.0[0].describe()["dependent_inputs"].as_array().map(Vec::len);
        assert!(dependent.is_some_and(|count| count >= 3), "{:?}", models.0[0].describe());
    }

    #[test]
    fn totals_of_networks_tell_what_their_layers_cost() {
        let mut table = layers();
        let mut measured = Vec::new();
        for network in 0..8 {
            let rows = [network, (network + 3) % 12, (2 * network + 5) % 12];
            measured.push(rows.iter().map(|&row| law(table.row(row))).sum());
            let occurrences = rows.iter().map(|&row| Occurrence { measurement: network, row, weight: 1.0 });
            table.occurrences.extend(occurrences);
        }
        let data = Dataset {
            target: Target::Runtime,
            tables: vec![table, LayerTable::new(Table::Dense, vec!["batch_size".to_owned()])],
            measured,
            networks: (0..8).collect(),
            other_target: Vec::new(),
        };
        let models = LinearEstimator.fit(&data).expect("fits");
        assert_eq!(models.0.len(), 2);
        let row = data.tables[0].row(11);
        assert!((models.0[0].predict(row) / law(row) - 1.0).abs() < 1e-6);
    }
}
