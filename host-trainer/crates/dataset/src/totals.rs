//! Totals of whole networks, `networks.csv` or `networks.parquet`.

use super::report::Report;
use super::text::filled;
use align::statistics::LayerStatistics;
use learn::training::DEVICES_FILE;
use shared::device::Hardware;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::BTreeMap;
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
    hardware: Option<Hardware>,
    made_from: String,
    family: String,
    source: String,
}

/// What a list of measured networks says of one.
#[derive(Debug, Default)]
pub(crate) struct Listed {
    pub(crate) model: String,
    pub(crate) family: String,
    pub(crate) source: String,
    pub(crate) batch_size: Option<u32>,
    pub(crate) runtime: Option<Millis>,
    pub(crate) power: Option<Watts>,
    pub(crate) energy: Option<Millijoules>,
    pub(crate) device: String,
    /// SHA-256 of the file that the layers come from.
    pub(crate) made_from: String,
}

impl From<Listed> for NetworkRow {
    fn from(listed: Listed) -> Self {
        let Listed { model, family, source, batch_size, runtime, power, energy, device, made_from } = listed;
        let method = "listed".to_owned();
        Self { model, family, source, batch_size, runtime, power, energy, device, made_from, method, ..Self::default() }
    }
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
        row.hardware.clone_from(&report.hardware);
        row
    }
}

/// Writes what is known of the devices that rows were measured on to `devices.json` of a folder. Where runs of one device
/// recorded different things, those are unknown. Removes the file where nothing is known.
///
/// # Errors
/// When the file cannot be written or removed.
pub fn write_devices(folder: &Path, rows: &[NetworkRow]) -> Result<(), Failure> {
    let mut known: BTreeMap<&str, Hardware> = BTreeMap::new();
    for row in rows.iter().filter(|row| !row.device.is_empty()) {
        let Some(hardware) = &row.hardware else { continue };
        known.entry(&row.device).and_modify(|all| *all = all.agreed(hardware)).or_insert_with(|| hardware.clone());
    }
    let path = folder.join(DEVICES_FILE);
    if known.is_empty() {
        return match fs::remove_file(&path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(Failure::io(&path, "remove", &e)),
            _ => Ok(()),
        };
    }
    let text = serde_json::to_string_pretty(&known).map_err(|e| Failure::from_error(Kind::Data, e))?;
    write_atomic(&path, (text + "\n").as_bytes())
}

/// Writes the totals to `networks.csv` or `networks.parquet` of a folder, and removes the file of the other format.
///
/// # Errors
/// When the file cannot be written, or the other one not be removed.
pub fn write(folder: &Path, rows: &[NetworkRow], format: TableFormat) -> Result<(), Failure> {
    let text = |value: fn(&NetworkRow) -> &str| ColumnData::Texts(rows.iter().map(|row| filled(value(row))).collect());
    let number = |value: fn(&NetworkRow) -> Option<f64>| ColumnData::Numbers(rows.iter().map(value).collect());
    let batches = rows.iter().map(|row| row.batch_size.map(i64::from));
    let mut columns = vec![
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
    // Only lists name them.
    if rows.iter().any(|row| !row.family.is_empty()) {
        columns.push(("family", text(|row| &row.family)));
    }
    if rows.iter().any(|row| !row.source.is_empty()) {
        columns.push(("source", text(|row| &row.source)));
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use shared::device::Clocks;

    fn row(device: &str, gpu_mhz: f64) -> NetworkRow {
        let clocks = Clocks { gpu_mhz: Some(gpu_mhz), emc_mhz: Some(2133.0), ..Clocks::default() };
        NetworkRow {
            device: device.into(),
            hardware: Some(Hardware { clocks, ..Hardware::default() }),
            ..NetworkRow::default()
        }
    }

    #[test]
    fn what_runs_of_one_device_recorded_differently_is_unknown() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join(DEVICES_FILE);
        write_devices(folder.path(), &[NetworkRow::default()]).expect("nothing to write");
        assert!(!path.exists());
        let rows = [row("orin-nano@15W", 612.0), row("tx2", 850.0), row("orin-nano@15W", 306.0)];
        write_devices(folder.path(), &rows).expect("writes");
        let known: BTreeMap<String, Hardware> = serde_json::from_slice(&fs::read(&path).expect("file")).expect("JSON");
        let of = |name: &str| known[name].clocks;
        assert_eq!((of("orin-nano@15W").gpu_mhz, of("orin-nano@15W").emc_mhz), (None, Some(2133.0)));
        assert_eq!(of("tx2").gpu_mhz, Some(850.0));
        write_devices(folder.path(), &[]).expect("removes");
        assert!(!path.exists());
    }
}
