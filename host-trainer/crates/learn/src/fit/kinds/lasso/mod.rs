//! The reference's model kind: a polynomial of the layer's sizes, thinned by the Lasso.

mod options;

pub(super) use options::LassoOptions as Options;
pub use options::{LassoModel, LassoOptions, LassoSettings, Weighting, check_columns};

use super::physics::FEW_NETWORKS;
use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::plan::{Candidate, Definition, ReferenceFaults};
use crate::model::{Dataset, LayerTable, Predictor, Target};
use estimators::design::Design;
use estimators::lasso::LassoCvParams;
use estimators::metrics::NEARLY_ZERO;
use estimators::scaler::Scaler;
use estimators::terms::{self, Term};
use estimators::{FitError, Folds};
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

/// What `tune` searches of the Lasso.
const SEARCH_SPACE: &str = r#"
lasso.weighting = ["equal", "relative"]
lasso.eps = { low = 1e-5, high = 1e-2, log = true }
lasso.alphas = [100, 500]
"#;

/// Rows up to which the Lasso takes part in the automatic choice: with more it takes long, and trees know more.
const MOST_CANDIDATE_ROWS: usize = 500;

pub(super) static DEFINITION: Definition = Definition {
    name: "lasso",
    description: "Polynomial of the layer's sizes, thinned by the Lasso; the reference's",
    estimator: |plan, _| Box::new(LassoEstimator::new(plan.options(), plan.reference_faults)),
    search_space: &[SEARCH_SPACE],
    candidate: Some(Candidate {
        complexity: 3,
        // The other candidates minimise relative errors, too.
        estimator: |plan| {
            let options = LassoOptions { weighting: Weighting::Relative, ..plan.options() };
            Box::new(LassoEstimator::new(options, plan.reference_faults))
        },
        takes_part: |_, data| data.network_count() >= FEW_NETWORKS && data.len() <= MOST_CANDIDATE_ROWS,
        combines: None,
        options: |plan| Some(("lasso", serde_json::json!(plan.options::<LassoOptions>()))),
    }),
    baseline: false,
};

/// Fits Lasso models.
#[derive(Debug, Clone)]
pub struct LassoEstimator {
    options: LassoOptions,
    faults: ReferenceFaults,
}

impl LassoEstimator {
    /// An estimator with checked options.
    #[must_use]
    pub fn new(options: LassoOptions, faults: ReferenceFaults) -> Self {
        Self { options, faults }
    }

    fn settings(&self, table: Table, target: Target) -> LassoSettings {
        self.options.settings(table, target, self.faults)
    }

    /// All terms of a table's model over the features at hand. A special term that needs a column which is not among
    /// them is left out.
    fn terms(&self, settings: &LassoSettings, table: &LayerTable) -> Result<Vec<Term>, FitError> {
        let mut terms = terms::polynomial(table.features.len(), settings.degree, settings.log)?;
        if settings.special_terms {
            for product in options::special_terms(table.table, self.faults) {
                let indices = product.iter().map(|name| table.features.iter().position(|f| f == name));
                if let Some(indices) = indices.collect::<Option<Vec<usize>>>() {
                    let term = Term::raw_product(&indices);
                    if !terms.contains(&term) {
                        terms.push(term);
                    }
                }
            }
        }
        Ok(terms)
    }

    /// The folds by which the penalty is chosen.
    fn folds(&self, data: &Dataset) -> Result<Folds, FitError> {
        let networks = data.network_count();
        let grouped = !self.faults.ungrouped_folds && networks >= 2;
        let folds = self.options.folds;
        Ok(if grouped {
            Folds::grouped(&data.networks, folds.min(networks))?
        } else {
            Folds::contiguous(data.len(), folds.min(data.len()))?
        })
    }

