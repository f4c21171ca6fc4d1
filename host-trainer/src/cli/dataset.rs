//! `host-trainer dataset`: preprocessed runs in, training tables out.

use super::progress;
use clap::{Args, ValueEnum};
use dataset::{self, Options, PowerKind, totals};
use shared::device::DeviceName;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use tables::TableFormat;

/// Make training tables from what `align` wrote, or from networks timed as a whole.
#[derive(Debug, Args)]
pub(super) struct Dataset {
    /// Folder of aligned runs, one folder per model.
    #[arg(long, value_name = "DIR", default_value = "preprocessed_data")]
    preprocessed_data_dir: PathBuf,
    /// List of networks that were measured as a whole, in place of aligned runs: CSV or Parquet with `file` (an ONNX graph or engine
    /// info), `runtime` (ms), `power` (W), `energy` (mJ), and further columns.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["preprocessed_data_dir", "per_layer_measurements", "power", "reference_compatible"])]
    networks: Option<PathBuf>,
    /// Device that the listed networks were measured on, such as orin-nano@15W.
    #[arg(long, value_name = "DEVICE", requires = "networks")]
    device: Option<DeviceName>,
    /// Output folder; each model gets a folder of tables.
    #[arg(long, value_name = "DIR", default_value = "training_data")]
    result_dir: PathBuf,
    /// Minimum number of power and run-time measurements per layer.
    #[arg(long, value_name = "N", default_value_t = 10)]
    per_layer_measurements: u64,
    /// Power that the tables hold.
    #[arg(long, value_enum, default_value_t)]
    power: PowerName,
    /// Read layers as EdgeProfiler does, with its known faults: only three layer types, and a pooling layer's input size in
    /// place of its window.
    #[arg(long)]
    reference_compatible: bool,
    /// Format of the training tables and of `networks`; `fit` reads both.
    #[arg(long, value_enum, default_value_t)]
    format: TableFormatName,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum PowerName {
    /// Without idle power.
    #[default]
    Net,
    /// Including idle power.
    Total,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum TableFormatName {
    /// Text with a header.
    #[default]
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Dataset {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let format = match self.format {
            TableFormatName::Csv => TableFormat::Csv,
            TableFormatName::Parquet => TableFormat::Parquet,
        };
        if let Some(list) = &self.networks {
            let device = self.device.map(|device| device.to_string()).unwrap_or_default();
            let (outcomes, totals): (Vec<_>, Vec<_>) =
                dataset::from_networks(list, &self.result_dir, &device, format)?.into_iter().unzip();
            outcomes.iter().for_each(|outcome| say(printer, outcome));
            return totals::write(&self.result_dir, &totals, format);
        }
        let folders = dataset::networks(&self.preprocessed_data_dir)?;
        let options = Options {
            per_layer_measurements: self.per_layer_measurements,
            power: if self.power == PowerName::Net { PowerKind::Net } else { PowerKind::Total },
            reference_compatible: self.reference_compatible,
            format,
        };
        let bar = progress::bar(printer, folders.len() as u64, "networks");
        let (mut totals, mut failures, mut rows) = (Vec::new(), Vec::new(), 0);
        for folder in &folders {
            match dataset::convert(folder, &self.result_dir, &options) {
                Ok((outcome, total)) => {
                    bar.suspend(|| say(printer, &outcome));
                    rows += outcome.rows.values().sum::<usize>();
                    totals.push(total);
                }
                Err(failure) if folders.len() == 1 => return Err(failure),
                Err(failure) => failures.push(failure),
            }
            bar.inc(1);
        }
        bar.finish_and_clear();
        if !totals.is_empty() {
            totals::write(&self.result_dir, &totals, options.format)?;
            totals::write_devices(&self.result_dir, &totals)?;
        }
        for failure in &failures {
            printer.fail(failure);
        }
        if !failures.is_empty() {
            return Err(Failure::data(format!("{} of {} networks were not converted", failures.len(), folders.len())));
        }
        if rows == 0 {
            return Err(Failure::data("no layer has enough measurements").at(&self.preprocessed_data_dir).help(
                "lower --per-layer-measurements, or align with another method than `window`: it leaves most rows empty",
            ));
        }
        Ok(())
    }
}

fn say(printer: &Printer, outcome: &dataset::Outcome) {
    let tables: Vec<String> = outcome.rows.iter().map(|(table, n)| format!("{n} {table}")).collect();
    let rows = if tables.is_empty() { "no row".to_owned() } else { tables.join(", ") };
    printer.say(format!("{}: {rows}", outcome.model));
    for note in &outcome.notes {
        printer.warn(format!("{}: {note}", outcome.model));
    }
    for left in outcome.left_out.iter().filter(|l| l.thin) {
        printer.warn(format!("{}: `{}` is left out: it {}", outcome.model, left.layer, left.why));
    }
    let others = outcome.left_out.iter().filter(|l| !l.thin).count();
    if others > 0 {
        printer.say(format!("  {others} further layers are in no table; provenance.json says why"));
    }
}
