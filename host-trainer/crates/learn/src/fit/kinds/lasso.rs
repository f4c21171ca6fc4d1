//! The reference's model kind: a polynomial of the layer's sizes, thinned by the Lasso.

use crate::fit::plan::{LassoSettings, Plan, Weighting};
use crate::model::{Predictor, Problem, Recipe, Target};
use estimators::FitError;
use estimators::design::Design;
use estimators::lasso::{Folds, LassoCvParams};
use estimators::metrics::NEARLY_ZERO;
use estimators::scaler::Scaler;
use estimators::terms::{self, Term};
use onnx::{GraphBuilder, Value};
use shared::engine::Table;

/// Fits Lasso models as a plan says.
#[derive(Debug, Clone)]
pub struct LassoRecipe {
    plan: Plan,
}

impl LassoRecipe {
    /// A recipe of a checked plan.
    #[must_use]
    pub fn new(plan: Plan) -> Self {
        Self { plan }
    }

    /// All terms of a table's model over the features at hand. A special term that needs a column which is not among
    /// them is left out.
    fn terms(&self, settings: &LassoSettings, problem: &Problem) -> Result<Vec<Term>, FitError> {
        let mut terms = terms::polynomial(problem.features.len(), settings.degree, settings.log)
            .map_err(|e| FitError::Failed(e.to_string()))?;
        if settings.special_terms {
            for product in self.plan.special_terms(problem.table) {
                let indices = product.iter().map(|name| problem.features.iter().position(|f| f == name));
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

    fn folds(&self, problem: &Problem) -> Result<Folds, FitError> {
        let networks = problem.networks.iter().collect::<std::collections::BTreeSet<_>>().len();
        let grouped = !self.plan.reference_faults.ungrouped_folds && networks >= 2;
        let folds = self.plan.lasso.folds;
        let folds = if grouped {
            Folds::grouped(&problem.networks, folds.min(networks))
        } else {
            Folds::contiguous(problem.len(), folds.min(problem.len()))
        };
        folds.map_err(|e| FitError::Failed(e.to_string()))
    }
}

impl Recipe for LassoRecipe {
    fn kind(&self) -> &'static str {
        "lasso"
    }

    fn features(&self, table: Table, target: Target) -> Vec<String> {
        self.plan.lasso_settings(table, target).input_cols
    }

    fn fit(&self, problem: &Problem) -> Result<Box<dyn Predictor>, FitError> {
        if problem.len() < 2 {
            return Err(FitError::TooFewRows { found: problem.len(), needed: 2 });
        }
        let failed = |e: &dyn std::fmt::Display| FitError::Failed(e.to_string());
        let settings = self.plan.lasso_settings(problem.table, problem.target);
        let terms = self.terms(&settings, problem)?;
        let input =
            Design::from_row_major(problem.len(), problem.features.len(), &problem.rows).map_err(|e| failed(&e))?;
        let design = terms::expand(&input, &terms).map_err(|e| failed(&e))?;
        let scaler = Scaler::fit(settings.scaler, &design).map_err(|e| failed(&e))?;
        let design = scaler.transform(design);
        let weights: Option<Vec<f64>> = match self.plan.lasso.weighting {
            Weighting::Equal => None,
            // A measurement of nothing has no relative error; it is left out.
            Weighting::Relative => {
                Some(problem.measured.iter().map(|y| if *y > NEARLY_ZERO { 1.0 / (y * y) } else { 0.0 }).collect())
            }
        };
        let params = LassoCvParams {
            n_alphas: self.plan.lasso.alphas,
            eps: self.plan.lasso.eps,
            max_iter: self.plan.lasso.max_iter,
            tol: self.plan.lasso.tol,
            positive: settings.positive,
            fit_intercept: settings.intercept,
        };
        let params = params.check().map_err(|e| failed(&e))?;
        let folds = self.folds(problem)?;
        let found = params.fit(&design, &problem.measured, &folds, weights.as_deref()).map_err(|e| failed(&e))?;

        let kept: Vec<usize> = (0..terms.len()).filter(|&j| found.fit.coefficients[j] != 0.0).collect();
        let mut warnings = Vec::new();
        if !found.fit.converged {
            warnings.push(format!(
                "the Lasso did not converge in {} sweeps: duality gap {:.3e}",
                found.fit.n_iter, found.fit.dual_gap
            ));
        }
        Ok(Box::new(LassoPredictor {
            width: problem.features.len(),
            centres: kept.iter().map(|&j| scaler.centre[j]).collect(),
            slopes: kept.iter().map(|&j| found.fit.coefficients[j] / scaler.scale[j]).collect(),
            intercept: found.fit.intercept,
            description: serde_json::json!({
                "alpha": found.fit.alpha,
                "alpha_index": found.alpha_index,
                "terms": terms.len(),
                "terms_kept": kept.iter().map(|&j| terms[j].name(&problem.features)).collect::<Vec<_>>(),
                "sweeps": found.fit.n_iter,
                "dual_gap": found.fit.dual_gap,
                "converged": found.fit.converged,
                "folds_not_converged": found.not_converged.iter().filter(|n| n.fold.is_some()).count(),
            }),
            terms: kept.into_iter().map(|j| terms[j].clone()).collect(),
            warnings,
        }))
    }

    fn configuration(&self, table: Table, target: Target) -> serde_json::Value {
        serde_json::json!({
            "lasso": { "options": self.plan.lasso, "model": self.plan.lasso_settings(table, target) },
            "reference_faults": self.plan.reference_faults,
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
