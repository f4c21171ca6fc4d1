//! `host-trainer choose`: modes, batches, number formats and networks in, the best one within a limit out.

use super::graph_args::ShapeArgs;
use super::model_source::ModelSource;
use super::outlooks::{Explored, explore_files, human, mode_name, warn};
use super::setting_args::SettingArgs;
use crate::output::{Format, percent, write};
use boards::choice::{Cost, Goal, Limit, choose, pareto_front};
use charts::{Axis, Plot, Point, page};
use clap::Args;
use learn::predict::engine_files;
use learn::what_if::{parse_limit, settings};
use serde::Serialize;
use shared::failure::{Failure, Kind};
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
    pareto_front: Vec<usize>,
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
        let places: Vec<usize> = (0..explored.len()).filter(|&i| explored[i].outlook.cost().is_some()).collect();
        let costs: Vec<Cost> = explored.iter().filter_map(|one| one.outlook.cost()).collect();
        let goal = self.goal(&costs);
        let limit = self.max_latency.map(|latency| Limit { latency, probability: self.probability });
        let chosen = choose(&costs, limit, goal).map(|place| places[place]);
        let second = if costs.iter().any(|cost| cost.energy.is_some()) { Goal::Energy } else { Goal::Throughput };
        let front: Vec<usize> =
            pareto_front(&costs, [Goal::Latency, second]).into_iter().map(|place| places[place]).collect();
        if let Some(path) = &self.chart {
            write_atomic(path, self.chart_page(&explored, &front, chosen, second).as_bytes())?;
            printer.say(format!("wrote {}", path.display()));
        }
        let probability = |one: &Explored| one.outlook.cost()?.probability_within(self.max_latency?);
        let document = Document {
            schema_version: 1,
            goal: name(goal),
            max_latency_ms: self.max_latency.map(|limit| limit.0),
            probability: self.probability,
            chosen,
            pareto_front: front.clone(),
            candidates: explored
                .iter()
                .map(|explored| Candidate { explored, probability_within_limit: probability(explored) })
                .collect(),
        };
        write(
            printer,
            self.format,
            &document,
            || super::outlooks::csv(&explored),
            || self.human(&explored, &front, chosen, goal, &probability),
        )?;
        warn(&anchors, &explored, printer);
        match chosen {
            Some(_) => Ok(()),
            None => Err(self.nothing(&costs)),
        }
    }

    fn goal(&self, costs: &[Cost]) -> Goal {
        match (self.min_energy, self.max_throughput, self.min_latency) {
            (true, ..) => Goal::Energy,
            (_, true, _) => Goal::Throughput,
            (_, _, true) => Goal::Latency,
            _ if costs.iter().any(|cost| cost.energy.is_some()) => Goal::Energy,
            _ => Goal::Throughput,
        }
    }

    fn human(
        &self,
        explored: &[Explored],
        front: &[usize],
        chosen: Option<usize>,
        goal: Goal,
        probability: &dyn Fn(&Explored) -> Option<f64>,
    ) -> String {
        let mark = |place: usize| match (chosen == Some(place), front.contains(&place)) {
            (true, _) => "chosen",
            (false, true) => "front",
            (false, false) => "",
        };
        let marks = (0..explored.len()).map(|place| mark(place).to_owned()).collect();
        let mut extra = Vec::new();
        if self.max_latency.is_some() {
            let cell = |one: &Explored| percent(probability(one).map(|p| 100.0 * p), 0);
            extra.push(("within", explored.iter().map(cell).collect()));
        }
        extra.push(("", marks));
        let mut text = human(explored, &extra);
        text.push('\n');
        if let Some(place) = chosen {
            let Explored { engine, outlook } = &explored[place];
            let batch = outlook.batch.map_or_else(String::new, |batch| format!(", batch {batch}"));
            text.push_str(&format!("chosen for {}: {} in {}{batch}\n", name(goal), engine, mode_name(outlook)));
            if let Some(limit) = self.max_latency {
                text.push_str(&match probability(&explored[place]) {
                    Some(p) => format!("it takes at most {} ms with a probability of {:.0} %\n", limit.0, 100.0 * p),
                    None => format!(
                        "it is predicted within {} ms; with which probability is not known, since the models come without an interval\n",
                        limit.0
                    ),
                });
            }
        }
        text
    }

    /// Why nothing was chosen: the answer is no.
    fn nothing(&self, costs: &[Cost]) -> Failure {
        let quickest = costs.iter().map(|cost| cost.latency.0).fold(f64::INFINITY, f64::min);
        let failure = match self.max_latency {
            _ if costs.is_empty() => Failure::new(Kind::AnswerIsNo, "no candidate is predicted as a whole"),
            Some(limit) if quickest.is_finite() => Failure::new(
                Kind::AnswerIsNo,
                format!(
                    "no candidate takes at most {} ms with a probability of {:.0} %; the quickest takes {quickest:.3} ms",
                    limit.0,
                    100.0 * self.probability
                ),
            ),
            _ => Failure::new(Kind::AnswerIsNo, "energy is known of no candidate"),
        };
        failure.help("allow more time, a lower --probability, other modes or batches, or a smaller network")
    }

    fn chart_page(&self, explored: &[Explored], front: &[usize], chosen: Option<usize>, second: Goal) -> String {
        let energy = second == Goal::Energy;
        let point = |place: usize| {
            let Explored { engine, outlook } = &explored[place];
            let y = if energy { outlook.cost()?.energy_per_image()?.0 } else { outlook.throughput? };
            let batch = outlook.batch.map_or_else(String::new, |batch| format!(", batch {batch}"));
            let precision = outlook.precision.map_or_else(String::new, |precision| format!(", {}", precision.name()));
            let name = format!("{engine}, {}{batch}{precision}", mode_name(outlook));
            Some(Point::named(name, outlook.cost()?.latency.0, y))
        };
        let other = |place: &usize| !front.contains(place) && chosen != Some(*place);
        let y = if energy { Axis::log("energy per image, mJ") } else { Axis::log("images per second") };
        let mut plot = Plot::new(
            "choice",
            "Candidates",
            "Time of one inference against energy or throughput of each candidate, with the Pareto front",
            Axis::log("time of one inference, ms"),
            y,
        )
        .wide()
        .points("candidates", (0..explored.len()).filter(other).filter_map(point).collect())
        .line("Pareto front", front.iter().copied().filter_map(point).collect(), true)
        .points("chosen", chosen.into_iter().filter_map(point).collect());
        if let Some(limit) = self.max_latency {
            plot = plot.note(format!("limit: {} ms with a probability of {:.0} %", limit.0, 100.0 * self.probability));
        }
        page::render("Choice of a power mode", "", &plot.render())
    }
}

fn name(goal: Goal) -> &'static str {
    match goal {
        Goal::Energy => "energy",
        Goal::Throughput => "throughput",
        Goal::Latency => "latency",
    }
}
