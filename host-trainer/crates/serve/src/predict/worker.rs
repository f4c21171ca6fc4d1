//! A worker: it takes waiting requests as a batch and runs each model once for the layers of all requests to a device.

use super::budgets;
use super::cache::{ResponseCache, ResponseKey};
use super::engine_response::{EnginePredictions, PredictedEngine};
use super::engines::{self, EngineRequest};
use super::format::ResponseFormat;
use super::memory::BodyPermit;
use super::queue::{QueuedRequest, ReplySender, RequestQueue};
use super::request::PredictKind;
use super::row_response::rows_response;
use super::rows::{self, RowRequest};
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::models::{Deployment, Deployments};
use crate::settings::Limits;
use compare::add_origin;
use learn::predict::{EngineInput, RowPrediction};
use shared::engine::{Diagnostic, Engine, Table};
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// A thread that predicts.
#[derive(Debug)]
pub(super) struct Worker {
    pub(super) queue: Arc<RequestQueue>,
    pub(super) limits: Limits,
    pub(super) models: Arc<Deployments>,
    pub(super) cache: Arc<ResponseCache>,
    pub(super) metrics: Arc<Metrics>,
}

/// A request whose body was parsed.
struct ParsedRequest<T> {
    content: T,
    format: ResponseFormat,
    /// The key of the response in the cache, where it is to be cached.
    key: Option<ResponseKey>,
    reply: ReplySender,
    /// Held until the request is answered.
    _memory: BodyPermit,
}

/// Parsed requests that one run of each model answers: those to the same device, and for rows also to the same table.
#[derive(Default)]
struct Batch {
    engines: BTreeMap<String, Vec<ParsedRequest<EngineRequest>>>,
    rows: BTreeMap<(String, Table), Vec<ParsedRequest<RowRequest>>>,
}

impl Worker {
    /// Answers requests until the queue closes.
    pub(super) fn run(self) {
        while let Some(requests) = self.queue.take() {
            self.metrics.batch_requests.observe(requests.len() as f64);
            // A panic drops the requests of its batch: their clients get 500.
            if catch_unwind(AssertUnwindSafe(|| self.answer(requests))).is_err() {
                tracing::error!("a worker panicked; it continues with the next requests");
            }
        }
    }

    fn answer(&self, requests: Vec<QueuedRequest>) {
        // One deployment answers the whole batch.
        let deployment = self.models.current();
        let batch = self.parse(&deployment, requests);
        for (device, requests) in batch.engines {
            self.predict_engines(&deployment, &device, requests);
        }
        for ((device, table), requests) in batch.rows {
            self.predict_rows(&deployment, &device, table, requests);
        }
    }

    /// Parses requests. Those that are cached or malformed are answered at once.
    fn parse(&self, deployment: &Deployment, requests: Vec<QueuedRequest>) -> Batch {
        let mut batch = Batch::default();
        // A closed channel means that the client is gone.
        for QueuedRequest { request, reply } in requests.into_iter().filter(|queued| !queued.reply.is_closed()) {
            let (format, _memory) = (request.format, request.memory);
            match request.kind {
                PredictKind::Engines(options) => {
                    let key = ResponseKey::new(&request.body, &options, format, deployment.generation);
                    if let Some(response) = self.cache.get(&key) {
                        self.metrics.rows.inc_by(response.layers as u64);
                        self.metrics.cache_hits.inc();
                        let _ = reply.send(Ok(response));
                        continue;
                    }
                    let read = engines::read(&request.body, &options, &self.limits);
                    match read.and_then(|content| Ok((device_of(deployment, content.device.as_deref())?, content))) {
                        Ok((device, content)) => {
                            let parsed = ParsedRequest { content, format, key: Some(key), reply, _memory };
                            batch.engines.entry(device).or_default().push(parsed);
                        }
                        Err(error) => drop(reply.send(Err(error))),
                    }
                }
                PredictKind::Rows => {
                    let read = rows::read(&request.body, &self.limits);
                    match read.and_then(|content| Ok((device_of(deployment, content.device.as_deref())?, content))) {
                        Ok((device, content)) => {
                            let group = batch.rows.entry((device, content.table)).or_default();
                            group.push(ParsedRequest { content, format, key: None, reply, _memory });
                        }
                        Err(error) => drop(reply.send(Err(error))),
                    }
                }
            }
        }
        batch
    }

