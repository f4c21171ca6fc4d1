//! `host-trainer predict`: engine info in, power, run time and energy out.

use super::table::{figure, render, shorten};
use super::{Format, progress};
use clap::Args;
use learn::model::default_device;
use learn::predict::{
    Bounds, CSV_HEADER, Document, LayerPrediction, Models, Prediction, SCHEMA_VERSION, Source, csv_record,
};
use onnx::use_native_library;
use rayon::prelude::*;
use registry::{Cache, open_deployed};
use shared::engine;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic_with;
use shared::printer::Printer;
use std::path::{Path, PathBuf};

/// Predict power, run time and energy of TensorRT engines from their engine info.
#[derive(Debug, Args)]
pub(super) struct Predict {
    /// Engine-info JSON, or a folder of them. May be repeated.
    #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
    trt_engine_path: Vec<PathBuf>,
    /// CSV file that receives a row for every layer.
    #[arg(long, value_name = "FILE.csv")]
    result_csv_path: Option<PathBuf>,
    /// Folder of models.
    #[arg(long, value_name = "DIR", default_value = "trained_models", env = "HOST_TRAINER_MODELS")]
    models: PathBuf,
    /// Store of models, instead of a folder: predict with the models that are deployed there.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Device to predict for [default: the folder's default device, the store's only one].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Optimisation profile to predict, of engines that have several.
    #[arg(long, value_name = "N", default_value_t = 0)]
    profile: usize,
    /// Native ONNX Runtime library to use instead of the embedded runtime.
    #[arg(long, value_name = "libonnxruntime.so", env = "HOST_TRAINER_ONNXRUNTIME")]
    onnxruntime: Option<PathBuf>,
    /// How the answer is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Heaviest layers to show to people; 0 shows all, in execution order.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
}

/// Engines predicted at once; bounds the memory of a folder of any size.
const CHUNK: usize = 64;

impl Predict {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        if let Some(library) = &self.onnxruntime {
            if !library.is_file() {
                return Err(Failure::new(Kind::Io, "no such ONNX Runtime library").at(library).help(
                    "give the path of libonnxruntime.so, or leave --onnxruntime out to use the embedded runtime",
                ));
            }
            use_native_library(library);
        }
        let models = match &self.store {
            Some(store) => self.deployed_models(store, printer)?,
            None => self.models_of_folder()?,
        };
        let files = self.engine_files()?;
        let mut sink = Sink::open(&self, files.len() > 1, printer);
        let bar = progress::bar(printer, if files.len() > 1 { files.len() as u64 } else { 0 }, "engines");
        let mut failures = 0;
        for chunk in files.chunks(CHUNK) {
            let answers: Vec<Result<Prediction, Failure>> =
                chunk.par_iter().map(|file| self.one(&models, file)).collect();
            for (file, answer) in chunk.iter().zip(answers) {
                match answer {
                    Ok(prediction) => sink.take(file, prediction)?,
                    // One file was asked for: its failure is the command's. Of many, the rest still counts.
                    Err(failure) if files.len() == 1 => return Err(failure),
                    Err(failure) => {
                        printer.fail(&failure);
                        failures += 1;
                    }
                }
                bar.inc(1);
            }
        }
        bar.finish_and_clear();
        sink.finish()?;
        if failures > 0 {
            return Err(Failure::data(format!("{failures} of {} files were not predicted", files.len())));
        }
        Ok(())
    }

    fn models_of_folder(&self) -> Result<Models, Failure> {
        let device = match &self.device {
            Some(device) => device.clone(),
            None => default_device(&self.models)?,
        };
        if self.device.is_some() {
            let known = learn::model::devices(&self.models)?;
            if !known.contains(&device) {
                return Err(Failure::usage(format!("there are no models for {device}"))
                    .at(&self.models)
                    .help(format!("there are models for {}", known.join(", "))));
            }
        }
        Models::open(&self.models, &device)
    }

    fn deployed_models(&self, store: &str, printer: &Printer) -> Result<Models, Failure> {
        let cache = Cache::of_user();
        let opened = super::runtime::block_on(open_deployed(store, self.device.as_deref(), cache.as_ref()))??;
        if let Some(reason) = opened.offline {
            printer.warn(format!("{reason}; predicting with what was deployed when the store was last seen"));
        }
        Ok(opened.models)
    }

    fn one(&self, models: &Models, file: &Path) -> Result<Prediction, Failure> {
        let (engine, diagnostics) = engine::read(file)?;
        models.predict(&engine, &diagnostics, self.profile).map_err(|failure| match failure.path {
            Some(_) => failure,
            None => failure.at(file),
        })
    }

    /// The files named, and those directly in the folders named, sorted.
    fn engine_files(&self) -> Result<Vec<PathBuf>, Failure> {
        let mut files = Vec::new();
        for path in &self.trt_engine_path {
            if !path.is_dir() {
                files.push(path.clone());
                continue;
            }
            let listing = std::fs::read_dir(path).map_err(|e| Failure::io(path, "list", &e))?;
            let mut inside: Vec<PathBuf> = listing
                .filter_map(Result::ok)
                .map(|entry| entry.path())
                .filter(|p| p.is_file() && p.extension().is_some_and(|e| e == "json" || e == "txt"))
                .collect();
            if inside.is_empty() {
                return Err(Failure::data("holds no engine info (*.json, *.txt)").at(path));
            }
            inside.sort();
            files.extend(inside);
        }
        Ok(files)
    }
}

/// Where answers go, one after the other.
struct Sink<'a> {
    command: &'a Predict,
    several: bool,
    printer: &'a Printer,
    csv: csv::Writer<Vec<u8>>,
    json: Vec<String>,
    written: usize,
}

