//! A study with its trials in the three formats.

use crate::output::{self, Csv, Format, figure, number, render};
use serde_json::json;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use tune::studies::{Study, Trial};

/// Trials that people are shown, the best first.
const SHOWN: usize = 10;

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
    let all = document(study, trials, best);
    output::write(printer, format, &all, || csv(trials), || human(trials))?;
    if format == Format::Human {
        let count = |state: &str| trials.iter().filter(|trial| trial.state.name() == state).count();
        printer.say(format!(
            "{} trials: {} complete, {} pruned, {} failed",
            trials.len(),
            count("complete"),
            count("pruned"),
            count("failed")
        ));
    }
    Ok(())
}

fn human(trials: &[Trial]) -> String {
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
    render(&header, shown.iter().take(SHOWN).map(row).collect(), 2)
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

fn csv(trials: &[Trial]) -> Result<String, Failure> {
    let names = names(trials);
    let header = ["trial", "state", "value", "steps"].into_iter().chain(names.iter().map(String::as_str));
    let row = |trial: &Trial| {
        let (state, steps) = (trial.state.name().to_owned(), trial.steps.len().to_string());
        let own = [trial.number.to_string(), state, number(trial.value), steps];
        own.into_iter().chain(names.iter().map(|name| value_of(trial, name))).collect()
    };
    Csv::text(header, trials.iter().map(row))
}
