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
            row.batch_size.map_or_else(String::new, |size| size.to_string()),
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
