//! `host-trainer align`: raw run folders in, per-layer power and run time out.

use super::progress;
use super::values::choice;
use crate::output::{self, Csv, Format, number};
use align::files;
use align::folder::{self, Analysed};
use align::method::Method;
use align::quality::{LayerReport, Quality};
use align::run::{Options, Run};
use align::stamps::Stamps;
use align::summary;
use clap::{Args, ValueEnum};
use report::runs;
use shared::failure::{Failure, printable};
use shared::fs::write_atomic;
use shared::printer::Printer;
use shared::sensor::SensorResponse;
use shared::units::{Micros, Millis, Watts};
use std::path::PathBuf;

/// Align power logs with layer times: power and energy of each layer, with their uncertainty.
#[derive(Debug, Args)]
pub(super) struct Align {
    /// Folder of run folders, or one run folder.
    #[arg(long, value_name = "DIR", default_value = "raw_data")]
    raw_data_dir: PathBuf,
    /// Output folder; each model gets a folder of its own.
    #[arg(long, value_name = "DIR", default_value = "preprocessed_data")]
    result_dir: PathBuf,
    /// Method that estimates the power of each layer.
    #[arg(long, value_parser = choice::<Method>(), default_value = Method::default().name())]
    method: Method,
    /// Event that the layers' time stamps mark.
    #[arg(long, value_enum, default_value_t)]
    stamps: StampsName,
    /// Interval between updates of the sensor's reading [default: from the manifest or the log].
    #[arg(long, value_name = "MS", value_parser = positive)]
    sensor_refresh_ms: Option<f64>,
    /// Averaging window of a reading [default: from the manifest or the log].
    #[arg(long, value_name = "MS", value_parser = positive)]
    sensor_window_ms: Option<f64>,
    /// Time constant of the sensor's lag; 0 for no lag [default: from the manifest or the log].
    #[arg(long, value_name = "MS", value_parser = not_negative)]
    sensor_lag_ms: Option<f64>,
    /// Idle power [default: from idling_power.json].
    #[arg(long, value_name = "W", value_parser = not_negative)]
    idle_power_w: Option<f64>,
    /// Also write the rows as Parquet.
    #[arg(long)]
    parquet: bool,
    /// Format of the quality report on stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum StampsName {
    /// Detected from the data.
    #[default]
    Auto,
    /// The profiler's callback, after the inference.
    Callback,
    /// The end of each layer.
    Ends,
}

fn not_negative(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() && value >= 0.0 => Ok(value),
        _ => Err("must be a number of zero or more".into()),
    }
}

fn positive(text: &str) -> Result<f64, String> {
    not_negative(text).and_then(|v| if v > 0.0 { Ok(v) } else { Err("must be more than zero".into()) })
}

impl Align {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let found = files::find(&self.raw_data_dir)?;
        let bar = progress::bar(printer, if found.len() > 1 { found.len() as u64 } else { 0 }, "runs");
        let mut analysed = Analysed::analyse(found, &self.raw_data_dir, &self.options(), &mut || bar.inc(1))?;
        if let Some(count) = analysed.networks {
            printer.say(format!("powers of layer kinds come from {count} networks"));
        }
        for run in &mut analysed.runs {
            let folder = folder::write(run, &self.result_dir, self.parquet)?;
            write_atomic(&folder.join(REPORT), runs::render(&run.quality).as_bytes())?;
        }
        bar.finish_and_clear();
        let all: Vec<&Quality> = analysed.runs.iter().map(|run| &run.quality).collect();
        output::write(printer, self.format, &all, || csv(&all), || printable(&self.human(&analysed.runs)))?;
        for failure in &analysed.failures {
            printer.fail(failure);
        }
        analysed.result()
    }

    fn options(&self) -> Options {
        let micros = |ms: Option<f64>| ms.map(|ms| Micros::from(Millis(ms)));
        Options {
            method: self.method,
            stamps: match self.stamps {
                StampsName::Auto => None,
                StampsName::Callback => Some(Stamps::Callback),
                StampsName::Ends => Some(Stamps::LayerEnds),
            },
            known: SensorResponse {
                refresh: micros(self.sensor_refresh_ms),
                window: micros(self.sensor_window_ms),
                lag: micros(self.sensor_lag_ms),
                delay: None,
            },
            idle: self.idle_power_w.map(Watts),
            ..Options::default()
        }
    }

    fn human(&self, runs: &[Run]) -> String {
        let mut text = String::new();
        for quality in runs.iter().map(|run| &run.quality) {
            text += &format!("{}: {}. {}\n", quality.model, quality.method.name(), quality.because);
            let mut line = |what: &str, value: &str| text += &format!("  {what:<21} {value}\n");
            for (what, value) in summary::lines(quality) {
                line(what, &value);
            }
            for note in &quality.notes {
                line("note", note);
            }
            line("report", &self.result_dir.join(&quality.model).join(REPORT).display().to_string());
        }
        text
    }
}

/// The page about a run, in its model's folder.
const REPORT: &str = "alignment_quality.html";

fn csv(all: &[&Quality]) -> Result<String, Failure> {
    let header = [
        "model",
        "layer_index",
        "layer_name",
        "layer_type",
        "runs",
        "runtime_ms",
        "power_w",
        "power_low_w",
        "power_high_w",
        "energy_mj",
        "readings",
        "independent_samples",
        "verdict",
        "method",
    ];
    let watts = |v: Option<Watts>| number(v.map(|v| v.0));
    let row = |quality: &Quality, layer: &LayerReport| {
        vec![
            quality.model.clone(),
            layer.index.to_string(),
            layer.name.clone(),
            layer.layer_type.clone(),
            layer.runs.to_string(),
            number(layer.runtime.map(|t| t.0)),
            watts(layer.power),
            watts(layer.power_low),
            watts(layer.power_high),
            number(layer.energy.map(|e| e.0)),
            layer.readings.to_string(),
            layer.independent_samples.to_string(),
            layer.verdict.name().to_owned(),
            quality.method.name().to_owned(),
        ]
    };
    Csv::text(header, all.iter().flat_map(|quality| quality.layers.iter().map(|layer| row(quality, layer))))
}
