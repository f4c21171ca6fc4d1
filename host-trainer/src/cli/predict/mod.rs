//! `host-trainer predict`: engine info in, power, run time and energy out.

mod human;
mod sink;

use super::conversions::ConversionArgs;
use super::model_source::ModelSource;
use super::progress;
use crate::output::Format;
use clap::Args;
use learn::predict::{Models, Prediction, engine_files};
use rayon::prelude::*;
use shared::engine;
use shared::failure::Failure;
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
    #[command(flatten)]
    models: ModelSource,
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
    conversions: ConversionArgs,
}

/// Engines predicted at once; bounds the memory of a folder of any size.
const CHUNK: usize = 64;

impl Predict {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let models = self.models.open(printer)?;
        let files = engine_files(&self.trt_engine_path)?;
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

    fn one(&self, models: &Models, file: &Path) -> Result<Prediction, Failure> {
        let (engine, diagnostics) = engine::read(file)?;
        models.predict(&engine, &diagnostics, self.profile).map_err(|failure| failure.default_path(file))
    }
}
