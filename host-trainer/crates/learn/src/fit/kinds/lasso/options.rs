//! Options of the Lasso, and the reference's choice of columns and terms.

use crate::features::columns;
use crate::fit::kind_options::{Options, within};
use crate::fit::plan::ReferenceFaults;
use crate::model::Target;
use estimators::scaler::ScalerKind;
use serde::{Deserialize, Serialize};
use shared::engine::Table;
use shared::near::near;
use std::collections::BTreeMap;

/// How rows are weighted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Weighting {
    /// All alike, as the reference does: absolute errors count.
    #[default]
    Equal,
    /// By the inverse square of the measurement: relative errors count.
    Relative,
}

/// Options of the Lasso; the names are scikit-learn's `LassoCV`'s.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LassoOptions {
    /// Folds by which the penalty is chosen.
    pub folds: usize,
    /// Penalties tried.
    pub alphas: usize,
    /// Smallest penalty over largest.
    pub eps: f64,
    /// Sweeps over the coefficients at most, each penalty.
    pub max_iter: usize,
    /// Tolerance of the duality gap.
    pub tol: f64,
    /// How rows are weighted.
    pub weighting: Weighting,
    /// Differences from the defaults, by layer kind and target.
    pub models: BTreeMap<Table, BTreeMap<Target, LassoModel>>,
}

impl Default for LassoOptions {
    fn default() -> Self {
        Self {
            folds: 10,
            alphas: 500,
            eps: 1e-3,
            max_iter: 10_000,
            tol: 1e-4,
            weighting: Weighting::Equal,
            models: BTreeMap::new(),
        }
    }
}

impl Options for LassoOptions {
    const SECTION: Option<&'static str> = Some("lasso");

    fn check(&self) -> Result<(), String> {
        within("lasso.folds", self.folds >= 2, "at least 2")?;
        within("lasso.alphas", (1..=10_000).contains(&self.alphas), "1 to 10,000")?;
        within("lasso.eps", self.eps > 0.0 && self.eps < 1.0, "between 0 and 1")?;
        within("lasso.tol", self.tol > 0.0, "positive")?;
        within("lasso.max_iter", self.max_iter >= 1, "at least 1")?;
        for (table, targets) in &self.models {
            for (target, model) in targets {
                let name = format!("lasso.models.{}.{}", table.name(), target.name());
                within(&format!("{name}.degree"), model.degree.is_none_or(|d| (1..=4).contains(&d)), "1 to 4")?;
                check_columns(*table, model.input_cols.as_deref().unwrap_or_default())
                    .map_err(|e| format!("{name}.input_cols: {e}"))?;
            }
        }
        Ok(())
    }
}

/// Options of one Lasso model; what is absent keeps the default of its layer kind and target.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LassoModel {
    /// Largest total degree of the polynomial's terms, 1 to 4.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub degree: Option<u32>,
    /// Whether the polynomial is over log(1 + x) instead of x.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub log: Option<bool>,
    /// Whether products that count operations and bytes are added.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub special_terms: Option<bool>,
    /// How terms are scaled: `standard`, `robust` or `minmax`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scaler: Option<ScalerKind>,
    /// Whether coefficients must not be negative.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub positive: Option<bool>,
    /// Whether there is a constant beside the terms.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub intercept: Option<bool>,
    /// Columns read, in order.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub input_cols: Option<Vec<String>>,
}

/// [`LassoModel`] with every option settled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LassoSettings {
    /// Largest total degree.
    pub degree: u32,
    /// Polynomial over log(1 + x).
    pub log: bool,
    /// Special terms added.
    pub special_terms: bool,
    /// Scaler.
    pub scaler: ScalerKind,
    /// Non-negative coefficients.
    pub positive: bool,
    /// Intercept.
    pub intercept: bool,
    /// Columns read.
    pub input_cols: Vec<String>,
}

impl LassoOptions {
    /// The settled options of one model: those given, else the defaults of the reference's pipeline.
    #[must_use]
    pub fn settings(&self, table: Table, target: Target, faults: ReferenceFaults) -> LassoSettings {
        let given = self.models.get(&table).and_then(|targets| targets.get(&target)).cloned().unwrap_or_default();
        let convolution_power = table == Table::Convolutional && target == Target::Power;
        let pooling = table == Table::Pooling;
        let reference_kind = matches!(table, Table::Convolutional | Table::Pooling | Table::Dense);
        LassoSettings {
            degree: given.degree.unwrap_or(if reference_kind { 3 } else { 2 }),
            log: given.log.unwrap_or(convolution_power),
            special_terms: given.special_terms.unwrap_or(true),
            scaler: given.scaler.unwrap_or(if pooling && target == Target::Power {
                ScalerKind::Robust
            } else {
                ScalerKind::Standard
            }),
            positive: given.positive.unwrap_or(!(pooling && target == Target::Runtime)),
            intercept: given.intercept.unwrap_or(true),
            input_cols: given.input_cols.unwrap_or_else(|| default_columns(table, faults)),
        }
    }
}

/// The columns a table's models read when none are named.
fn default_columns(table: Table, faults: ReferenceFaults) -> Vec<String> {
    let mut names: Vec<&str> = columns::reference_columns(table).to_vec();
    match table {
        Table::Convolutional if !faults.ignore_groups => names.push("group_channels"),
        Table::Pooling if !faults.ignore_pool_window => names.extend(["padding_0", "padding_1"]),
        Table::Dense if !faults.dense_batch_twice => {
            names = vec!["batch_size", "input_features", "output_features", "weights"];
        }
        _ => {}
    }
    if !faults.ignore_precision {
        names.push("element_bytes");
    }
    names.into_iter().map(str::to_owned).collect()
}

/// Special terms of a table: products of columns, as the reference has them, with its fault mended unless wanted.
pub(super) fn special_terms(table: Table, faults: ReferenceFaults) -> Vec<Vec<&'static str>> {
    match table {
        Table::Convolutional => {
            let operations: &[&str] = if faults.ops_by_output_width {
                &["input_size_0", "input_size_1", "input_size_2", "kernel_0", "kernel_1", "output_size_2"]
            } else if faults.ignore_groups {
                &["input_size_0", "output_size_0", "output_size_1", "output_size_2", "kernel_0", "kernel_1"]
            } else {
                &["group_channels", "output_size_0", "output_size_1", "output_size_2", "kernel_0", "kernel_1"]
            };
            vec![operations.to_vec(), [operations, &["batch_size"]].concat()]
        }
        Table::Pooling => vec![
            vec!["batch_size", "input_size_0", "input_size_1", "input_size_2"],
            vec!["batch_size", "output_size_0", "output_size_1", "output_size_2"],
            vec!["batch_size", "input_size_0", "input_size_1", "input_size_2", "kernel_0", "kernel_1"],
        ],
        _ => Vec::new(),
    }
}

/// Checks that columns exist in a table.
///
/// # Errors
/// A sentence that names the first that does not, and what there is.
pub fn check_columns(table: Table, names: &[String]) -> Result<(), String> {
    match names.iter().find(|name| columns::Column::resolve(table, name).is_none()) {
        None => Ok(()),
        Some(name) => {
            let known = columns::names(table);
            Err(format!("{} layers have no column `{name}`{}", table.name(), near(name, &known)))
        }
    }
}
