//! Batches that are begun from a grid, and their workers.

use super::app::App;
use super::batches::{Batches, told};
use super::error::ApiError;
use batch::folder::Batch;
use batch::grid::{Grid, GridBatch, dataset_of, layers};
use batch::submit::{Submit, stop};
use learn::fit::kinds::Kind;
use shared::failure::{Failure, Kind as FailureKind};
use std::path::PathBuf;

/// Workers that one request may start on this machine or elsewhere.
pub(crate) const MOST_WORKERS: u64 = 256;
/// Repeats of a combination.
const MOST_REPEATS: u64 = 1_000;
/// The most bytes of a grid.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// A grid that is to become a batch.
#[derive(Debug, Clone, Default)]
pub(crate) struct BatchRequest {
    /// The name of the file.
    pub(crate) file: String,
    /// Its content.
    pub(crate) text: String,
    /// The model kind; by default the one that all options belong to.
    pub(crate) kind: Option<Kind>,
    /// The data set, as `BATCH/NAME`; empty for the server's own training data.
    pub(crate) data: String,
    /// The device of the server's data; by default the only one.
    pub(crate) device: Option<String>,
    /// Rows of each of the server's tables; by default all.
    pub(crate) samples: Option<usize>,
    /// Epochs where the grid does not say; by default the trainings' own.
    pub(crate) epochs: Option<u64>,
    /// How often each combination is trained; by default once.
    pub(crate) repeats: Option<u64>,
    /// Workers; by default one.
    pub(crate) workers: Option<u64>,
    /// What the batch is for.
    pub(crate) description: String,
}

/// What begins batches and starts their workers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Control<'a> {
    pub(crate) batches: &'a Batches,
    /// The server's training data.
    pub(crate) data: Option<&'a PathBuf>,
}

impl<'a> Control<'a> {
    /// What a server has for it.
    pub(crate) fn of(app: &'a App) -> Self {
        Self { batches: &app.batches, data: app.data.as_ref() }
    }

    /// Checks a grid, and gives the batch that it would become.
    ///
    /// # Errors
    /// 400 and 422 for what is wrong with the request.
    pub(crate) async fn check(&self, request: &BatchRequest) -> Result<GridBatch, ApiError> {
        workers(request.workers)?;
        let grid = self.grid(request).await?;
        self.batches.blocking.run(move || grid.check().map_err(asked_wrong)).await
    }

    /// Generates the batch of a grid and starts its workers; the batch's name, and what it was made of.
    ///
    /// # Errors
    /// As [`Control::check`]; data that cannot be read, and sizes that do not fit.
    pub(crate) async fn begin(&self, request: &BatchRequest) -> Result<(String, GridBatch), ApiError> {
        let workers = workers(request.workers)?;
        let checked = self.check(request).await?;
        let (folder, runtime) = (self.batches.folder.clone(), tokio::runtime::Handle::current());
        let begin = move || -> Result<_, ApiError> {
            let batch = runtime.block_on(checked.generate(folder)).map_err(asked_wrong)?;
            submit(&batch, workers)?;
            Ok((batch.name(), checked))
        };
        self.batches.blocking.run(begin).await
    }

    /// Starts workers by the engine that a batch was generated for.
    ///
    /// # Errors
    /// 404 for an unknown batch; an engine that refuses.
    pub(crate) async fn start(&self, name: &str, wanted: Option<u64>) -> Result<(), ApiError> {
        let (batch, workers) = (self.batches.find(name).await?, workers(wanted)?);
        self.batches.blocking.run(move || submit(&batch, workers)).await
    }

    /// Ends the workers of a batch that were started; they hand their tasks back.
    ///
    /// # Errors
    /// 404 for an unknown batch; workers that cannot be reached from here.
    pub(crate) async fn stop(&self, name: &str) -> Result<(), ApiError> {
        let batch = self.batches.find(name).await?;
        let stop = move || -> Result<(), ApiError> {
            let notes = stop(&batch).map_err(|failure| told(&failure))?;
            if notes.is_empty() { Ok(()) } else { Err(ApiError::unprocessable("elsewhere", notes.join("; "))) }
        };
        self.batches.blocking.run(stop).await
    }

    async fn grid(&self, request: &BatchRequest) -> Result<Grid, ApiError> {
        let dataset = match request.data.split_once('/') {
            Some((batch, name)) => {
                let (batch, name) = (self.batches.find(batch).await?, name.to_owned());
                let find = move || -> Result<_, ApiError> {
                    Ok((name.clone(), dataset_of(&batch, &name).map_err(asked_wrong)?))
                };
                self.batches.blocking.run(find).await?
            }
            None => {
                let folder = self.data.ok_or_else(|| {
                    ApiError::bad_request("this server was told of no training data")
                        .help("choose the data of a batch, or start the server with --data DIR")
                })?;
                ("layers".to_owned(), layers(folder, request.device.clone(), request.samples))
            }
        };
        let repeats = request.repeats.unwrap_or(1);
        if !(1..=MOST_REPEATS).contains(&repeats) {
            return Err(ApiError::bad_request(format!("a combination is trained 1 to {MOST_REPEATS} times")));
        }
        Ok(Grid {
            name: request.file.clone(),
            text: request.text.clone(),
            kind: request.kind,
            dataset,
            repeats,
            epochs: request.epochs,
            description: request.description.clone(),
        })
    }
}

fn workers(wanted: Option<u64>) -> Result<u64, ApiError> {
    let workers = wanted.unwrap_or(1);
    if (1..=MOST_WORKERS).contains(&workers) {
        return Ok(workers);
    }
    Err(ApiError::bad_request(format!("1 to {MOST_WORKERS} workers can be started at once")))
}

fn submit(batch: &Batch, workers: u64) -> Result<(), ApiError> {
    let submit = Submit { workers: Some(workers), ..Submit::default() };
    submit.run(batch).map(drop).map_err(|failure| told(&failure))
}

/// What is wrong with a request, without the paths of this machine.
fn asked_wrong(failure: Failure) -> ApiError {
    let error = match failure.kind {
        FailureKind::Usage => ApiError::bad_request(failure.message),
        _ => ApiError::unprocessable("unusable_batch", failure.message),
    };
    match failure.help {
        Some(help) => error.help(help),
        None => error,
    }
}
