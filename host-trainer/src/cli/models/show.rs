//! `host-trainer models show`: everything about one model.

use super::args::{Answer, Place};
use crate::output::metrics::{figures, names, numbers, titles};
use crate::output::{self, Csv, render};
use clap::Args;
use estimators::metric_columns::{COUNT, MAE, MAPE, MetricColumn, R2, RMSPE, WITHIN_10};
use estimators::metrics::Metrics;
use learn::model::Card;
use registry::{Listed, Promotion, short};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;
use std::fmt::Write as _;

/// Show everything about one model.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// DEVICE/KIND/TARGET for the deployed one, DEVICE/KIND/TARGET@VERSION, or the first digits of a model's name.
    #[arg(value_name = "MODEL")]
    model: String,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    answer: Answer,
}

/// The answer as JSON has it.
#[derive(Debug, Serialize)]
struct Document {
    #[serde(flatten)]
    listed: Listed,
    /// What became of it: promotions to it and away from it.
    history: Vec<Promotion>,
    card: Card,
}

impl Show {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let version = registry.find(&self.model).await?;
        let (artefact, _) = registry.artefact(&version.record).await?;
        let alias = &version.record.alias;
        let model = version.record.model;
        let concerns = |promotion: &Promotion| promotion.to == model || promotion.from == Some(model);
        let trail = registry.trail(alias).await?;
        let history: Vec<Promotion> =
            trail.entries().iter().map(|entry| entry.value.clone()).filter(concerns).collect();
        let listed = registry.list(Some(alias.device())).await?.into_iter().find(|one| one.version == version);
        let listed = listed.ok_or_else(|| Failure::data(format!("{} is gone from the store", self.model)))?;
        let document = Document { listed, history, card: artefact.card };
        // A record is no table: its figures are.
        output::write(printer, self.answer.format, &document, || csv(&document), || human(&document))
    }
}

const METRICS: [MetricColumn; 6] = [COUNT, MAPE, RMSPE, WITHIN_10, R2, MAE];

fn csv(document: &Document) -> Result<String, Failure> {
    let sets = &document.listed.version.record.metrics;
    let rows =
        sets.iter().map(|(set, metrics)| std::iter::once(set.clone()).chain(numbers(&METRICS, metrics)).collect());
    Csv::text(std::iter::once("set").chain(names(&METRICS)), rows)
}

fn human(document: &Document) -> String {
    let (version, card) = (&document.listed.version, &document.card);
    let record = &version.record;
    let mut text = String::new();
    let mut line = |name: &str, value: String| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{name:<14} {}", shared::failure::printable(&value));
    };
    line("model", format!("{} ({} version {})", record.model, record.alias, version.version));
    line("status", document.listed.status.name().to_owned());
    line("kind", record.model_kind.clone());
    line("graph", record.onnx.to_string());
    line("features", card.features.iter().map(|f| f.name.as_str()).collect::<Vec<_>>().join(", "));
    let networks = format!("{} rows of {}", card.training_rows, card.training_networks.join(", "));
    line("trained on", networks);
    line("data", record.data_sha256.clone());
    line("data revision", record.data_revision.clone().unwrap_or_else(|| "not known".into()));
    line("fitted by", format!("{} {}", record.program.name, record.program.version));
    line("registered", format!("{} by {}", record.registered.when, record.registered.who));
    for note in &card.notes {
        line("note", note.clone());
    }
    for promotion in &document.history {
        let what = match promotion.to == record.model {
            true => format!("{} to it", promotion.action.name()),
            false => format!("{} to {}", promotion.action.name(), short(promotion.to)),
        };
        let why = promotion.reason.as_ref().map_or_else(String::new, |reason| format!(": {reason}"));
        line("history", format!("{} {what} by {}{why}", promotion.stamp.when, promotion.stamp.who));
    }
    text.push('\n');
    let header: Vec<&str> = std::iter::once("set").chain(titles(&METRICS)).collect();
    let row =
        |(set, metrics): (&String, &Metrics)| std::iter::once(set.clone()).chain(figures(&METRICS, metrics)).collect();
    text.push_str(&render(&header, record.metrics.iter().map(row).collect(), 1));
    text
}
