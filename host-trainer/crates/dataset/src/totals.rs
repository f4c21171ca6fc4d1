//! Totals of whole networks, `networks.csv`.

use super::report::Report;
use align::mapping::field;
use align::statistics::LayerStatistics;
use shared::units::{Millijoules, Millis, Watts};
use std::fmt::Write;

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
            let sum: f64 = measured.iter().filter_map(|l| l.runtime.mean).sum();
            row.layers_runtime = Some(Millis(sum));
            row.runtime = Some(Millis(sum));
            return row;
        };
        let energy = &report.energy;
        let (power, period, total) = match energy.unprofiled {
            Some((power, period, total)) => (Some(power), period, Some(total)),
            None => (energy.power, energy.period, energy.energy),
        };
        row.batch_size = energy.batch_size;
        row.runtime = energy.latency.or(Some(period).filter(|p| p.0 > 0.0));
        row.power = power;
        row.energy = total;
        row.idle = energy.idle;
        row.net_energy = total.zip(energy.idle).map(|(total, idle)| total - idle * period);
        row.period = Some(period);
        row.layers_runtime = Some(energy.layers_runtime);
        row.layers_energy = energy.layers_energy;
        row.power_error = energy.power_error;
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
    let ms = |v: Option<Millis>| number(v.map(|v| v.0));
    let watts = |v: Option<Watts>| number(v.map(|v| v.0));
    let mj = |v: Option<Millijoules>| number(v.map(|v| v.0));
    for row in rows {
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{},{}",
            field(&row.model),
            row.batch_size.unwrap_or(1),
            ms(row.runtime),
            watts(row.power),
            mj(row.energy),
            watts(row.idle),
            mj(row.net_energy),
            ms(row.period),
            ms(row.layers_runtime),
            mj(row.layers_energy),
            watts(row.power_error),
            field(&row.method),
            field(&row.device),
            row.made_from
        );
    }
    text
}
