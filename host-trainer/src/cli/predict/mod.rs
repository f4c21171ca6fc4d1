//! `host-trainer predict`: engine info in, power, run time and energy out.

mod human;
mod sink;

use super::progress;
use crate::output::Format;
use clap::Args;
use learn::predict::{Models, Prediction, engine_files, open_models};
use onnx::use_native_library;
use rayon::prelude::*;
use registry::{Cache, open_deployed};
use shared::engine;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use sink::{Sink, Taken};
use std::path::{Path, PathBuf};

/// Predict power, run time and energy of TensorRT engines from their engine info.
#[derive(Debug, Args)]
pub(super) struct Predict {
    /// Engine-info JSON, or a folder of them. May be repeated.
    #[arg(long, value_name = "FILE|DIR", required = true, num_args = 1..)]
    trt_engine_path: Vec<PathBuf>,
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
}

/// Engines predicted at once; bounds the memory of a folder of any size.
const CHUNK: usize = 64;

/// The default folder of models, where there is none here: the one that was installed with the program, `share/layerjoule` beside its
/// `bin`. A folder that was asked for is never replaced.
fn shipped(models: &Path) -> PathBuf {
    let installed = || Some(std::env::current_exe().ok()?.parent()?.parent()?.join("share/layerjoule").join(models));
    match installed() {
        Some(folder) if models == Path::new("trained_models") && !models.exists() && folder.is_dir() => folder,
        _ => models.to_owned(),
    }
}

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
            None => open_models(&shipped(&self.models), self.device.as_deref())?,
        };
        let files = engine_files(&self.trt_engine_path)?;
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
            let answers: Vec<Result<Prediction, Failure>> =
                chunk.par_iter().map(|file| self.one(&models, file)).collect();
            for (file, answer) in chunk.iter().zip(answers) {
                match answer {
                    Ok(prediction) => sink.take(file, &prediction)?,
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

    fn one(&self, models: &Models, file: &Path) -> Result<Prediction, Failure> {
        let (engine, diagnostics) = engine::read(file)?;
        models.predict(&engine, &diagnostics, self.profile).map_err(|failure| failure.default_path(file))
    }
}
