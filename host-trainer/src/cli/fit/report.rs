//! How good fitted models are, in the three formats.

use crate::output::metrics::{figures, names, numbers, titles};
use crate::output::{self, Csv, Format, figure, known, render};
use estimators::metric_columns::{COUNT, EXCLUDED, MAE, MAPE, MetricColumn, NON_POSITIVE, R2, RMSE, RMSPE, WITHIN_10};
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

impl Score {
    /// The columns that say of what the metrics are.
    const OF: [&'static str; 4] = ["device", "kind", "target", "set"];

    fn of(&self) -> [String; 4] {
        [self.device.clone(), self.kind.to_owned(), self.target.to_owned(), self.set.clone()]
    }
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
    const METRICS: [MetricColumn; 9] = [COUNT, MAPE, RMSPE, WITHIN_10, EXCLUDED, R2, MAE, RMSE, NON_POSITIVE];
    let row = |score: &Score| score.of().into_iter().chain(numbers(&METRICS, &score.metrics)).collect();
    Csv::text(Score::OF.into_iter().chain(names(&METRICS)), scores.iter().map(row))
}

fn human(scores: &[Score]) -> String {
    const METRICS: [MetricColumn; 8] = [COUNT, RMSPE, MAPE, WITHIN_10, EXCLUDED, R2, MAE, NON_POSITIVE];
    let header: Vec<&str> = Score::OF.into_iter().chain(titles(&METRICS)).collect();
    let row = |score: &Score| score.of().into_iter().chain(figures(&METRICS, &score.metrics)).collect();
    render(&header, scores.iter().map(row).collect(), Score::OF.len())
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
            known(energy, |(m, p)| ratio(p, m)),
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
