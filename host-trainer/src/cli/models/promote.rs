//! `host-trainer models compare` and `promote`: what is better, and what is deployed.

use super::answer;
use super::args::{Answer, Measure, Place};
use super::mlflow::Tell;
use crate::output::{Format, figure, known};
use clap::Args;
use registry::{Comparison, Outcome, Request, Verdict, Version, short, who};
use serde::Serialize;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;

/// Compare models with those deployed, and change nothing.
#[derive(Debug, Args)]
pub(super) struct Compare {
    /// Models: DEVICE/KIND/TARGET@VERSION or the first digits of a name [default: the best candidate of each of the
    /// device's aliases].
    #[arg(value_name = "MODEL")]
    models: Vec<String>,
    /// Device whose candidates are compared [default: the only one].
    #[arg(long, value_name = "NAME", conflicts_with = "models")]
    device: Option<String>,
    #[command(flatten)]
    measure: Measure,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    answer: Answer,
}

/// Deploy models that are better than those deployed.
#[derive(Debug, Args)]
pub(super) struct Promote {
    /// Model: DEVICE/KIND/TARGET@VERSION or the first digits of its name.
    #[arg(value_name = "MODEL", required_unless_present = "all_better")]
    model: Option<String>,
    /// Deploy the best candidate of each of a device's aliases where it is better, one alias after the other.
    #[arg(long, conflicts_with_all = ["model", "force"])]
    all_better: bool,
    /// Device for --all-better [default: the only one].
    #[arg(long, value_name = "NAME", requires = "all_better")]
    device: Option<String>,
    /// Deploy the model regardless of its metrics, even after a rollback.
    #[arg(long, requires = "reason")]
    force: bool,
    /// Reason, for the audit trail.
    #[arg(long, value_name = "TEXT")]
    reason: Option<String>,
    #[command(flatten)]
    measure: Measure,
    #[command(flatten)]
    place: Place,
    #[command(flatten)]
    tell: Tell,
    #[command(flatten)]
    answer: Answer,
}

/// One line of the answer.
#[derive(Debug, Serialize)]
struct Line {
    alias: String,
    model: String,
    version: u64,
    /// `better`, `not better`, `incomparable`; of a promotion `promoted`, `forced`, `deployed already`, `declined`.
    outcome: &'static str,
    /// Why not.
    reason: Option<String>,
    comparison: Option<Comparison>,
}

impl Line {
    fn new(version: &Version, outcome: &'static str, reason: Option<String>, comparison: Option<Comparison>) -> Self {
        let record = &version.record;
        let (alias, model) = (record.alias.to_string(), record.model.to_string());
        Self { alias, model, version: version.version, outcome, reason, comparison }
    }

    fn is_deployed(&self) -> bool {
        self.outcome != "declined"
    }

    fn row(&self) -> Vec<String> {
        let comparison = self.comparison.as_ref();
        let deployed = comparison.and_then(|comparison| comparison.deployed.as_ref());
        vec![
            self.alias.clone(),
            self.version.to_string(),
            self.model.chars().take(12).collect(),
            known(deployed, |score| short(score.model)),
            comparison.map_or_else(String::new, |c| format!("{} on {}", c.metric.name(), c.on)),
            figure(comparison.and_then(|comparison| comparison.candidate.value), 4),
            figure(deployed.and_then(|score| score.value), 4),
            self.outcome.to_owned(),
        ]
    }
}

const HEADER: [&str; 8] =
    ["model of", "version", "candidate", "deployed", "figure", "candidate's", "deployed's", "outcome"];

fn write(lines: &[Line], format: Format, printer: &Printer) -> Result<(), Failure> {
    answer::write(printer, format, lines, &HEADER, lines.iter().map(Line::row).collect(), 5)?;
    let mut seen: Vec<&String> = lines
        .iter()
        .filter_map(|line| line.comparison.as_ref())
        .flat_map(|c| c.candidate.trained_on.iter().chain(c.deployed.iter().flat_map(|score| &score.trained_on)))
        .collect();
    seen.sort();
    seen.dedup();
    if !seen.is_empty() {
        let names = seen.into_iter().map(String::as_str).collect::<Vec<_>>().join(", ");
        printer.warn(format!("models compared here were trained on networks that they are judged on: {names}"));
    }
    Ok(())
}

impl Compare {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let criterion = self.measure.criterion(printer)?;
        let versions = match self.models.is_empty() {
            true => registry.best_candidates(self.device.as_deref(), &criterion).await?,
            false => registry.chosen(&self.models, None).await?,
        };
        let mut lines = Vec::new();
        for version in &versions {
            let comparison = registry.compare(version, &criterion).await?;
            let (outcome, reason) = match comparison.verdict() {
                Verdict::Better => ("better", None),
                Verdict::NotBetter(reason) => ("not better", Some(reason)),
                Verdict::Incomparable(reason) => ("incomparable", Some(reason)),
            };
            lines.push(Line::new(version, outcome, reason, Some(comparison)));
        }
        write(&lines, self.answer.format, printer)
    }
}

impl Promote {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        let registry = self.place.open()?;
        let criterion = self.measure.criterion(printer)?;
        let versions = match &self.model {
            Some(model) => vec![registry.find(model).await?],
            None => registry.best_candidates(self.device.as_deref(), &criterion).await?,
        };
        let request = Request { criterion, force: self.force, reason: self.reason.clone(), who: who() };
        let (mut lines, mut failed) = (Vec::new(), 0);
        for version in &versions {
            match registry.promote(version, &request).await {
                Ok(outcome) => lines.push(line(version, outcome)),
                Err(error) if self.all_better => {
                    // The other aliases have nothing to do with it.
                    printer.fail(&error.into());
                    failed += 1;
                }
                Err(error) => return Err(error.into()),
            }
        }
        write(&lines, self.answer.format, printer)?;
        if let Some(version) = versions.first().filter(|_| lines.iter().any(Line::is_deployed)) {
            self.tell.of(&registry, Some(version.record.alias.device()), printer).await?;
        }
        if failed > 0 {
            return Err(Failure::data(format!("{failed} of {} models cannot be deployed", versions.len())));
        }
        match lines.as_slice() {
            [only] if !self.all_better && only.outcome == "declined" => {
                let reason = only.reason.clone().unwrap_or_default();
                Err(Failure::new(
                    Kind::AnswerIsNo,
                    format!("{} version {} is not deployed: {reason}", only.alias, only.version),
                )
                .help("judge both on the same data by --data, or deploy it by --force with a --reason"))
            }
            _ => {
                for line in lines.iter().filter(|line| line.outcome == "declined") {
                    let reason = line.reason.as_deref().unwrap_or_default();
                    printer.say(format!("{} version {}: {reason}", line.alias, line.version));
                }
                Ok(())
            }
        }
    }
}

fn line(version: &Version, outcome: Outcome) -> Line {
    match outcome {
        Outcome::Promoted(entry) => {
            let outcome = if entry.value.forced { "forced" } else { "promoted" };
            Line::new(version, outcome, None, entry.value.comparison)
        }
        Outcome::Already(_) => Line::new(version, "deployed already", None, None),
        Outcome::Declined { reason, comparison } => Line::new(version, "declined", Some(reason), comparison),
    }
}
