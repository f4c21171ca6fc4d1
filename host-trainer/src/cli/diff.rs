//! `host-trainer diff`: two engines compared by the operators that their layers contain.

use super::graph_args::GraphArgs;
use super::model_source::ModelSource;
use crate::output::{Csv, UNKNOWN, change, figure, json, number, render, shorten};
use clap::{Args, ValueEnum};
use compare::{Comparison, GroupChange, Part, SideSummary, markdown, read_one};
use learn::predict::Models;
use shared::failure::Failure;
use shared::printer::Printer;
use std::cell::OnceCell;
use std::path::PathBuf;

/// Compare two engines by operator: time, power, energy, precision and reformats, and why they differ.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// First engine: an engine info, an ONNX graph, a saved prediction (`predict --format json`), a `trtexec` profile, or the
    /// folder of an aligned run.
    #[arg(value_name = "A")]
    a: PathBuf,
    /// Second engine, likewise.
    #[arg(value_name = "B")]
    b: PathBuf,
    /// Measured times of the first engine, instead of predicted ones: a `trtexec` profile or an aligned run.
    #[arg(long, value_name = "FILE|DIR")]
    times_a: Option<PathBuf>,
    /// Measured times of the second engine.
    #[arg(long, value_name = "FILE|DIR")]
    times_b: Option<PathBuf>,
    #[command(flatten)]
    models: ModelSource,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: DiffFormat,
    /// Number of groups in the table, those that change most; 0 shows all in execution order.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    #[command(flatten)]
    graph: GraphArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum DiffFormat {
    /// Totals, causes and a table for people.
    #[default]
    Human,
    /// One JSON document.
    Json,
    /// One row per group of layers.
    Csv,
    /// Markdown.
    Markdown,
}

/// Models that are opened when the first engine needs them.
pub(super) struct LazyModels<'a> {
    source: &'a ModelSource,
    printer: &'a Printer,
    opened: OnceCell<Models>,
}

impl<'a> LazyModels<'a> {
    /// Models of a source, not opened yet.
    pub(super) fn new(source: &'a ModelSource, printer: &'a Printer) -> Self {
        Self { source, printer, opened: OnceCell::new() }
    }

    /// The models.
    pub(super) fn get(&self) -> Result<&Models, Failure> {
        if let Some(models) = self.opened.get() {
            return Ok(models);
        }
        let models = self.source.open(self.printer)?;
        Ok(self.opened.get_or_init(|| models))
    }
}

impl Diff {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let models = LazyModels::new(&self.models, printer);
        let graph = self.graph.options();
        let read = |path: &PathBuf, times: &Option<PathBuf>| {
            read_one(path, times.as_deref(), &graph, &|engine, diagnostics| {
                models.get()?.predict(engine, diagnostics, 0)
            })
        };
        let comparison = Comparison::of(&read(&self.a, &self.times_a)?, &read(&self.b, &self.times_b)?);
        match self.format {
            DiffFormat::Human => {
                printer.data(&human(&comparison, self.top))?;
                comparison.warnings.iter().for_each(|warning| printer.warn(warning));
                Ok(())
            }
            DiffFormat::Json => printer.data(&json(&comparison)?),
            DiffFormat::Csv => printer.data(&csv(&comparison)?),
            DiffFormat::Markdown => printer.data(&markdown(&comparison, self.top)),
        }
    }
}

/// Number formats as engine infos' readers write them.
fn precisions(part: Option<&Part>) -> String {
    part.iter().flat_map(|part| &part.precision).map(|precision| precision.name()).collect::<Vec<_>>().join("+")
}

fn csv(comparison: &Comparison) -> Result<String, Failure> {
    let header = [
        "name",
        "matched_by",
        "operators",
        "a_layers",
        "b_layers",
        "a_precision",
        "b_precision",
        "a_runtime_ms",
        "b_runtime_ms",
        "runtime_change_ms",
        "a_energy_mj",
        "b_energy_mj",
        "energy_change_mj",
        "a_power_w",
        "b_power_w",
        "a_reformats",
        "b_reformats",
        "a_reformats_ms",
        "b_reformats_ms",
    ];
    let rows = comparison.groups.iter().map(|group| {
        let sides = [group.a.as_ref(), group.b.as_ref()];
        let figures = |of: fn(&Part) -> Option<f64>| sides.map(|part| number(part.and_then(of)));
        let layers = sides.map(|part| part.map_or_else(String::new, |part| part.layers.join("; ")));
        let reformats = sides.map(|part| part.map_or_else(String::new, |part| part.conversions.to_string()));
        let mut row = vec![group.name.clone(), group.matched_by.name().to_owned(), group.operators.join("; ")];
        row.extend(layers);
        row.extend(sides.map(precisions));
        row.extend(figures(|part| part.runtime_ms));
        row.push(number(group.runtime_change_ms));
        row.extend(figures(|part| part.energy_mj));
        row.push(number(group.energy_change_mj));
        row.extend(figures(|part| part.power_w));
        row.extend(reformats);
        row.extend(figures(|part| part.conversions_ms));
        row
    });
    Csv::text(header, rows)
}

