//! `host-trainer predict`: engine info or ONNX graph in, power, run time and energy out.

mod human;
mod sink;

use super::graph_args::GraphArgs;
use super::progress;
use crate::output::Format;
use clap::Args;
use graph::{Options, read_engine};
use learn::predict::{Models, Prediction, engine_files, open_models};
use onnx::use_native_library;
use rayon::prelude::*;
use registry::{Cache, open_deployed};
use shared::failure::{Failure, Kind};
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
    /// Folder of models.
    #[arg(long, value_name = "DIR", default_value = "trained_models", env = "HOST_TRAINER_MODELS")]
    models: PathBuf,
    /// Model store to use instead of a folder: predict with the models deployed there.
    #[arg(long, value_name = "URL")]
    store: Option<String>,
    /// Device to predict for [default: the folder's default device, or the only device of the store].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Optimisation profile to predict, for engines with several.
    #[arg(long, value_name = "N", default_value_t = 0)]
    profile: usize,
    /// Native ONNX Runtime library to use instead of the embedded runtime.
    #[arg(long, value_name = "libonnxruntime.so", env = "HOST_TRAINER_ONNXRUNTIME")]
    onnxruntime: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    /// Number of slowest layers in the table; 0 shows all layers in execution order.
    #[arg(long, value_name = "N", default_value_t = 10)]
    top: usize,
    #[command(flatten)]
    graph: GraphArgs,
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
            None => open_models(&self.models, self.device.as_deref())?,
        };
        let paths: Vec<PathBuf> = self.trt_engine_path.iter().chain(&self.onnx).cloned().collect();
        let files = engine_files(&paths)?;
        let options = self.graph.options();
        let mut sink = Sink {
            format: self.format,
            top: self.top,
            csv_path: self.result_csv_path.as_deref(),
            several: files.len() > 1,
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

    fn deployed_models(&self, store: &str, printer: &Printer) -> Result<Models, Failure> {
        let cache = Cache::of_user();
        let opened = super::runtime::block_on(open_deployed(store, self.device.as_deref(), cache.as_ref()))??;
        if let Some(reason) = opened.offline {
            printer.warn(format!("{reason}; predicting with what was deployed when the store was last seen"));
        }
        Ok(opened.models)
    }

    fn one(&self, models: &Models, file: &Path, options: &Options) -> Result<Answer, Failure> {
        let opened = read_engine(file, options)?;
        let predicted = models.predict(&opened.engine, &opened.diagnostics, self.profile);
        let mut prediction = predicted.map_err(|failure| failure.default_path(file))?;
        let mut remarks = Vec::new();
        if let Some(origin) = opened.graph {
            let layers = prediction.layers.iter();
            remarks = origin.remarks(layers.filter_map(|layer| Some((layer.index, layer.row.runtime_prediction?.0))));
            prediction.warnings.splice(..0, remarks.iter().cloned());
        }
        Ok(Answer { prediction, remarks })
    }
}
