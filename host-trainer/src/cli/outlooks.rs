//! Outlooks of engines in several settings: read, printed as a table, JSON and CSV.

use crate::output::{Csv, Format, figure, known, number, render, shorten, write};
use graph::{Options, read_engine};
use learn::predict::EngineInput;
use learn::what_if::{Anchors, Outlook, Setting, caveats, explore};
use serde::Serialize;
use shared::engine::Precision;
use shared::failure::Failure;
use shared::printer::Printer;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// The JSON document's own version.
const SCHEMA_VERSION: u32 = 1;

/// An engine in one setting.
#[derive(Debug, Serialize)]
pub(super) struct Explored {
    /// The engine's file.
    pub(super) engine: String,
    /// What it would cost.
    #[serde(flatten)]
    pub(super) outlook: Outlook,
}

#[derive(Serialize)]
struct Document<'a> {
    schema_version: u32,
    outlooks: &'a [Explored],
}

/// Every engine in every setting.
pub(super) fn explore_files(
    anchors: &Anchors,
    files: &[PathBuf],
    graph: &Options,
    settings: &[Setting],
    profile: usize,
) -> Result<Vec<Explored>, Failure> {
    let mut all = Vec::new();
    for file in files {
        let opened = read_engine(file, graph)?;
        let input = EngineInput { engine: &opened.engine, diagnostics: &opened.diagnostics, profile };
        let mut outlooks = explore(anchors, &input, settings).map_err(|failure| failure.default_path(file))?;
        if let Some(origin) = opened.graph {
            outlooks.iter_mut().for_each(|outlook| outlook.notes.extend(origin.notes.iter().cloned()));
        }
        all.extend(outlooks.into_iter().map(|outlook| Explored { engine: file.display().to_string(), outlook }));
    }
    Ok(all)
}

/// Prints outlooks in a format.
pub(super) fn print(all: &[Explored], format: Format, printer: &Printer) -> Result<(), Failure> {
    let document = Document { schema_version: SCHEMA_VERSION, outlooks: all };
    write(printer, format, &document, || csv(all), || human(all, &[]))
}

/// A table for people; `extra` are further columns, each a heading and a cell for every row.
pub(super) fn human(all: &[Explored], extra: &[(&str, Vec<String>)]) -> String {
    let engines: BTreeSet<&str> = all.iter().map(|one| one.engine.as_str()).collect();
    let several = engines.len() > 1;
    let precise = all.iter().any(|one| one.outlook.precision.is_some());
    let mut header: Vec<&str> = Vec::new();
    header.extend(several.then_some("engine"));
    header.push("mode");
    header.extend(precise.then_some("precision"));
    let numbers_from = header.len();
    header.extend([
        "GPU MHz",
        "EMC MHz",
        "batch",
        "runtime ms",
        "lower",
        "upper",
        "images/s",
        "energy mJ",
        "power W",
        "time from",
    ]);
    header.extend(extra.iter().map(|(heading, _)| *heading));
    let row = |(place, one): (usize, &Explored)| {
        let Explored { engine, outlook } = one;
        let precision = outlook.precision.map_or("engine's", Precision::name).to_owned();
        let at_least = if outlook.missing_layers > 0 { "≥ " } else { "" };
        let mut cells = Vec::new();
        cells.extend(several.then(|| shorten(engine, 40)));
        cells.push(outlook.mode_name().to_owned());
        cells.extend(precise.then_some(precision));
        cells.extend([
            figure(Some(outlook.gpu_mhz), 0),
            figure(Some(outlook.emc_mhz), 0),
            known(outlook.batch, |batch| batch.to_string()),
            format!("{at_least}{}", figure(outlook.runtime_ms.map(|t| t.0), 3)),
            figure(outlook.runtime_bounds.map(|b| b.lower), 3),
            figure(outlook.runtime_bounds.map(|b| b.upper), 3),
            figure(outlook.throughput, 1),
            figure(outlook.energy_mj.map(|e| e.0), 3),
            figure(outlook.power_w.map(|p| p.0), 2),
            outlook.origin.name().to_owned(),
        ]);
        cells.extend(extra.iter().map(|(_, column)| column[place].clone()));
        cells
    };
    render(&header, all.iter().enumerate().map(row).collect(), numbers_from)
}

/// A row for each outlook.
pub(super) fn csv(all: &[Explored]) -> Result<String, Failure> {
    const HEADER: [&str; 16] = [
        "engine",
        "board",
        "mode",
        "gpu_mhz",
        "emc_mhz",
        "batch",
        "precision",
        "runtime",
        "runtime_lower",
        "runtime_upper",
        "throughput",
        "energy",
        "power",
        "origin",
        "missing_layers",
        "layers_outside_training_range",
    ];
    let row = |one: &Explored| {
        let Explored { engine, outlook } = one;
        vec![
            engine.clone(),
            outlook.board.clone(),
            outlook.mode.clone().unwrap_or_default(),
            outlook.gpu_mhz.to_string(),
            outlook.emc_mhz.to_string(),
            outlook.batch.map_or_else(String::new, |batch| batch.to_string()),
            outlook.precision.map_or("", Precision::name).to_owned(),
            number(outlook.runtime_ms.map(|t| t.0)),
            number(outlook.runtime_bounds.map(|b| b.lower)),
            number(outlook.runtime_bounds.map(|b| b.upper)),
            number(outlook.throughput),
            number(outlook.energy_mj.map(|e| e.0)),
            number(outlook.power_w.map(|p| p.0)),
            outlook.origin.name().to_owned(),
            outlook.missing_layers.to_string(),
            outlook.layers_outside_training_range.to_string(),
        ]
    };
    Csv::text(HEADER, all.iter().map(row))
}

/// Says what a user should know of the outlooks, each thing once.
pub(super) fn warn(anchors: &Anchors, all: &[Explored], printer: &Printer) {
    caveats(anchors, all.iter().map(|one| &one.outlook)).iter().for_each(|note| printer.warn(note));
}
