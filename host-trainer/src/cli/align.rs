//! `host-trainer align`: raw run folders in, per-layer power and run time out.

use super::{Format, progress};
use align::files::{self, RunFiles};
use align::mapping::field;
use align::method::Method;
use align::quality::Quality;
use align::run::{self, Options, Run};
use align::stamps::Stamps;
use align::write::write_mapping;
use align::{summary, totals};
use clap::{Args, ValueEnum};
use report::runs;
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::printer::Printer;
use shared::sensor::SensorResponse;
use shared::units::{Micros, Millis, Watts};
use std::path::{Path, PathBuf};

/// Align power logs with layer times: power and energy of each layer, with their uncertainty.
#[derive(Debug, Args)]
pub(super) struct Align {
    /// Folder of run folders, or one run folder.
    #[arg(long, value_name = "DIR", default_value = "raw_data")]
    raw_data_dir: PathBuf,
    /// Folder that receives a folder a model.
    #[arg(long, value_name = "DIR", default_value = "preprocessed_data")]
    result_dir: PathBuf,
    /// How layer powers are found.
    #[arg(long, value_enum, default_value_t)]
    method: MethodName,
    /// What the layers' stamps mark.
    #[arg(long, value_enum, default_value_t)]
    stamps: StampsName,
    /// Time between renewals of the sensor's reading [default: from the manifest or the log].
    #[arg(long, value_name = "MS", value_parser = positive)]
    sensor_refresh_ms: Option<f64>,
    /// Time that a reading averages over [default: from the manifest or the log].
    #[arg(long, value_name = "MS", value_parser = positive)]
    sensor_window_ms: Option<f64>,
    /// Time constant of the sensor's lag; 0 is none [default: from the manifest or the log].
    #[arg(long, value_name = "MS", value_parser = not_negative)]
    sensor_lag_ms: Option<f64>,
    /// Idle power [default: from idling_power.json].
    #[arg(long, value_name = "W", value_parser = not_negative)]
    idle_power_w: Option<f64>,
    /// Write the rows as Parquet too, beside the CSV.
    #[arg(long)]
    parquet: bool,
    /// How the quality report is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum MethodName {
    /// Whichever the data allow.
    #[default]
    Auto,
    /// The reference's rule, for comparison.
    Window,
    /// Least squares through the sensor's response.
    Deconvolve,
    /// Measured energy shared out by run time and activity.
    Share,
    /// One power for each kind of layer, from the totals of several networks.
    Totals,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum StampsName {
    /// Found out from the data.
    #[default]
    Auto,
    /// Taken in the profiler's callback, after the inference.
    Callback,
    /// Taken at each layer's end.
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
        let all = found.len();
        let options = self.options();
        let bar = progress::bar(printer, if all > 1 { all as u64 } else { 0 }, "runs");
        let mut runs = Vec::new();
        let mut failures = Vec::new();
        for found in found {
            match found.and_then(|files| analyse(files, &options)) {
                Ok(run) => runs.push(run),
                Err(failure) if all == 1 => return Err(failure),
                Err(failure) => failures.push(failure),
            }
            bar.inc(1);
        }
        self.apply_totals(&mut runs, printer)?;
        for run in &mut runs {
            self.write(run)?;
        }
        bar.finish_and_clear();
        self.report(&runs, printer)?;
        for failure in &failures {
            printer.fail(failure);
        }
        if failures.is_empty() { Ok(()) } else { Err(run::nothing(failures.len(), all)) }
    }

    fn options(&self) -> Options {
        let micros = |ms: Option<f64>| ms.map(|ms| Micros::from(Millis(ms)));
        Options {
            method: match self.method {
                MethodName::Auto => Method::Auto,
                MethodName::Window => Method::Window,
                MethodName::Deconvolve => Method::Deconvolve,
                MethodName::Share => Method::Share,
                MethodName::Totals => Method::Totals,
            },
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
        }
    }

    fn apply_totals(&self, runs: &mut [Run], printer: &Printer) -> Result<(), Failure> {
        match self.method {
            MethodName::Totals => match totals::apply(runs, |_| true) {
                Some(count) => printer.say(format!("powers of layer kinds come from {count} networks")),
                None => {
                    return Err(Failure::data(format!(
                        "needs the measured power of at least {} networks",
                        totals::NETWORKS
                    ))
                    .at(&self.raw_data_dir)
                    .help("use --method share, or measure more networks"));
                }
            },
            MethodName::Auto if runs.len() >= 2 * totals::KINDS => {
                totals::apply(runs, |run| run.quality.method == Method::Share);
            }
            _ => {}
        }
        Ok(())
    }

    fn write(&self, run: &mut Run) -> Result<(), Failure> {
        let folder = self.result_dir.join(&run.files.model);
        write_mapping(run, &folder, self.parquet)?;
        if let Some(engine_info) = &run.files.engine_info {
            let content = shared::fs::read_capped(engine_info, shared::limits::ENGINE_INFO_BYTES)?;
            write_atomic(&folder.join("trt_engine_info.json"), &content)?;
        }
        let json = to_json(&run.quality)?;
        write_atomic(&folder.join("alignment_quality.json"), json.as_bytes())?;
        write_atomic(&folder.join("alignment_quality.html"), runs::render(&run.quality).as_bytes())
    }

    fn report(&self, runs: &[Run], printer: &Printer) -> Result<(), Failure> {
        match self.format {
            Format::Json => {
                let all: Vec<&Quality> = runs.iter().map(|r| &r.quality).collect();
                printer.data(&to_json(&all)?)
            }
            Format::Csv => printer.data(&csv_report(runs)),
            Format::Human => {
                let mut text = String::new();
                for run in runs {
                    let quality = &run.quality;
                    text += &format!("{}: {}. {}\n", quality.model, quality.method.name(), quality.because);
                    for (what, value) in summary::lines(quality) {
                        text += &format!("  {what:<21} {value}\n");
                    }
                    for note in &quality.notes {
                        text += &format!("  {:<21} {note}\n", "note");
                    }
                    text += &format!("  {:<21} {}\n", "report", report_path(&self.result_dir, quality).display());
                }
                printer.data(&shared::failure::printable(&text))
            }
        }
    }
}

fn analyse(files: RunFiles, options: &Options) -> Result<Run, Failure> {
    run::analyse(files, options)
}

fn report_path(results: &Path, quality: &Quality) -> PathBuf {
    results.join(&quality.model).join("alignment_quality.html")
}

fn to_json(value: &impl serde::Serialize) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|s| s + "\n").map_err(|e| Failure::data(e.to_string()))
}

fn csv_report(runs: &[Run]) -> String {
    let mut text = String::from(
        "model,layer_index,layer_name,layer_type,runs,runtime_ms,power_w,power_low_w,power_high_w,energy_mj,readings,\
         independent_samples,verdict,method\n",
    );
    let number = |v: Option<f64>| v.map_or(String::new(), |v| v.to_string());
    let watts = |v: Option<Watts>| number(v.map(|v| v.0));
    for run in runs {
        for layer in &run.quality.layers {
            text += &format!(
                "{},{},{},{},{},{},{},{},{},{},{},{},{},{}\n",
                field(&run.quality.model),
                layer.index,
                field(&layer.name),
                field(&layer.layer_type),
                layer.runs,
                layer.runtime.0,
                watts(layer.power),
                watts(layer.power_low),
                watts(layer.power_high),
                number(layer.energy.map(|e| e.0)),
                layer.readings,
                layer.independent_samples,
                layer.verdict.name(),
                run.quality.method.name()
            );
        }
    }
    text
}
