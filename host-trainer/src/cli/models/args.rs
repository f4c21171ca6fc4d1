//! Arguments that several commands share: where the models are, by what they are judged, how the answer is written.

use crate::output::Format;
use clap::{Args, ValueEnum};
use learn::training;
use registry::{Criterion, EvaluationSet, Metric, Registry};
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use std::sync::Arc;

/// Where the models are.
#[derive(Debug, Args)]
pub(super) struct Place {
    /// Store of the models: a folder, or `s3://…`, `gs://…`, `az://…`, `https://…`.
    #[arg(long, value_name = "URL", env = "HOST_TRAINER_STORE")]
    store: String,
}

impl Place {
    pub(super) fn open(&self) -> Result<Registry, Failure> {
        Ok(Registry::open(&self.store)?)
    }
}

/// By what models are judged.
#[derive(Debug, Args)]
pub(super) struct Measure {
    /// Metric: mape, rmspe, within-10-percent, r2, mae, rmse.
    #[arg(long, value_name = "NAME", default_value = "mape")]
    metric: String,
    /// Metrics recorded at fit time to compare by; both models must have been evaluated on the same data.
    #[arg(long, value_enum, default_value_t, conflicts_with = "data")]
    on: Judged,
    /// Evaluate both models again, on the training tables in this folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What the fits were judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Judged {
    /// Folds held out of the training data.
    #[default]
    CrossValidation,
    /// Networks held out for testing.
    Test,
}

impl Measure {
    pub(super) fn criterion(&self, printer: &Printer) -> Result<Criterion, Failure> {
        let metric: Metric = self.metric.parse()?;
        let on = match (&self.data, self.on) {
            (Some(folder), _) => {
                let data = training::read(folder)?;
                for note in &data.notes {
                    printer.warn(note);
                }
                EvaluationSet::Data(Arc::new(data))
            }
            (None, Judged::CrossValidation) => EvaluationSet::CrossValidation,
            (None, Judged::Test) => EvaluationSet::Test,
        };
        Ok(Criterion { metric, on })
    }
}

/// How the answer is written to stdout.
#[derive(Debug, Args)]
pub(super) struct Answer {
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    pub(super) format: Format,
}
