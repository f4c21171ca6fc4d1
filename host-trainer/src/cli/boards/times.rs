//! `host-trainer boards clocks` and `boards transfer`: times of whole networks, from tables alone.

use crate::output::{Csv, Format, figure, number, render, write};
use boards::modes::{BOARDS, Board, Peaks, board};
use boards::transfer::Prior;
use clap::Args;
use learn::network_times::{AtClocks, OnTarget, at_clocks, on_target};
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use shared::near::near;
use shared::printer::Printer;
use std::path::{Path, PathBuf};
use tables::Frame;

/// Predict networks at other clocks from times measured at one or more.
#[derive(Debug, Args)]
#[command(name = "clocks")]
pub(super) struct ClocksCommand {
    /// Measured times: model, gpu_mhz, emc_mhz, runtime (ms); power (W), gpu_share where known.
    #[arg(long, value_name = "FILE.csv")]
    measured: PathBuf,
    /// Clocks to predict for: columns model, gpu_mhz, emc_mhz; gpu_share where not 1.
    #[arg(long, value_name = "FILE.csv")]
    to: PathBuf,
    /// Board, whose peaks are known [default: the highest measured clocks].
    #[arg(long, value_name = "NAME")]
    board: Option<String>,
    /// Probability of the intervals.
    #[arg(long, value_name = "0..1", default_value_t = 0.9)]
    level: f64,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Predict networks on another board from their times on one, and from none or a few measurements on the other.
#[derive(Debug, Args)]
#[command(name = "transfer")]
pub(super) struct TransferCommand {
    /// Times on the board they come from: columns model, runtime (ms), and size (side of the input) where known.
    #[arg(long, value_name = "FILE.csv")]
    source: PathBuf,
    /// Times measured on the other board: the same columns.
    #[arg(long, value_name = "FILE.csv")]
    measured: Option<PathBuf>,
    /// The board they come from, BOARD or BOARD@MODE; its peaks are the prior.
    #[arg(long, value_name = "NAME")]
    from: Option<String>,
    /// The other board, BOARD or BOARD@MODE.
    #[arg(long, value_name = "NAME")]
    to: Option<String>,
    /// Probability of the intervals.
    #[arg(long, value_name = "0..1", default_value_t = 0.9)]
    level: f64,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl ClocksCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        check_level(self.level)?;
        let board = self.board.as_deref().map(named).transpose()?;
        let rows = at_clocks(&read(&self.measured)?, &read(&self.to)?, board, self.level)?;
        let extrapolated = rows.iter().filter(|row| row.origin == "extrapolated").count();
        write(printer, self.format, &rows, || clocks_csv(&rows), || clocks_human(&rows))?;
        if extrapolated > 0 {
            printer.warn(format!("{extrapolated} of {} rows are extrapolated beyond what was measured", rows.len()));
        }
        Ok(())
    }
}

impl TransferCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        check_level(self.level)?;
        let peaks = |name: &Option<String>| name.as_deref().map(peaks_of).transpose();
        let (from, to) = (peaks(&self.from)?, peaks(&self.to)?);
        let prior = Prior::fixed_and_work(from.as_ref(), to.as_ref());
        let measured = self.measured.as_deref().map(read).transpose()?;
        let rows = on_target(&read(&self.source)?, measured.as_ref(), &prior, self.level)?;
        write(printer, self.format, &rows, || transfer_csv(&rows), || transfer_human(&rows))?;
        if from.is_none() || to.is_none() {
            printer.warn("without --from and --to nothing is known of the boards' ratio but what was measured");
        }
        Ok(())
    }
}

fn check_level(level: f64) -> Result<(), Failure> {
    if level > 0.0 && level < 1.0 { Ok(()) } else { Err(Failure::usage("--level lies between 0 and 1, without both")) }
}

fn named(name: &str) -> Result<&'static Board, Failure> {
    board(name).ok_or_else(|| {
        let names: Vec<&str> = BOARDS.iter().map(|board| board.name).collect();
        Failure::usage(format!("no public board is called {name}{}", near(name, &names)))
    })
}

/// The peaks of `BOARD`, or of `BOARD@MODE` at the mode's clocks and with the clusters that it has on.
fn peaks_of(device: &str) -> Result<Peaks, Failure> {
    let Some((name, mode)) = device.split_once('@') else { return Ok(named(device)?.peaks) };
    let board = named(name)?;
    let names: Vec<&str> = board.modes.iter().map(|mode| mode.name).collect();
    let mode = board
        .mode(mode)
        .ok_or_else(|| Failure::usage(format!("{name} has no power mode {mode}{}", near(mode, &names))))?;
    Ok(board.peaks_in(mode))
}

fn read(path: &Path) -> Result<Frame, Failure> {
    Frame::parse(path, &read_capped(path, limits::TABLE_BYTES)?)
}

fn clocks_human(rows: &[AtClocks]) -> String {
    let cells = |row: &AtClocks| {
        vec![
            row.model.clone(),
            figure(Some(row.gpu_mhz), 1),
            figure(Some(row.emc_mhz), 1),
            figure(Some(row.runtime), 3),
            figure(Some(row.runtime_lower), 3),
            figure(Some(row.runtime_upper), 3),
            figure(row.power, 2),
            row.origin.to_owned(),
        ]
    };
    let header = ["model", "GPU MHz", "EMC MHz", "runtime ms", "lower", "upper", "power W", "time from"];
    render(&header, rows.iter().map(cells).collect(), 1)
}

fn clocks_csv(rows: &[AtClocks]) -> Result<String, Failure> {
    let header = ["model", "gpu_mhz", "emc_mhz", "runtime", "runtime_lower", "runtime_upper", "power", "origin"];
    let cells = |row: &AtClocks| {
        let numbers = [row.gpu_mhz, row.emc_mhz, row.runtime, row.runtime_lower, row.runtime_upper];
        let mut cells = vec![row.model.clone()];
        cells.extend(numbers.map(|value| value.to_string()));
        cells.extend([number(row.power), row.origin.to_owned()]);
        cells
    };
    Csv::text(header, rows.iter().map(cells))
}

fn transfer_human(rows: &[OnTarget]) -> String {
    let cells = |row: &OnTarget| {
        vec![
            row.model.clone(),
            figure(row.size, 0),
            figure(Some(row.runtime), 3),
            figure(Some(row.runtime_lower), 3),
            figure(Some(row.runtime_upper), 3),
        ]
    };
    render(&["model", "size", "runtime ms", "lower", "upper"], rows.iter().map(cells).collect(), 1)
}

fn transfer_csv(rows: &[OnTarget]) -> Result<String, Failure> {
    let cells = |row: &OnTarget| {
        let mut cells = vec![row.model.clone(), number(row.size)];
        cells.extend([row.runtime, row.runtime_lower, row.runtime_upper].map(|value| value.to_string()));
        cells
    };
    Csv::text(["model", "size", "runtime", "runtime_lower", "runtime_upper"], rows.iter().map(cells))
}