impl<'a> Sink<'a> {
    fn open(command: &'a Predict, several: bool, printer: &'a Printer) -> Self {
        Self { command, several, printer, csv: csv::Writer::from_writer(Vec::new()), json: Vec::new(), written: 0 }
    }

    fn take(&mut self, file: &Path, prediction: Prediction) -> Result<(), Failure> {
        let wants_csv = self.command.result_csv_path.is_some() || self.command.format == Format::Csv;
        if wants_csv {
            self.add_csv(file, &prediction).map_err(|e| Failure::data(e.to_string()))?;
        }
        match self.command.format {
            Format::Human => {
                if self.written > 0 {
                    self.printer.data("\n")?;
                }
                self.printer.data(&human(file, &prediction, self.command.top))?;
                for warning in &prediction.warnings {
                    self.printer.warn(warning);
                }
            }
            Format::Json => {
                let engine = file.display().to_string();
                let document = Document { schema_version: SCHEMA_VERSION, engine: &engine, prediction: &prediction };
                self.json.push(serde_json::to_string_pretty(&document).map_err(|e| Failure::data(e.to_string()))?);
            }
            Format::Csv => {}
        }
        self.written += 1;
        Ok(())
    }

    fn add_csv(&mut self, file: &Path, prediction: &Prediction) -> Result<(), csv::Error> {
        if self.written == 0 {
            let mut header = CSV_HEADER.to_vec();
            if self.several {
                header.push("engine");
            }
            self.csv.write_record(header)?;
        }
        for layer in &prediction.layers {
            let mut record = csv_record(layer);
            if self.several {
                record.push(file.display().to_string());
            }
            self.csv.write_record(record)?;
        }
        Ok(())
    }

    fn finish(self) -> Result<(), Failure> {
        let csv = self.csv.into_inner().map_err(|e| Failure::data(e.to_string()))?;
        match self.command.format {
            Format::Json if self.several => self.printer.data(&format!("[\n{}\n]\n", self.json.join(",\n")))?,
            Format::Json => self.printer.data(&format!("{}\n", self.json.join("")))?,
            Format::Csv => self.printer.data(&String::from_utf8_lossy(&csv))?,
            Format::Human => {}
        }
        if let Some(path) = &self.command.result_csv_path
            && self.written > 0
        {
            write_atomic_with(path, |out| out.write_all(&csv))?;
            self.printer.say(format!("wrote {}", path.display()));
        }
        Ok(())
    }
}

fn human(file: &Path, prediction: &Prediction, top: usize) -> String {
    let mut order: Vec<&LayerPrediction> = prediction.layers.iter().collect();
    if top > 0 {
        let weight = |l: &LayerPrediction| l.row.runtime_prediction.map_or(0.0, |t| t.0);
        order.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        order.truncate(top);
    }
    let total = prediction.totals.runtime_ms.0;
    let row = |layer: &&LayerPrediction| {
        let runtime = layer.row.runtime_prediction.map(|t| t.0);
        vec![
            layer.index.to_string(),
            shorten(&layer.layer_name, 48),
            layer.layer_type.clone(),
            layer.row.runtime_source.name().to_owned()
                + if layer.row.outside_training_range.is_empty() { "" } else { " *" },
            figure(runtime, 4),
            figure(runtime.filter(|_| total > 0.0).map(|t| 100.0 * t / total), 1),
            figure(layer.row.power_prediction.map(|p| p.0), 2),
            figure(layer.row.energy_prediction.map(|e| e.0), 4),
        ]
    };
    let header = ["#", "layer", "type", "source", "runtime ms", "share %", "power W", "energy mJ"];
    let mut text = format!("{} on {}\n\n", file.display(), prediction.device);
    text.push_str(&render(&header, order.iter().map(row).collect(), 4));
    if order.len() < prediction.layers.len() {
        text.push_str(&format!(
            "the {} heaviest of {} layers; all with --top 0\n",
            order.len(),
            prediction.layers.len()
        ));
    }
    if order.iter().any(|layer| !layer.row.outside_training_range.is_empty()) {
        text.push_str("* outside the range that training saw\n");
    }
    text.push('\n');
    text.push_str(&human_totals(prediction));
    text
}

fn human_totals(prediction: &Prediction) -> String {
    let totals = &prediction.totals;
    let bounds = |bounds: Option<Bounds>, unit: &str| match bounds {
        Some(b) => format!("  ({:.0} %: {:.3} to {:.3} {unit})", 100.0 * b.level, b.lower, b.upper),
        None => "  (no interval: the training data are too thin for one)".to_owned(),
    };
    let mut text = format!("run time       {:.3} ms{}\n", totals.runtime_ms.0, bounds(totals.runtime_bounds, "ms"));
    if let Some(power) = totals.average_power_w {
        text.push_str(&format!("energy         {:.3} mJ{}\n", totals.energy_mj.0, bounds(totals.energy_bounds, "mJ")));
        text.push_str(&format!("average power  {:.3} W\n", power.0));
    }
    let sources: Vec<String> = [Source::Model, Source::Roofline, Source::Free, Source::Unmodelled]
        .iter()
        .filter_map(|source| totals.layers_by_source.get(source.name()).map(|n| format!("{n} {}", source.name())))
        .collect();
    text.push_str(&format!(
        "coverage       models predict {:.1} % of the layers that cost anything and {:.1} % of the run time\n",
        totals.layers_modelled_percent, totals.runtime_modelled_percent
    ));
    text.push_str(&format!("layers         {}: {}\n", totals.layers, sources.join(", ")));
    text
}
