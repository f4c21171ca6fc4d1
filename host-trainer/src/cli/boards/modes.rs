//! `host-trainer boards modes`.

use crate::output::{Csv, Format, figure, number, render, write};
use boards::modes::{BOARDS, KnownMode, modes_of};
use clap::Args;
use serde::Serialize;
use shared::failure::Failure;
use shared::limits;
use shared::near::near;
use shared::power_modes::PowerModes;
use shared::printer::Printer;
use shared::text::read_text;
use std::path::PathBuf;

/// List the power modes of a board with the clocks that they cap.
#[derive(Debug, Args)]
pub(super) struct Modes {
    /// The board, as `boards list` names it.
    #[arg(value_name = "BOARD", required_unless_present = "nvpmodel")]
    board: Option<String>,
    /// Modes of a board's own nvpmodel.conf instead of the public ones.
    #[arg(long, value_name = "FILE")]
    nvpmodel: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Serialize)]
struct Row {
    name: String,
    watts: Option<f64>,
    gpu_mhz: Option<f64>,
    emc_mhz: Option<f64>,
    cpu_mhz: Option<f64>,
    dla_mhz: Option<f64>,
    source: String,
    gpu_share: Option<f64>,
}

impl From<KnownMode> for Row {
    fn from(mode: KnownMode) -> Self {
        let clocks = mode.clocks;
        Self {
            name: mode.name,
            watts: mode.watts,
            gpu_mhz: clocks.gpu_mhz,
            emc_mhz: clocks.emc_mhz,
            cpu_mhz: clocks.cpu_mhz,
            dla_mhz: clocks.dla_mhz,
            source: mode.source,
            gpu_share: mode.gpu_share,
        }
    }
}

impl Modes {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let name = self.board.as_deref().unwrap_or_default();
        let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
        if self.board.is_some() && !names.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            return Err(Failure::usage(format!("no public board is called {name}{}", near(name, &names)))
                .help("leave the name out and give the board's own file by --nvpmodel"));
        }
        let own = match &self.nvpmodel {
            Some(path) => {
                let modes = PowerModes::parse(&read_text(path, limits::SMALL_FILE_BYTES)?);
                modes.diagnostics.iter().for_each(|note| printer.warn(format!("{}: {note}", path.display())));
                if modes.modes.is_empty() {
                    return Err(Failure::data("defines no power mode").at(path).help("give an nvpmodel.conf"));
                }
                Some(modes)
            }
            None => None,
        };
        let rows: Vec<Row> = modes_of(name, own.as_ref()).into_iter().map(Row::from).collect();
        write(printer, self.format, &rows, || csv(&rows), || human(&rows))
    }
}

fn human(rows: &[Row]) -> String {
    let cells = |row: &Row| {
        vec![
            row.name.clone(),
            figure(row.watts, 0),
            figure(row.gpu_mhz, 1),
            figure(row.emc_mhz, 1),
            figure(row.cpu_mhz, 1),
            figure(row.dla_mhz, 1),
            figure(row.gpu_share.map(|share| 100.0 * share), 0),
            row.source.clone(),
        ]
    };
    render(
        &["mode", "watts", "GPU MHz", "EMC MHz", "CPU MHz", "DLA MHz", "GPU on %", "source"],
        rows.iter().map(cells).collect(),
        8,
    )
}

fn csv(rows: &[Row]) -> Result<String, Failure> {
    let cells = |row: &Row| {
        vec![
            row.name.clone(),
            number(row.watts),
            number(row.gpu_mhz),
            number(row.emc_mhz),
            number(row.cpu_mhz),
            number(row.dla_mhz),
            row.source.clone(),
            number(row.gpu_share),
        ]
    };
    let header = ["mode", "watts", "gpu_mhz", "emc_mhz", "cpu_mhz", "dla_mhz", "source", "gpu_share"];
    Csv::text(header, rows.iter().map(cells))
}