    fn fit_layers(&self, data: &Dataset) -> Result<LassoPredictor, FitError> {
        let (table, rows) = data.single_layers().ok_or(FitError::TotalsUnsupported { kind: DEFINITION.name })?;
        if rows.len() < 2 {
            return Err(FitError::TooFewRows { found: rows.len(), needed: 2 });
        }
        let settings = self.settings(table.table, data.target);
        let terms = self.terms(&settings, table)?;
        let design = terms::expand(&Design::from_rows(&rows)?, &terms)?;
        let scaler = Scaler::fit(settings.scaler, &design)?;
        let design = scaler.transform(design);
        let weights: Option<Vec<f64>> = match self.options.weighting {
            Weighting::Equal => None,
            // A measurement of nothing has no relative error; it is left out.
            Weighting::Relative => {
                Some(data.measured.iter().map(|y| if *y > NEARLY_ZERO { 1.0 / (y * y) } else { 0.0 }).collect())
            }
        };
        let params = LassoCvParams {
            n_alphas: self.options.alphas,
            eps: self.options.eps,
            max_iter: self.options.max_iter,
            tol: self.options.tol,
            positive: settings.positive,
            fit_intercept: settings.intercept,
        };
        let found = params.check()?.fit(&design, &data.measured, &self.folds(data)?, weights.as_deref())?;

        let kept: Vec<usize> = (0..terms.len()).filter(|&j| found.fit.coefficients[j] != 0.0).collect();
        let mut warnings = Vec::new();
        if !found.fit.converged {
            warnings.push(format!(
                "the Lasso did not converge in {} sweeps: duality gap {:.3e}",
                found.fit.n_iter, found.fit.dual_gap
            ));
        }
        Ok(LassoPredictor {
            width: table.features.len(),
            centres: kept.iter().map(|&j| scaler.centre[j]).collect(),
            slopes: kept.iter().map(|&j| found.fit.coefficients[j] / scaler.scale[j]).collect(),
            intercept: found.fit.intercept,
            description: serde_json::json!({
                "alpha": found.fit.alpha,
                "alpha_index": found.alpha_index,
                "terms": terms.len(),
                "terms_kept": kept.iter().map(|&j| terms[j].name(&table.features)).collect::<Vec<_>>(),
                "sweeps": found.fit.n_iter,
                "dual_gap": found.fit.dual_gap,
                "converged": found.fit.converged,
                "folds_not_converged": found.not_converged.iter().filter(|n| n.fold.is_some()).count(),
            }),
            terms: kept.into_iter().map(|j| terms[j].clone()).collect(),
            warnings,
        })
    }
}

impl Estimator for LassoEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, table: Table, target: Target) -> Vec<String> {
        self.settings(table, target).input_cols
    }

    fn degree(&self, table: Table, target: Target) -> Option<u32> {
        Some(self.settings(table, target).degree)
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        Ok(FittedModels::of([self.fit_layers(data)?]))
    }

    fn configuration(&self, table: Table, target: Target) -> serde_json::Value {
        serde_json::json!({
            "lasso": { "options": self.options, "model": self.settings(table, target) },
            "reference_faults": self.faults,
        })
    }
}

/// A fitted Lasso: the terms that survived, with their coefficients on unscaled terms.
#[derive(Debug)]
struct LassoPredictor {
    /// Number of features a row.
    width: usize,
    /// Terms with a coefficient that is not zero.
    terms: Vec<Term>,
    /// Centre of each term.
    centres: Vec<f64>,
    /// Coefficient of each centred term: the fitted one over the term's scale.
    slopes: Vec<f64>,
    intercept: f64,
    description: serde_json::Value,
    warnings: Vec<String>,
}

impl Predictor for LassoPredictor {
    fn predict(&self, features: &[f64]) -> f64 {
        let products = self.terms.iter().zip(&self.centres).zip(&self.slopes);
        self.intercept + products.map(|((term, centre), slope)| (term.value(features) - centre) * slope).sum::<f64>()
    }

    /// Every term is a product of at most as many factors as the longest has. The graph gathers one matrix a factor, rows
    /// × terms, from the columns `1, x, log(1 + x)`, multiplies them, centres, and takes the weighted sum.
    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let intercept = graph.doubles(&[self.intercept], &[1, 1]);
        let zero = graph.doubles(&[0.0], &[1]);
        let first = graph.columns(features, &[0]);
        let zeros = graph.apply("Mul", &[&first, &zero], vec![]);
        if self.terms.is_empty() {
            return graph.apply("Add", &[&zeros, &intercept], vec![]);
        }
        let one = graph.doubles(&[1.0], &[1]);
        let ones = graph.apply("Add", &[&zeros, &one], vec![]);
        let logs = graph.log1p(features);
        let bank = graph.beside(&[&ones, features, &logs]);
        let width = self.width;
        let longest = self.terms.iter().map(|term| term.factors.len()).max().unwrap_or(0).max(1);
        let mut product: Option<Value> = None;
        for position in 0..longest {
            let indices: Vec<usize> = self
                .terms
                .iter()
                .map(|term| term.factors.get(position).map_or(0, |f| 1 + f.column + if f.log1p { width } else { 0 }))
                .collect();
            let factor = graph.columns(&bank, &indices);
            product = Some(match product {
                None => factor,
                Some(product) => graph.apply("Mul", &[&product, &factor], vec![]),
            });
        }
        let product = product.unwrap_or(ones);
        let count = self.terms.len() as i64;
        let centres = graph.doubles(&self.centres, &[1, count]);
        let slopes = graph.doubles(&self.slopes, &[count, 1]);
        let centred = graph.apply("Sub", &[&product, &centres], vec![]);
        let sum = graph.apply("MatMul", &[&centred, &slopes], vec![]);
        graph.apply("Add", &[&sum, &intercept], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        self.description.clone()
    }

    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }
}
