//! `host-trainer models mlflow`: shows the models in an MLflow tracking server.

use super::args::Place;
use clap::Args;
use registry::{Registry, mlflow};
use shared::failure::Failure;
use shared::printer::Printer;

/// Copy to an MLflow server what it lacks: runs, metrics, files, registered models and their deployment status.
#[derive(Debug, Args)]
pub(super) struct Mlflow {
    /// The server. A token comes from MLFLOW_TRACKING_TOKEN, or user and password from MLFLOW_TRACKING_USERNAME and
    /// MLFLOW_TRACKING_PASSWORD.
    #[arg(value_name = "URL", env = "MLFLOW_TRACKING_URI")]
    url: String,
    /// Device whose models are copied [default: all].
    #[arg(long, value_name = "NAME")]
    device: Option<String>,
    #[command(flatten)]
    place: Place,
}

impl Mlflow {
    pub(super) async fn run(self, printer: &Printer) -> Result<(), Failure> {
        copy(&self.place.open()?, self.device.as_deref(), &self.url, printer).await
    }
}

/// What commands that change the store need to tell MLflow of it.
#[derive(Debug, Args)]
pub(super) struct Tell {
    /// Also update the MLflow server at this URL.
    #[arg(long, value_name = "URL", env = "MLFLOW_TRACKING_URI")]
    mlflow: Option<String>,
}

impl Tell {
    /// Tells the server, where one is named, of a device's models. The store has them already.
    pub(super) async fn of(&self, registry: &Registry, device: Option<&str>, printer: &Printer) -> Result<(), Failure> {
        match &self.mlflow {
            Some(url) => copy(registry, device, url, printer).await,
            None => Ok(()),
        }
    }
}

async fn copy(registry: &Registry, device: Option<&str>, url: &str, printer: &Printer) -> Result<(), Failure> {
    let synced = mlflow::sync(registry, device, url).await?;
    for note in &synced.notes {
        printer.warn(note);
    }
    printer.say(format!("MLflow has {} models, {} of them new", synced.models, synced.new));
    Ok(())
}
