//! A kind for tests, which shows what a new kind takes: this file, and a line in the list of kinds.

use crate::fit::estimator::{Estimator, FittedModels};
use crate::fit::kind_options::within;
use crate::fit::plan::Definition;
use crate::model::{Dataset, Predictor, Target};
use estimators::FitError;
use onnx::{GraphBuilder, Value};
use serde::{Deserialize, Serialize};
use shared::engine::Table;

pub(super) static DEFINITION: Definition = Definition {
    name: "dummy",
    description: "A multiple of the batch size; for tests",
    estimator: |plan, _| Box::new(DummyEstimator(plan.options())),
    search_space: &["dummy.factor = { low = 1.0, high = 9.0 }"],
    candidate: None,
    baseline: false,
};

/// Options of the kind.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Options {
    /// What the batch size is multiplied by.
    factor: f64,
}

impl Default for Options {
    fn default() -> Self {
        Self { factor: 1.0 }
    }
}

impl crate::fit::kind_options::Options for Options {
    const SECTION: Option<&'static str> = Some("dummy");

    fn check(&self) -> Result<(), String> {
        within("dummy.factor", self.factor > 0.0, "positive")
    }
}

#[derive(Debug)]
struct DummyEstimator(Options);

impl Estimator for DummyEstimator {
    fn kind(&self) -> &'static str {
        DEFINITION.name
    }

    fn features(&self, _table: Table, _target: Target) -> Vec<String> {
        vec!["batch_size".to_owned()]
    }

    fn fit(&self, data: &Dataset) -> Result<FittedModels, FitError> {
        Ok(FittedModels::of(data.tables.iter().map(|_| DummyPredictor(self.0.factor))))
    }

    fn configuration(&self, _table: Table, _target: Target) -> serde_json::Value {
        serde_json::json!({ "dummy": self.0 })
    }
}

#[derive(Debug)]
struct DummyPredictor(f64);

impl Predictor for DummyPredictor {
    fn predict(&self, features: &[f64]) -> f64 {
        self.0 * features[0]
    }

    fn export(&self, graph: &mut GraphBuilder, features: &Value) -> Value {
        let factor = graph.doubles(&[self.0], &[1, 1]);
        graph.apply("Mul", &[features, &factor], vec![])
    }

    fn describe(&self) -> serde_json::Value {
        serde_json::json!({ "factor": self.0 })
    }
}

mod tests {
    use super::*;
    use crate::evaluate::{Baselines, Measurand, evaluate};
    use crate::fit::kinds::Kind;
    use crate::fit::plan::Plan;
    use crate::fit::train::{FitJob, train};
    use crate::predict::Models;
    use crate::training;
    use std::fmt::Write as _;

    /// Dense layers of four networks that take twice their batch size in ms.
    fn table() -> String {
        let mut text = String::from("model,batch_size,input_size,output_size,power,runtime,layer_name\n");
        for i in 0..16 {
            let (network, batch) = (i % 4, 1 + i % 3);
            let _ = writeln!(text, "n{network},{batch},{},{},,{},layer{i}", 64 * batch, 10 * batch, 2 * batch);
        }
        text
    }

    #[test]
    fn a_kind_that_is_one_file_and_one_line_is_parsed_trained_and_evaluated() {
        let folder = tempfile::tempdir().expect("temporary folder");
        std::fs::create_dir(folder.path().join("data")).expect("folder");
        std::fs::write(folder.path().join("data/dense.csv"), table()).expect("table");
        std::fs::write(folder.path().join("plan.toml"), "kind = \"dummy\"\n[dummy]\nfactor = 2.0\n").expect("plan");
        let data = training::read(&folder.path().join("data")).expect("data");
        let plan = Plan::read(&folder.path().join("plan.toml")).expect("plan");
        assert_eq!("dummy".parse(), Ok(plan.kind));
        let estimator = plan.estimator();
        let job = FitJob {
            baselines: &Kind::baselines().collect::<Vec<_>>(),
            ..FitJob::new(&data, estimator.as_ref(), &plan.evaluation)
        };
        let outcome = train(&job, "board", &|_, _| ()).expect("trained");
        let [artefact] = outcome.artefacts.as_slice() else { panic!("{outcome:?}") };
        assert_eq!((artefact.card.model_kind.as_str(), &artefact.card.fit["factor"]), ("dummy", &2.0.into()));
        // The card compares it with simpler kinds, on the same folds.
        let scores = &artefact.card.scores;
        assert_eq!(scores.cross_validation.and_then(|metrics| metrics.mape_percent), Some(0.0));
        assert_eq!(scores.baselines.keys().collect::<Vec<_>>(), ["constant", "glm", "linear"]);
        assert!(scores.baselines["constant"].mape_percent > Some(10.0), "{scores:?}");

        let models = Models::of(outcome.device, outcome.artefacts, folder.path());
        let baselines = Baselines::of(&data, "board", 4);
        let evaluation = evaluate(&models, &data, "board", false, &baselines).expect("evaluated");
        let runtime = evaluation.rows.iter().find(|row| row.kind == "dense" && row.target == Measurand::Runtime);
        let runtime = runtime.expect("a row for dense layers");
        assert_eq!((runtime.metrics.n, runtime.metrics.mape_percent, runtime.without_model), (16, Some(0.0), 0));
        assert!(runtime.baselines["constant"].mape_percent > Some(10.0), "{runtime:?}");
        assert!(runtime.baselines["linear"].mape_percent < Some(1.0), "{runtime:?}");
        // Networks are sums of layers, for the model and for the baselines.
        let network = evaluation.rows.iter().find(|row| row.kind == "network").expect("a row for networks");
        assert_eq!((network.metrics.n, network.baselines["linear"].n), (4, 4));
    }

    #[test]
    fn its_options_are_checked_like_any_others() {
        let refused = toml::from_str::<Plan>("[dummy]\nfactr = 2.0\n").expect_err("unknown");
        assert!(refused.message().contains("factr"), "{refused}");
        let mut plan = Plan::default();
        plan.change_options(|options: &mut Options| options.factor = -1.0);
        assert_eq!(plan.check(), Err("`dummy.factor` must be positive".to_owned()));
    }
}
