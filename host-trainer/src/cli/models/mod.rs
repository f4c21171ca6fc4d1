//! `host-trainer models`: models under version, and what of them is deployed.

mod answer;
mod export;
mod list;
mod mlflow;
mod promote;
mod register;
mod rollback;
mod show;
mod verify;

pub(super) use register::{Registration, register_fitted};

use super::Format;
use clap::{Args, Subcommand, ValueEnum};
use learn::training;
use registry::{Criterion, EvaluationSet, Metric, Registry, Version};
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use std::sync::Arc;

/// Keep models under version in any object store, and decide which of them is deployed.
#[derive(Debug, Args)]
pub(super) struct Models {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    Register(register::Register),
    List(list::List),
    Show(show::Show),
    Compare(promote::Compare),
    Promote(promote::Promote),
    Rollback(rollback::Rollback),
    History(list::History),
    Export(export::Export),
    Import(export::Import),
    Verify(verify::Verify),
    Mlflow(mlflow::Mlflow),
}

impl Models {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        super::runtime::block_on(async {
            match self.command {
                Command::Register(command) => command.run(printer).await,
                Command::List(command) => command.run(printer).await,
                Command::Show(command) => command.run(printer).await,
                Command::Compare(command) => command.run(printer).await,
                Command::Promote(command) => command.run(printer).await,
                Command::Rollback(command) => command.run(printer).await,
                Command::History(command) => command.run(printer).await,
                Command::Export(command) => command.run(printer).await,
                Command::Import(command) => command.run(printer).await,
                Command::Verify(command) => command.run(printer).await,
                Command::Mlflow(command) => command.run(printer).await,
            }
        })?
    }
}

/// Where the models are.
#[derive(Debug, Args)]
struct Place {
    /// Store of the models: a folder, or `s3://…`, `gs://…`, `az://…`, `https://…`.
    #[arg(long, value_name = "URL", env = "HOST_TRAINER_STORE")]
    store: String,
}

impl Place {
    fn open(&self) -> Result<Registry, Failure> {
        Ok(Registry::open(&self.store)?)
    }

    /// As `open`, by one who writes: a folder that is not there is made.
    fn create(&self) -> Result<Registry, Failure> {
        Ok(Registry::create(&self.store)?)
    }
}

/// By what models are judged.
#[derive(Debug, Args)]
struct Measure {
    /// The figure: mape, rmspe, within-10-percent, r2, mae, rmse.
    #[arg(long, value_name = "NAME", default_value = "mape")]
    metric: String,
    /// The figures that the fits left: candidate and deployed model must have been judged on the same data.
    #[arg(long, value_enum, default_value_t, conflicts_with = "data")]
    on: Judged,
    /// Judge both anew, on the training tables in this folder.
    #[arg(long, value_name = "DIR")]
    data: Option<PathBuf>,
}

/// What the fits were judged on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, ValueEnum)]
enum Judged {
    /// Folds held out of the training data.
    #[default]
    CrossValidation,
    /// Networks kept back for testing.
    Test,
}

impl Measure {
    fn criterion(&self, printer: &Printer) -> Result<Criterion, Failure> {
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
struct Answer {
    /// How the answer is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Who is at work, for audit trails: `$HOST_TRAINER_USER`, else the user's and the machine's names.
pub(super) fn who() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.trim().is_empty());
    variable("HOST_TRAINER_USER").unwrap_or_else(|| {
        let user = variable("USER").or_else(|| variable("LOGNAME")).unwrap_or_else(|| "unknown".into());
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        match host.trim() {
            "" => user,
            host => format!("{user}@{host}"),
        }
    })
}

/// The models that references name, or those deployed for a device.
async fn chosen(registry: &Registry, references: &[String], device: Option<&str>) -> Result<Vec<Version>, Failure> {
    if references.is_empty() {
        let device = match device {
            Some(device) => device.to_owned(),
            None => only_device(registry).await?,
        };
        return Ok(registry.deployed_versions(&device).await?);
    }
    let mut versions = Vec::new();
    for reference in references {
        versions.push(registry.find(reference).await?);
    }
    Ok(versions)
}

/// The only device that has models.
async fn only_device(registry: &Registry) -> Result<String, Failure> {
    let devices = registry.devices().await?;
    match devices.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::usage(format!("{}: there are no models", registry.name()))
            .help("bring some in with `host-trainer models register`")),
        several => {
            Err(Failure::usage(format!("there are models of {}", several.join(", ")))
                .help("choose a device by --device"))
        }
    }
}
