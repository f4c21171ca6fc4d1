//! `host-trainer predict`: engine info or ONNX graph in, power, run time and energy out.

mod human;
mod notes;
mod sink;

use super::conversions::ConversionArgs;
use super::graph_args::ShapeArgs;
use super::model_source::ModelSource;
use super::outlooks;
use super::progress;
use super::setting_args::SettingArgs;
use crate::output::Format;
use clap::Args;
use compare::add_origin;
use graph::{Options, annotate, is_onnx, read_engine};
use learn::predict::{Models, Prediction, RuntimeCorrection, engine_files};
use learn::what_if::settings;
use rayon::prelude::*;
use shared::engine::{Diagnostic, Engine};
use shared::failure::Failure;
use shared::fs::write_atomic;
use shared::printer::Printer;
use sink::{Sink, Taken};
use std::path::{Path, PathBuf};

/// Predict power, run time and energy of TensorRT engines from their engine info, or of ONNX graphs.
#[derive(Debug, Args)]
pub(super) struct Predict {
    /// Engine-info JSON, ONNX graph, or a folder of them. May be repeated.
    #[arg(long, value_name = "FILE|DIR", required_unless_present = "onnx", num_args = 1..)]
    trt_engine_path: Vec<PathBuf>,
    /// ONNX graph, or a folder of them: its layers are listed as TensorRT would likely fuse them. May be repeated.
    #[arg(long, value_name = "MODEL.onnx|DIR", num_args = 1..)]
    onnx: Vec<PathBuf>,
    /// Output CSV file with one row per layer.
    #[arg(long, value_name = "FILE.csv")]
    result_csv_path: Option<PathBuf>,
    /// Copy of the ONNX graph with the layers' times, powers and energies as metadata of its nodes, for viewers such as Netron.
    #[arg(long, value_name = "MODEL.onnx", requires = "onnx")]
    annotate: Option<PathBuf>,
    #[command(flatten)]
    models: ModelSource,
    #[command(flatten)]
    settings: SettingArgs,
    /// Optimisation profile to predict, for engines with several.
    #[arg(long, value_name = "N", default_value_t = 0)]
    profile: usize,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Number of slowest layers in the table; 0 shows all layers in execution order.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    #[command(flatten)]
    shapes: ShapeArgs,
    #[command(flatten)]
    conversions: ConversionArgs,
}

/// A prediction, and what is said of it if it comes from a graph.
struct Answer {
    prediction: Prediction,
    remarks: Vec<String>,
}

/// Engines predicted at once; bounds the memory of a folder of any size.
const CHUNK: usize = 64;

impl Predict {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let paths: Vec<PathBuf> = self.trt_engine_path.iter().chain(&self.onnx).cloned().collect();
        let files = engine_files(&paths)?;
        if let [only] = &files[..] {
            // A mistyped name is said before models are looked for.
            only.metadata().map_err(|e| Failure::io(only, "read", &e))?;
        }
        if self.annotate.is_some() && (files.len() != 1 || !is_onnx(&files[0])?) {
            return Err(Failure::usage("--annotate is for one ONNX graph").help("name one by --onnx, and nothing else"));
        }
        let options = self.settings.graph(&self.shapes);
        if self.settings.asks_for_several() || self.settings.changes_engines() && !all_graphs(&files)? {
            if self.annotate.is_some() {
                return Err(Failure::usage("--annotate is for one prediction, and several settings were asked for"));
            }
            return self.outlooks(&files, &options, printer);
        }
        let models = self.models.open(printer)?;
        let mut sink = Sink {
            format: self.format,
            top: self.top,
            csv_path: self.result_csv_path.as_deref(),
            several: files.len() > 1,
            conversions: self.conversions.conversions(),
            printer,
            taken: Taken::default(),
        };
        let bar = progress::bar(printer, if files.len() > 1 { files.len() as u64 } else { 0 }, "engines");
        let mut failures = 0;
        for chunk in files.chunks(CHUNK) {
            let answers: Vec<Result<Answer, Failure>> =
                chunk.par_iter().map(|file| self.one(&models, file, &options)).collect();
            for (file, answer) in chunk.iter().zip(answers) {
                match answer {
                    Ok(Answer { prediction, remarks }) => {
                        sink.take(file, &prediction)?;
                        if let Some(to) = &self.annotate {
                            let nodes = annotate(file, to, &notes::notes(&prediction))?;
                            printer.say(format!("{}: {nodes} nodes with the costs of their layers", to.display()));
                        }
                        // Rows have no place for them.
                        if self.format == Format::Csv {
                            remarks.iter().for_each(|remark| printer.warn(format!("{}: {remark}", file.display())));
                        }
                    }
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

    /// Predicts in other modes, clocks, batches or number formats: a row for each setting of each engine.
    fn outlooks(&self, files: &[PathBuf], options: &Options, printer: &Printer) -> Result<(), Failure> {
        let anchors = self.models.anchors(self.settings.own_mode(), printer)?;
        let settings = settings(&anchors, &self.settings.options(&[])?)?;
        let explored = outlooks::explore_files(&anchors, files, options, &settings, self.profile)?;
        if let Some(path) = &self.result_csv_path {
            write_atomic(path, outlooks::csv(&explored)?.as_bytes())?;
            printer.say(format!("wrote {}", path.display()));
        }
        outlooks::print(&explored, self.format, printer)?;
        outlooks::warn(&anchors, &explored, printer);
        Ok(())
    }

    fn one(&self, models: &Models, file: &Path, options: &Options) -> Result<Answer, Failure> {
        let opened = read_engine(file, options)?;
        let forecast = |engine: &Engine, diagnostics: &[Diagnostic]| models.predict(engine, diagnostics, self.profile);
        let predict = || -> Result<Answer, Failure> {
            let mut prediction = forecast(&opened.engine, &opened.diagnostics)?;
            let mut remarks = Vec::new();
            if let Some(origin) = &opened.graph {
                add_origin(&mut prediction, &opened.engine, origin, &forecast)?;
                remarks = origin.remarks(prediction.layer_runtimes());
                remarks.extend(prediction.corrections.iter().map(RuntimeCorrection::sentence));
            }
            Ok(Answer { prediction, remarks })
        };
        predict().map_err(|failure| failure.default_path(file))
    }
}

/// Whether all files are graphs, which are derived in the batch and number format that is asked for.
fn all_graphs(files: &[PathBuf]) -> Result<bool, Failure> {
    for file in files {
        if !is_onnx(file)? {
            return Ok(false);
        }
    }
    Ok(true)
}
