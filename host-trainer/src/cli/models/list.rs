//! `host-trainer models list` and `history`.

use super::answer;
use super::args::{Answer, Place};
use crate::output::{Format, figure, known};
use clap::Args;
use registry::{Listed, Metric, Promotion, Score, short};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;
use store::Entry;

/// List the registered models and their deployment status.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Device to list [default: all].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// List only deployed models.
    #[arg(long)]
    deployed: bool,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    answer: Answer,
}

impl List {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let mut listed = self.place.open()?.list(self.device.as_deref()).await?;
        listed.retain(|one| !self.deployed || one.status == registry::Status::Deployed);
        let row = |one: &Listed| {
            let record = &one.version.record;
            let held_out = record.metrics.iter().find(|(set, _)| set.starts_with("cross-validation"));
            vec![
                record.alias.to_string(),
                one.version.version.to_string(),
                short(record.model),
                one.status.name().to_owned(),
                record.model_kind.clone(),
                record.data_revision.clone().unwrap_or_else(|| record.data_sha256.chars().take(12).collect()),
                answer::second(&record.registered.when),
                record.registered.who.clone(),
                figure(held_out.and_then(|(_, metrics)| Metric::Mape.of(metrics)), 2),
            ]
        };
        let header = ["model of", "version", "name", "status", "kind", "data", "registered", "by", "held-out MAPE %"];
        answer::write(printer, self.answer.format, &listed, &header, listed.iter().map(row).collect(), 8)
    }
}

/// Show the deployment history: what was deployed when, by whom and why.
#[derive(Debug, Args)]
pub(super) struct History {
    /// DEVICE, or DEVICE/KIND/TARGET [default: everything].
    #[arg(value_name = "DEVICE[/KIND/TARGET]")]
    of: Option<String>,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    answer: Answer,
}

/// An entry as JSON has it.
#[derive(Debug, Serialize)]
struct Line<'a> {
    number: u64,
    #[serde(flatten)]
    promotion: &'a Promotion,
}

impl History {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let entries = match &self.of {
            Some(of) if of.contains('/') => registry.trail(&of.parse()?).await?.entries().to_vec(),
            device => registry.history(device.as_deref()).await?,
        };
        write(&entries, self.answer.format, printer)
    }
}

fn value(score: &Score) -> String {
    figure(score.value, 4)
}

pub(super) fn write(entries: &[Entry<Promotion>], format: Format, printer: &Printer) -> Result<(), Failure> {
    let row = |entry: &Entry<Promotion>| {
        let promotion = &entry.value;
        let figures = promotion.comparison.as_ref().map_or_else(String::new, |comparison| {
            let new = format!("{} on {}: {}", comparison.metric.name(), comparison.on, value(&comparison.candidate));
            match &comparison.deployed {
                Some(deployed) => format!("{new} against {}", value(deployed)),
                None => format!("{new}, nothing was deployed"),
            }
        });
        vec![
            answer::second(&promotion.stamp.when),
            promotion.alias.to_string(),
            entry.number.to_string(),
            promotion.action.name().to_owned() + if promotion.forced { ", forced" } else { "" },
            known(promotion.from, short),
            short(promotion.to),
            promotion.version.to_string(),
            promotion.stamp.who.clone(),
            figures,
            promotion.reason.clone().unwrap_or_default(),
        ]
    };
    let header = ["when", "model of", "entry", "what", "from", "to", "version", "by", "figures", "why"];
    let lines: Vec<Line<'_>> =
        entries.iter().map(|entry| Line { number: entry.number, promotion: &entry.value }).collect();
    answer::write(printer, format, &lines, &header, entries.iter().map(row).collect(), 10)
}
