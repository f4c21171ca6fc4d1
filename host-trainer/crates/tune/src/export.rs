//! A study's best plan as a file: in TOML for `fit --config`, or as EdgeProfiler's hyper-parameters.

use crate::studies::{Study, Trial};
use learn::fit::kinds::Kind as ModelKind;
use learn::fit::plan::Plan;
use serde_json::json;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use std::path::Path;
use toml::Table;

/// Writes the best plan: in TOML, or for `.json` as EdgeProfiler's hyper-parameters of a perceptron.
///
/// # Errors
/// A plan of another kind for `.json`, or a file that cannot be written.
pub fn export(path: &Path, study: &Study, best: &Trial, tuned: &Plan) -> Result<(), Failure> {
    let value = best.value.unwrap_or(f64::NAN);
    if path.extension().is_some_and(|extension| extension == "json") {
        return write_atomic(path, hyperparams(path, value, tuned)?.as_bytes());
    }
    let written = |e: toml::ser::Error| Failure::data(format!("the plan cannot be written: {e}")).caused_by(e);
    let table = Table::try_from(tuned).map_err(written)?;
    let text = toml::to_string_pretty(&table).map_err(written)?;
    write_atomic(path, format!("# Study {}, trial {}: {value}\n{text}", study.name, best.number).as_bytes())
}

fn hyperparams(path: &Path, value: f64, tuned: &Plan) -> Result<String, Failure> {
    if tuned.kind != ModelKind::MLP {
        let kind = tuned.kind.name();
        return Err(Failure::usage(format!("the reference's form is for the mlp, and the best kind is {kind}"))
            .at(path)
            .help("export to a .toml file"));
    }
    let mlp: estimators::mlp::Settings = tuned.options();
    let dropouts = if mlp.dropouts.is_empty() { vec![0.0; mlp.hidden.len()] } else { mlp.dropouts.clone() };
    let hyperparams = json!({
        "hidden_dims": mlp.hidden, "dropouts": dropouts, "lr": mlp.learning_rate,
        "weight_decay": mlp.weight_decay, "batch_size": mlp.batch_size, "patience": mlp.patience,
        "optimizer": "Adam", "gradient_clipping": mlp.gradient_norm > 0.0,
    });
    let document = json!({ "hyperparams": hyperparams, "val_score_optuna": value });
    let text = serde_json::to_string_pretty(&document).map_err(|e| Failure::from_error(Kind::Data, e))?;
    Ok(text + "\n")
}