fn human(comparison: &Comparison, top: usize) -> String {
    let mut text = String::new();
    for (letter, side) in [("A", &comparison.a), ("B", &comparison.b)] {
        let from = match &side.predicted_for {
            Some(device) => format!("predicted for {device}"),
            None => "measured".to_owned(),
        };
        text.push_str(&format!("{letter}  {}, {from}\n", side.name));
    }
    text.push('\n');
    text.push_str(&totals(comparison));
    text.push('\n');
    for cause in &comparison.causes {
        text.push_str(&format!("- {cause}\n"));
    }
    text.push('\n');
    let mut groups: Vec<&GroupChange> = comparison.groups.iter().collect();
    if top > 0 {
        groups = comparison.by_change();
        groups.truncate(top);
    }
    let rows = groups.iter().map(|group| {
        let (a, b) = (group.a.as_ref(), group.b.as_ref());
        let layers = |part: Option<&Part>| part.map_or(0, |part| part.layers.len());
        let formats = |part: Option<&Part>| match precisions(part) {
            none if none.is_empty() => UNKNOWN.to_owned(),
            formats => formats,
        };
        vec![
            shorten(&group.name, 40),
            format!("{} → {}", formats(a), formats(b)),
            format!("{} → {}", layers(a), layers(b)),
            format!("{} → {}", a.map_or(0, |part| part.conversions), b.map_or(0, |part| part.conversions)),
            figure(a.and_then(|part| part.runtime_ms), 4),
            figure(b.and_then(|part| part.runtime_ms), 4),
            change(group.runtime_change_ms, 4),
            change(group.energy_change_mj, 4),
        ]
    });
    let header = ["operators", "precision", "layers", "reformats", "A ms", "B ms", "change ms", "change mJ"];
    text.push_str(&render(&header, rows.collect(), 2));
    if groups.len() < comparison.groups.len() {
        text.push_str(&format!(
            "the {} groups of {} that change most; all with --top 0\n",
            groups.len(),
            comparison.groups.len()
        ));
    }
    text
}

fn totals(comparison: &Comparison) -> String {
    let sides = [&comparison.a, &comparison.b];
    let shown = |value: Option<f64>, is_lower_bound: bool| match value {
        Some(value) if is_lower_bound => format!("≥ {value:.3}"),
        value => figure(value, 3),
    };
    let runtime = sides.map(|side: &SideSummary| shown(side.runtime_ms, side.runtime_is_lower_bound));
    let energy = sides.map(|side| shown(side.energy_mj, side.energy_is_lower_bound));
    let [power_a, power_b] = sides.map(|side| side.average_power_w);
    let mut rows = Vec::new();
    let mut row = |name: &str, [a, b]: [String; 2], change: String| rows.push(vec![name.to_owned(), a, b, change]);
    row("run time ms", runtime, change(comparison.runtime_change_ms, 3));
    row("energy mJ", energy, change(comparison.energy_change_mj, 3));
    row(
        "average power W",
        [figure(power_a, 2), figure(power_b, 2)],
        change(power_a.zip(power_b).map(|(a, b)| b - a), 2),
    );
    let count = |of: fn(&SideSummary) -> usize| {
        let [a, b] = sides.map(of);
        ([a.to_string(), b.to_string()], format!("{:+}", b as i64 - a as i64))
    };
    let (counts, more) = count(|side| side.layers);
    row("layers", counts, more);
    let (counts, more) = count(|side| side.conversions);
    row("reformats", counts, more);
    let ms = sides.map(|side| side.conversions_ms);
    row("reformats ms", ms.map(|ms| figure(ms, 3)), change(ms[0].zip(ms[1]).map(|(a, b)| b - a), 3));
    render(&["", "A", "B", "change"], rows, 1)
}
