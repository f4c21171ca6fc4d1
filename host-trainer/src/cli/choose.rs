//! `host-trainer choose`: modes, batches, number formats and networks in, the best one within a limit out.

use super::graph_args::ShapeArgs;
use super::model_source::ModelSource;
use super::outlooks::{Explored, explore_files, human, warn};
use super::setting_args::SettingArgs;
use crate::output::{Format, percent, write};
use boards::choice::{Goal, Limit};
use charts::page;
use clap::Args;
use learn::predict::engine_files;
use learn::what_if::{Choice, parse_limit, settings};
use report::choice_chart;
use serde::Serialize;
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::printer::Printer;
use shared::units::Millis;
use std::path::PathBuf;

/// Choose power mode, batch, number format and network for a limit of latency.
#[derive(Debug, Args)]
pub(super) struct Choose {
    /// Engine infos or ONNX graphs of one or more variants of a network, or folders of them.
    #[arg(value_name = "FILE|DIR", required = true)]
    engines: Vec<PathBuf>,
    /// Longest inference, such as 20ms.
    #[arg(long, value_name = "TIME", value_parser = parse_limit)]
    max_latency: Option<Millis>,
    /// Least energy per image [default, if energy is known].
    #[arg(long, conflicts_with_all = ["max_throughput", "min_latency"])]
    min_energy: bool,
    /// Most images per second [default, if energy is not known].
    #[arg(long, conflicts_with = "min_latency")]
    max_throughput: bool,
    /// Shortest inference.
    #[arg(long)]
    min_latency: bool,
    /// Probability with which the limit has to be met.
    #[arg(long, value_name = "0..1", default_value_t = 0.9)]
    probability: f64,
    #[command(flatten)]
    settings: SettingArgs,
    #[command(flatten)]
    models: ModelSource,
    #[command(flatten)]
    shapes: ShapeArgs,
    /// Optimisation profile, for engines with several.
    #[arg(long, value_name = "N", default_value_t = 0)]
    profile: usize,
    /// Write the candidates and the Pareto front as a chart.
    #[arg(long, value_name = "FILE.html")]
    chart: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    goal: &'static str,
    max_latency_ms: Option<f64>,
    probability: f64,
    /// Index of the chosen candidate; none where no candidate meets the limit.
    chosen: Option<usize>,
    /// Indices of the candidates on the Pareto front.
    pareto_front: &'a [usize],
    candidates: Vec<Candidate<'a>>,
}

#[derive(Serialize)]
struct Candidate<'a> {
    #[serde(flatten)]
    explored: &'a Explored,
    /// The probability that the limit is met; none without a limit or an interval.
    probability_within_limit: Option<f64>,
}

impl Choose {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        if !(self.probability > 0.0 && self.probability < 1.0) {
            return Err(Failure::usage("--probability lies between 0 and 1, without both"));
        }
        let anchors = self.models.anchors(self.settings.own_mode(), printer)?;
        let settings = settings(&anchors, &self.settings.options(&["all"])?)?;
        let files = engine_files(&self.engines)?;
        let explored = explore_files(&anchors, &files, &self.settings.graph(&self.shapes), &settings, self.profile)?;
        let limit = self.max_latency.map(|latency| Limit { latency, probability: self.probability });
        let choice = Choice::among(explored.iter().map(|one| &one.outlook), limit, self.goal());
        if let Some(path) = &self.chart {
            write_atomic(path, chart_page(&explored, &choice).as_bytes())?;
            printer.say(format!("wrote {}", path.display()));
        }
        let document = Document {
            schema_version: 1,
            goal: choice.goal.name(),
            max_latency_ms: self.max_latency.map(|limit| limit.0),
            probability: self.probability,
            chosen: choice.chosen,
            pareto_front: &choice.front,
            candidates: explored
                .iter()
                .map(|explored| Candidate { explored, probability_within_limit: choice.probability(&explored.outlook) })
                .collect(),
        };
        write(printer, self.format, &document, || super::outlooks::csv(&explored), || listed(&explored, &choice))?;
        warn(&anchors, &explored, printer);
        match choice.refusal() {
            None => Ok(()),
            Some(failure) => {
                Err(failure
                    .help("allow more time, a lower --probability, other modes or batches, or a smaller network"))
            }
        }
    }

    fn goal(&self) -> Option<Goal> {
        match (self.min_energy, self.max_throughput, self.min_latency) {
            (true, ..) => Some(Goal::Energy),
            (_, true, _) => Some(Goal::Throughput),
            (_, _, true) => Some(Goal::Latency),
            _ => None,
        }
    }
}

/// The candidates as a table for people, and the chosen one in words.
fn listed(explored: &[Explored], choice: &Choice) -> String {
    let marks = (0..explored.len()).map(|place| choice.mark(place).to_owned()).collect();
    let mut extra = Vec::new();
    if choice.limit.is_some() {
        let cell = |one: &Explored| percent(choice.probability(&one.outlook).map(|p| 100.0 * p), 0);
        extra.push(("within", explored.iter().map(cell).collect()));
    }
    extra.push(("", marks));
    let mut text = human(explored, &extra);
    text.push('\n');
    if let Some(place) = choice.chosen {
        let Explored { engine, outlook } = &explored[place];
        text.push_str(&format!("chosen for {}: {engine} in {}\n", choice.goal.name(), outlook.setting_name()));
        text.extend(choice.assurance(outlook).map(|assurance| assurance + "\n"));
    }
    text
}

fn chart_page(explored: &[Explored], choice: &Choice) -> String {
    let candidates: Vec<_> = explored.iter().map(|one| (one.engine.as_str(), &one.outlook)).collect();
    page::render("Choice of a power mode", "", &choice_chart("choice", &candidates, choice))
}
