//! Arguments that say what a study is about.

use crate::cli::tabular::TableArgs;
use crate::cli::values::choice;
use clap::Args;
use learn::evaluate::Measurand;
use learn::fit::plan::Plan;
use learn::training;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use tune::objective::Metric;
use tune::origin::Origin;
use tune::subject::{LayerError, Subject};

/// Data, and the error that counts.
#[derive(Debug, Args)]
pub(super) struct SubjectArgs {
    /// Folder of training data: `<network>/<kind>.csv`, or `<kind>.csv` with a `model` column.
    #[arg(long, value_name = "DIR", required_unless_present_any = ["dbs_dir", "sample_data"])]
    data: Option<PathBuf>,
    #[command(flatten)]
    table: TableArgs,
    /// Input columns of the table.
    #[arg(long, value_name = "A,B", requires = "dbs_dir")]
    input_cols: Vec<String>,
    /// Device to tune for [default: the only device in the data].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    /// Target to predict.
    #[arg(long, value_parser = choice::<Measurand>(), default_value = Measurand::Runtime.name())]
    target: Measurand,
    /// Metric to minimise on held-out folds.
    #[arg(long, value_parser = choice::<Metric>(), default_value = Metric::default().name())]
    metric: Metric,
    /// Layer kinds to average the metric over, or `network` for whole networks [default: all with enough rows].
    #[arg(long, value_name = "A,B", value_delimiter = ',')]
    layer_kinds: Vec<String>,
}

impl SubjectArgs {
    pub(super) fn open(&self, plan: &Plan, printer: &Printer) -> Result<Subject, Failure> {
        let Some(folder) = &self.data else {
            return Subject::table(self.table.read(&self.input_cols, plan, printer)?, plan, self.metric);
        };
        let data = training::read(folder)?;
        data.notes.iter().for_each(|note| printer.warn(note));
        let error = LayerError {
            device: self.device.clone(),
            target: self.target,
            metric: self.metric,
            kinds: self.layer_kinds.clone(),
        };
        Subject::layers(data, folder, plan, error)
    }

    /// Where the rows come from, for workers that read them again.
    pub(super) fn origin(&self) -> Result<Origin, Failure> {
        match &self.data {
            Some(folder) => Ok(Origin::Layers { folder: folder.clone() }),
            None if self.table.is_sample() => Ok(Origin::Sample),
            None => Ok(Origin::from(&self.table.source(&self.input_cols)?)),
        }
    }

    pub(super) fn is_table(&self) -> bool {
        self.data.is_none()
    }
}
