//! What a study came to: for people, for programs, and as a plan.

use super::write_text;
use crate::cli::Format;
use crate::cli::table::{csv, figure, render};
use learn::fit::kinds::Kind;
use learn::fit::plan::Plan;
use serde_json::json;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use std::path::Path;
use toml::Table;
use tune::studies::{Study, Trial};

/// Trials that people are shown, the best first.
const SHOWN: usize = 10;

/// Writes the best plan: in TOML, or for `.json` as the reference's hyper-parameters.
pub(super) fn export(path: &Path, study: &Study, best: &Trial, tuned: &Plan) -> Result<(), Failure> {
    let value = best.value.unwrap_or(f64::NAN);
    if path.extension().is_some_and(|extension| extension == "json") {
        if tuned.kind != Kind::MLP {
            return Err(Failure::usage(format!(
                "the reference's form is for the mlp, and the best kind is {}",
                tuned.kind.name()
            ))
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
        let text = serde_json::to_string_pretty(&json!({ "hyperparams": hyperparams, "val_score_optuna": value }));
        return write_text(path, &format!("{}\n", text.map_err(|e| Failure::data(e.to_string()))?));
    }
    let written = |e: toml::ser::Error| Failure::data(format!("the plan cannot be written: {e}"));
    let table = Table::try_from(tuned).map_err(written)?;
    let text = toml::to_string_pretty(&table).map_err(written)?;
    write_text(path, &format!("# Study {}, trial {}: {value}\n{text}", study.name, best.number))
}

/// The study as a JSON document.
pub(in crate::cli) fn document(study: &Study, trials: &[Trial], best: Option<&Trial>) -> serde_json::Value {
    json!({
        "study": study.name,
        "trials": study.trials,
        "created_ms": study.created_ms,
        "specification": study.specification,
        "best": best,
        "history": trials,
    })
}

/// Prints a study with its trials.
pub(in crate::cli) fn print(
    study: &Study,
    trials: &[Trial],
    best: Option<&Trial>,
    format: Format,
    printer: &Printer,
) -> Result<(), Failure> {
    match format {
        Format::Json => {
            let json = serde_json::to_string_pretty(&document(study, trials, best));
            printer.data(&format!("{}\n", json.map_err(|e| Failure::data(e.to_string()))?))
        }
        Format::Csv => printer.data(&csv_text(trials)?),
        Format::Human => {
            let mut shown: Vec<&Trial> = trials.iter().filter(|trial| trial.value.is_some()).collect();
            shown.sort_by(|a, b| {
                let key = |trial: &Trial| (trial.state.name(), trial.value.unwrap_or(f64::INFINITY));
                key(a).0.cmp(key(b).0).then(key(a).1.total_cmp(&key(b).1)).then(a.number.cmp(&b.number))
            });
            let names = names(trials);
            let mut header = vec!["trial", "state", "value"];
            header.extend(names.iter().map(String::as_str));
            let row = |trial: &&Trial| {
                let mut row = vec![trial.number.to_string(), trial.state.name().to_owned(), figure(trial.value, 6)];
                row.extend(names.iter().map(|name| value_of(trial, name)));
                row
            };
            printer.data(&render(&header, shown.iter().take(SHOWN).map(row).collect(), 2))?;
            let count = |state: &str| trials.iter().filter(|trial| trial.state.name() == state).count();
            printer.say(format!(
                "{} trials: {} complete, {} pruned, {} failed",
                trials.len(),
                count("complete"),
                count("pruned"),
                count("failed")
            ));
            Ok(())
        }
    }
}

fn names(trials: &[Trial]) -> BTreeSet<String> {
    trials.iter().flat_map(|trial| trial.parameters.keys().cloned()).collect()
}

fn value_of(trial: &Trial, name: &str) -> String {
    trial
        .parameters
        .get(name)
        .map_or_else(String::new, |value| value.as_str().map_or_else(|| value.to_string(), str::to_owned))
}

fn csv_text(trials: &[Trial]) -> Result<String, Failure> {
    let names = names(trials);
    let header = ["trial", "state", "value", "steps"].into_iter().chain(names.iter().map(String::as_str));
    let row = |trial: &Trial| {
        let value = trial.value.map_or_else(String::new, |value| value.to_string());
        let own = [trial.number.to_string(), trial.state.name().to_owned(), value, trial.steps.len().to_string()];
        own.into_iter().chain(names.iter().map(|name| value_of(trial, name))).collect()
    };
    csv(&header.collect::<Vec<_>>(), &trials.iter().map(row).collect::<Vec<_>>())
}
