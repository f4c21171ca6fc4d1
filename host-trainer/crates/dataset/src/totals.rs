//! Totals of whole networks, `networks.csv` or `networks.parquet`.

use super::report::Report;
use super::text::filled;
use align::statistics::LayerStatistics;
use shared::failure::Failure;
use shared::units::{Millijoules, Millis, Watts};
use std::fs;
use std::path::{Path, PathBuf};
use tables::{ColumnData, TableFormat, write_table};

/// A row of `networks.csv`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetworkRow {
    model: String,
    batch_size: Option<u32>,
    runtime: Option<Millis>,
    power: Option<Watts>,
    energy: Option<Millijoules>,
    idle: Option<Watts>,
    net_energy: Option<Millijoules>,
    period: Option<Millis>,
    layers_runtime: Option<Millis>,
    layers_energy: Option<Millijoules>,
    power_error: Option<Watts>,
    method: String,
    device: String,
    made_from: String,
}

impl NetworkRow {
    /// A network's row. The pass without the profiler counts where there is one: the profiler slows inferences down.
    /// Without a report, only the layers' run times are known.
    pub(crate) fn new(model: &str, report: Option<&Report>, measured: &[LayerStatistics], made_from: String) -> Self {
        let mut row = Self { model: model.into(), made_from, ..Self::default() };
        let Some(report) = report else {
            // Unknown as soon as one layer has no run time.
            let sum = measured.iter().map(|l| l.runtime.mean).sum::<Option<f64>>().filter(|_| !measured.is_empty());
            row.layers_runtime = sum.map(Millis);
            row.runtime = sum.map(Millis);
            return row;
        };
        let energy = &report.energy;
        let (power, period, total) = match energy.unprofiled {
            Some((power, period, total)) => (Some(power), Some(period), Some(total)),
            // Earlier versions wrote 0 where none was known.
            None => (energy.power, energy.period.filter(|p| p.0 > 0.0), energy.energy),
        };
        row.batch_size = energy.batch_size;
        row.runtime = energy.latency.or(period);
        row.power = power;
        row.energy = total;
        row.idle = energy.idle;
        row.net_energy = total.zip(energy.idle).zip(period).map(|((total, idle), period)| total - idle * period);
        row.period = period;
        row.layers_runtime = energy.layers_runtime.filter(|t| t.0 > 0.0);
        row.layers_energy = energy.layers_energy;
        row.power_error = energy.power_error;
        row.method.clone_from(&report.method);
        row.device = report.device.clone().unwrap_or_default();
        row
    }
}

/// Writes the totals to `networks.csv` or `networks.parquet` of a folder, and removes the file of the other format.
///
/// # Errors
/// When the file cannot be written, or the other one not be removed.
pub fn write(folder: &Path, rows: &[NetworkRow], format: TableFormat) -> Result<(), Failure> {
    let text = |value: fn(&NetworkRow) -> &str| ColumnData::Texts(rows.iter().map(|row| filled(value(row))).collect());
    let number = |value: fn(&NetworkRow) -> Option<f64>| ColumnData::Numbers(rows.iter().map(value).collect());
    let batches = rows.iter().map(|row| row.batch_size.map(i64::from));
    let columns = vec![
        ("model", text(|row| &row.model)),
        ("batch_size", ColumnData::Integers(batches.collect())),
        ("runtime", number(|row| row.runtime.map(|t| t.0))),
        ("power", number(|row| row.power.map(|p| p.0))),
        ("energy", number(|row| row.energy.map(|e| e.0))),
        ("idle_power", number(|row| row.idle.map(|p| p.0))),
        ("net_energy", number(|row| row.net_energy.map(|e| e.0))),
        ("period", number(|row| row.period.map(|t| t.0))),
        ("layers_runtime", number(|row| row.layers_runtime.map(|t| t.0))),
        ("layers_energy", number(|row| row.layers_energy.map(|e| e.0))),
        ("power_error", number(|row| row.power_error.map(|p| p.0))),
        ("method", text(|row| &row.method)),
        ("device", text(|row| &row.device)),
        ("made_from", text(|row| &row.made_from)),
    ];
    write_table(&file(folder, format), columns)?;
    for other in TableFormat::ALL.into_iter().filter(|other| *other != format) {
        let path = file(folder, other);
        if path.is_file() {
            fs::remove_file(&path).map_err(|e| Failure::io(&path, "remove", &e))?;
        }
    }
    Ok(())
}

fn file(folder: &Path, format: TableFormat) -> PathBuf {
    folder.join(format!("networks.{}", format.extension()))
}
