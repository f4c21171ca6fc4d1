//! `host-trainer networks list`.

use crate::output::{Csv, Format, render, write};
use clap::Args;
use networks::{ARCHITECTURES, Architecture, Sizes, WeightStorage, WriteOptions};
use serde::Serialize;
use shared::failure::Failure;
use shared::printer::Printer;

/// List the networks that can be written, with their weights and work at their published sizes.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    side: u32,
    parameters: u64,
    macs: u64,
}

impl List {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let rows = ARCHITECTURES.iter().map(row).collect::<Result<Vec<Row>, Failure>>()?;
        write(printer, self.format, &rows, || csv(&rows), || human(&rows))
    }
}

fn row(architecture: &Architecture) -> Result<Row, Failure> {
    let options = WriteOptions { storage: WeightStorage::Shape, ..WriteOptions::default() };
    let file = architecture.file(&Sizes::of_side(architecture.side), &options);
    let engine = graph::engine_info_of(&file.bytes(), &graph::Options::default())?;
    Ok(Row { name: architecture.name, side: architecture.side, parameters: file.parameters(), macs: engine.macs })
}

fn human(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        vec![
            row.name.to_owned(),
            format!("{} × {}", row.side, row.side),
            format!("{:.2}", row.parameters as f64 / 1e6),
            format!("{:.3}", row.macs as f64 / 1e9),
        ]
    };
    render(&["name", "input", "million weights", "GMAC"], rows.iter().map(cells).collect(), 2)
}

fn csv(rows: &[Row]) -> Result<String, Failure> {
    let cells =
        |row: &Row| vec![row.name.to_owned(), row.side.to_string(), row.parameters.to_string(), row.macs.to_string()];
    Csv::text(["name", "side", "parameters", "macs"], rows.iter().map(cells))
}