    fn predict_engines(&self, deployment: &Deployment, device: &str, requests: Vec<ParsedRequest<EngineRequest>>) {
        let Ok(models) = deployment.of(Some(device)) else { return };
        let inputs: Vec<EngineInput<'_>> = requests
            .iter()
            .flat_map(|request| &request.content.engines)
            .filter_map(|named| {
                let (engine, diagnostics) = named.parsed.as_ref().ok()?;
                Some(EngineInput { engine, diagnostics, profile: named.profile })
            })
            .collect();
        let layers: usize = inputs.iter().map(|input| input.engine.layers.len()).sum();
        let answers = match models.models.predict_all(&inputs) {
            Ok(answers) => answers,
            Err(failure) => return fail(&failure, requests),
        };
        self.count(layers, answers.rows_run);
        let mut predictions = answers.predictions.into_iter();
        for ParsedRequest { content, format, key, reply, _memory } in requests {
            let engines = content.engines.into_iter().map(|named| {
                let prediction = named.parsed.and_then(|(engine, _)| {
                    let prediction = predictions.next().unwrap_or_else(|| Err(Failure::data("nothing was predicted")));
                    let mut prediction = prediction.map_err(ApiError::from)?;
                    if let Some(origin) = &named.graph {
                        let forecast = |variant: &Engine, diagnostics: &[Diagnostic]| {
                            models.models.predict(variant, diagnostics, named.profile)
                        };
                        add_origin(&mut prediction, &engine, origin, &forecast).map_err(ApiError::from)?;
                    }
                    Ok(prediction)
                });
                let budgets = prediction.as_ref().map(|p| budgets::check(content.budgets, &p.totals));
                PredictedEngine { name: named.name, budgets: budgets.unwrap_or_default(), prediction }
            });
            let predicted = EnginePredictions {
                engines: engines.collect(),
                models,
                generation: deployment.generation,
                is_batch: content.is_batch,
            };
            let response = predicted.to_response(format);
            if let (Ok(response), Some(key)) = (&response, key) {
                self.cache.insert(key, response);
            }
            let _ = reply.send(response);
        }
    }

    fn predict_rows(
        &self,
        deployment: &Deployment,
        device: &str,
        table: Table,
        requests: Vec<ParsedRequest<RowRequest>>,
    ) {
        let Ok(models) = deployment.of(Some(device)) else { return };
        let layers: Vec<_> = requests.iter().flat_map(|request| &request.content.layers).collect();
        let (rows, rows_run) = match models.models.predict_rows(&layers) {
            Ok(predicted) => predicted,
            Err(failure) => return fail(&failure, requests),
        };
        self.count(rows.len(), rows_run);
        let mut rows = rows.into_iter();
        for ParsedRequest { content, format, reply, _memory, .. } in requests {
            let own: Vec<RowPrediction> = rows.by_ref().take(content.layers.len()).collect();
            let _ = reply.send(rows_response(models, deployment.generation, table, &own, format));
        }
    }

    fn count(&self, rows: usize, rows_run: usize) {
        self.metrics.batch_rows.observe(rows as f64);
        self.metrics.rows.inc_by(rows as u64);
        self.metrics.rows_run.inc_by(rows_run as u64);
    }
}

/// The name of the device that a request means.
///
/// # Errors
/// As [`Deployment::of`].
fn device_of(deployment: &Deployment, device: Option<&str>) -> Result<String, ApiError> {
    Ok(deployment.of(device)?.device().to_owned())
}

/// Refuses requests after a model failed. The model passed its self-test, so the failure is the server's.
fn fail<T>(failure: &Failure, requests: Vec<ParsedRequest<T>>) {
    tracing::error!(error = %failure, "models failed");
    for request in requests {
        let _ = request.reply.send(Err(ApiError::internal()));
    }
}
