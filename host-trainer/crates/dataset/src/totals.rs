//! Totals of whole networks, `networks.csv`.

use super::stats::Measured;
use align::quality::EnergyReport;
use align::rows::field;
use serde::Deserialize;
use shared::failure::Failure;
use shared::fs::read_capped;
use shared::limits;
use std::fmt::Write;
use std::path::Path;

/// What is needed of an alignment's quality report.
#[derive(Debug, Clone, Deserialize)]
pub struct Report {
    /// The board.
    pub device: Option<String>,
    /// The method.
    pub method: String,
    /// Energy.
    pub energy: EnergyReport,
    /// Files that the alignment was made from.
    #[serde(default)]
    pub made_from: Vec<(String, String)>,
}

impl Report {
    /// Reads a quality report; `None` where there is none, as in the reference's preprocessed data.
    ///
    /// # Errors
    /// When it cannot be read or is no report.
    pub fn read(path: &Path) -> Result<Option<Self>, Failure> {
        if !path.is_file() {
            return Ok(None);
        }
        let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
        serde_json::from_slice(&content).map(Some).map_err(|e| Failure::data(e.to_string()).at(path))
    }
}

/// A row of `networks.csv`.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct NetworkRow {
    model: String,
    batch_size: Option<u32>,
    runtime_ms: Option<f64>,
    power_w: Option<f64>,
    energy_mj: Option<f64>,
    idle_w: Option<f64>,
    net_mj: Option<f64>,
    period_ms: Option<f64>,
    layers_ms: Option<f64>,
    layers_mj: Option<f64>,
    power_error_w: Option<f64>,
    method: String,
    device: String,
    made_from: String,
}

impl NetworkRow {
    /// A network's row. The pass without the profiler counts where there is one: the profiler slows inferences down.
    /// Without a report, only the layers' run times are known.
    #[must_use]
    pub fn new(model: &str, report: Option<&Report>, measured: &[Measured], made_from: String) -> Self {
        let mut row = Self { model: model.into(), made_from, ..Self::default() };
        let Some(report) = report else {
            let sum: f64 = measured.iter().filter_map(|l| l.runtime.mean()).sum();
            row.layers_ms = Some(sum);
            row.runtime_ms = Some(sum);
            return row;
        };
        let energy = &report.energy;
        let (power, period, mj) = match energy.unprofiled {
            Some((power, ms, mj)) => (Some(power), ms, Some(mj)),
            None => (energy.power_w, energy.period_ms, energy.energy_mj),
        };
        row.batch_size = energy.batch_size;
        row.runtime_ms = energy.latency_ms.or(Some(period).filter(|p| *p > 0.0));
        row.power_w = power;
        row.energy_mj = mj;
        row.idle_w = energy.idle_w;
        row.net_mj = mj.zip(energy.idle_w).map(|(mj, idle)| mj - idle * period);
        row.period_ms = Some(period);
        row.layers_ms = Some(energy.layers_ms);
        row.layers_mj = energy.layers_mj;
        row.power_error_w = energy.power_error_w;
        row.method.clone_from(&report.method);
        row.device = report.device.clone().unwrap_or_default();
        row
    }
}

/// Renders `networks.csv`.
#[must_use]
pub fn render(rows: &[NetworkRow]) -> String {
    let mut text = String::from(
        "model,batch_size,runtime,power,energy,idle_power,net_energy,period,layers_runtime,layers_energy,power_error,\
         method,device,made_from\n",
    );
    let number = |v: Option<f64>| v.map_or_else(String::new, |v| v.to_string());
    for row in rows {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            field(&row.model),
            row.batch_size.unwrap_or(1),
            number(row.runtime_ms),
            number(row.power_w),
            number(row.energy_mj),
            number(row.idle_w),
            number(row.net_mj),
            number(row.period_ms),
            number(row.layers_ms),
            number(row.layers_mj),
            number(row.power_error_w),
            field(&row.method),
            field(&row.device),
            row.made_from
        );
    }
    text
}
