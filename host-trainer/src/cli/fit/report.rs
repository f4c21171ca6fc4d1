//! How good fitted models are, in the three formats.

use crate::output::{self, Csv, Format, figure, number, render};
use estimators::metrics::Metrics;
use learn::fit::train::{NetworkPrediction, Outcome};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;

/// Metrics of one model on one set of rows.
#[derive(Debug, Serialize)]
struct Score {
    device: String,
    kind: &'static str,
    target: &'static str,
    /// `training`, `cross-validation by network`, `test`, or `test: <network>`.
    set: String,
    #[serde(flatten)]
    metrics: Metrics,
}

/// Says what was not fitted, and prints the metrics of what was; for people with whole networks and notes.
pub(super) fn print(outcomes: &[Outcome], format: Format, printer: &Printer) -> Result<(), Failure> {
    for (outcome, skipped) in outcomes.iter().flat_map(|o| o.skipped.iter().map(move |skipped| (o, skipped))) {
        let (table, target) = (skipped.table.name(), skipped.target.name());
        printer.warn(format!("no {table} {target} model for {}: {}", outcome.device.name, skipped.reason));
    }
    let scores: Vec<Score> = outcomes.iter().flat_map(scores).collect();
    if format != Format::Human {
        return output::write(printer, format, &scores, || csv(&scores), String::new);
    }
    printer.data(&human(&scores))?;
    for outcome in outcomes {
        printer.data(&human_totals(outcome))?;
        let mut notes: BTreeSet<&String> = outcome.artefacts.iter().flat_map(|a| &a.card.notes).collect();
        notes.extend(&outcome.device.notes);
        for note in notes {
            printer.say(format!("note: {note}"));
        }
    }
    Ok(())
}

fn scores(outcome: &Outcome) -> Vec<Score> {
    let mut scores = Vec::new();
    for artefact in &outcome.artefacts {
        let card = &artefact.card;
        let mut add = |set: String, metrics: Metrics| {
            scores.push(Score {
                device: outcome.device.name.clone(),
                kind: card.layer_kind.name(),
                target: card.target.name(),
                set,
                metrics,
            });
        };
        add("training".to_owned(), card.scores.training);
        if let Some(metrics) = card.scores.cross_validation {
            add(format!("cross-validation {}", card.scores.folds.as_deref().unwrap_or_default()), metrics);
        }
        if let Some(metrics) = card.scores.test {
            add("test".to_owned(), metrics);
        }
        for (network, metrics) in &card.scores.test_by_network {
            add(format!("test: {network}"), *metrics);
        }
    }
    scores
}

fn csv(scores: &[Score]) -> Result<String, Failure> {
    let header = [
        "device",
        "kind",
        "target",
        "set",
        "n",
        "mape_percent",
        "rmspe_percent",
        "within_10_percent",
        "excluded",
        "r2",
        "mae",
        "rmse",
        "non_positive",
    ];
    let row = |score: &Score| {
        let m = &score.metrics;
        vec![
            score.device.clone(),
            score.kind.to_owned(),
            score.target.to_owned(),
            score.set.clone(),
            m.n.to_string(),
            number(m.mape_percent),
            number(m.rmspe_percent),
            number(m.within_10_percent),
            m.excluded.to_string(),
            number(m.r2),
            number(m.mae),
            number(m.rmse),
            m.non_positive.to_string(),
        ]
    };
    Csv::text(header, scores.iter().map(row))
}

fn human(scores: &[Score]) -> String {
    let header =
        ["device", "kind", "target", "set", "n", "RMSPE %", "MAPE %", "±10 % %", "excluded", "R²", "MAE", "≤ 0"];
    let row = |score: &Score| {
        let m = &score.metrics;
        vec![
            score.device.clone(),
            score.kind.to_owned(),
            score.target.to_owned(),
            score.set.clone(),
            m.n.to_string(),
            figure(m.rmspe_percent, 1),
            figure(m.mape_percent, 1),
            figure(m.within_10_percent, 1),
            m.excluded.to_string(),
            figure(m.r2, 3),
            figure(m.mae, 4),
            m.non_positive.to_string(),
        ]
    };
    render(&header, scores.iter().map(row).collect(), 4)
}

fn human_totals(outcome: &Outcome) -> String {
    if outcome.totals.is_empty() {
        return String::new();
    }
    let ratio = |predicted: f64, measured: f64| figure(Some(100.0 * (predicted / measured - 1.0)), 1);
    let row = |total: &NetworkPrediction| {
        let energy = total.measured_mj.zip(total.predicted_mj);
        vec![
            total.network.clone(),
            if total.test { "test" } else { "held-out fold" }.to_owned(),
            total.layers.len().to_string(),
            figure(Some(total.measured_ms), 4),
            figure(Some(total.predicted_ms), 4),
            ratio(total.predicted_ms, total.measured_ms),
            figure(energy.map(|e| e.0), 4),
            figure(energy.map(|e| e.1), 4),
            energy.map_or_else(|| "–".to_owned(), |(m, p)| ratio(p, m)),
        ]
    };
    let header = [
        "network",
        "set",
        "layers",
        "measured ms",
        "predicted ms",
        "off by %",
        "measured mJ",
        "predicted mJ",
        "off by %",
    ];
    format!("\n{}", render(&header, outcome.totals.iter().map(row).collect(), 2))
}
