//! `host-trainer boards list`.

use crate::output::{Csv, Format, UNKNOWN, figure, number, render, write};
use boards::modes::{BOARDS, Board};
use clap::Args;
use serde::Serialize;
use shared::device::MODULES;
use shared::failure::Failure;
use shared::printer::Printer;

/// List public boards with their peaks.
#[derive(Debug, Args)]
pub(super) struct List {
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    name: &'static str,
    title: &'static str,
    gpu_mhz: f64,
    emc_mhz: f64,
    fp32_macs_per_second: Option<f64>,
    fp16_macs_per_second: Option<f64>,
    int8_macs_per_second: Option<f64>,
    bytes_per_second: f64,
    modes: Vec<&'static str>,
    source: &'static str,
}

impl List {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let rows: Vec<Row> = BOARDS.iter().map(row).collect();
        write(printer, self.format, &rows, || csv(&rows), || human(&rows))
    }
}

fn row(board: &Board) -> Row {
    let peaks = &board.peaks;
    Row {
        name: board.name,
        title: MODULES.iter().find(|module| module.name == board.name).map_or(board.name, |module| module.title),
        gpu_mhz: peaks.gpu_mhz,
        emc_mhz: peaks.emc_mhz,
        fp32_macs_per_second: peaks.macs_per_second(32),
        fp16_macs_per_second: peaks.macs_per_second(16),
        int8_macs_per_second: peaks.macs_per_second(8),
        bytes_per_second: peaks.bytes_per_second(),
        modes: board.modes.iter().map(|mode| mode.name).collect(),
        source: peaks.source,
    }
}

fn human(rows: &[Row]) -> String {
    let header = ["name", "board", "modes", "GPU MHz", "EMC MHz", "FP32 TMAC/s", "FP16 TMAC/s", "INT8 TMAC/s", "GB/s"];
    let tera = |macs: Option<f64>| figure(macs.map(|macs| macs / 1e12), 2);
    let cells = |row: &Row| {
        vec![
            row.name.to_owned(),
            row.title.to_owned(),
            if row.modes.is_empty() { UNKNOWN.to_owned() } else { row.modes.join(", ") },
            figure(Some(row.gpu_mhz), 0),
            figure(Some(row.emc_mhz), 0),
            tera(row.fp32_macs_per_second),
            tera(row.fp16_macs_per_second),
            tera(row.int8_macs_per_second),
            figure(Some(row.bytes_per_second / 1e9), 1),
        ]
    };
    render(&header, rows.iter().map(cells).collect(), 3)
}

fn csv(rows: &[Row]) -> Result<String, Failure> {
    let header = [
        "name",
        "title",
        "gpu_mhz",
        "emc_mhz",
        "fp32_macs_per_second",
        "fp16_macs_per_second",
        "int8_macs_per_second",
        "bytes_per_second",
        "source",
    ];
    let cells = |row: &Row| {
        vec![
            row.name.to_owned(),
            row.title.to_owned(),
            row.gpu_mhz.to_string(),
            row.emc_mhz.to_string(),
            number(row.fp32_macs_per_second),
            number(row.fp16_macs_per_second),
            number(row.int8_macs_per_second),
            row.bytes_per_second.to_string(),
            row.source.to_owned(),
        ]
    };
    Csv::text(header, rows.iter().map(cells))
}
