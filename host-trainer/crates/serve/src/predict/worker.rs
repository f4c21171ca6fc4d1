//! What a worker does: it takes what waits, reads it, and predicts all of it together: one run a model for the layers of all
//! requests to a device.

use super::answer::{Answer, Format, Origin, Predicted, Written, csv, json};
use super::answered::{Answered, Key};
use super::engines::{self, Engines};
use super::queue::{Job, Line, Reply, Want};
use super::rows::{self, Rows};
use super::{Options, budgets};
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::models::{Deployed, Deployment, Deployments};
use crate::settings::Limits;
use axum::body::Bytes;
use learn::predict::{EngineInput, RowPrediction};
use serde::Serialize;
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use tokio::sync::oneshot;

/// A thread that predicts.
#[derive(Debug)]
pub(super) struct Worker {
    line: Arc<Line>,
    limits: Limits,
    models: Arc<Deployments>,
    answered: Arc<Answered>,
    metrics: Arc<Metrics>,
}

type Sender = oneshot::Sender<Result<Reply, ApiError>>;

/// A request that was read.
struct Asked<T> {
    what: T,
    /// By what its answer is remembered, if it is.
    key: Option<Key>,
    format: Option<Format>,
    reply: Sender,
}

/// Requests by the device they ask about, and rows also by their table.
#[derive(Default)]
struct Together {
    engines: BTreeMap<String, Vec<Asked<Engines>>>,
    rows: BTreeMap<(String, Table), Vec<Asked<Rows>>>,
}

impl Worker {
    pub(super) fn new(
        line: &Arc<Line>,
        limits: &Limits,
        models: &Arc<Deployments>,
        answered: &Arc<Answered>,
        metrics: &Arc<Metrics>,
    ) -> Self {
        Self {
            line: Arc::clone(line),
            limits: limits.clone(),
            models: Arc::clone(models),
            answered: Arc::clone(answered),
            metrics: Arc::clone(metrics),
        }
    }

    /// Works until the line closes.
    pub(super) fn run(self) {
        while let Some(jobs) = self.line.next() {
            self.metrics.batch_requests.observe(jobs.len() as f64);
            // What a panic leaves behind is dropped with the jobs: their clients are told that the server failed.
            if catch_unwind(AssertUnwindSafe(|| self.predict(jobs))).is_err() {
                tracing::error!("a worker panicked; it goes on with the next requests");
            }
        }
    }

    fn predict(&self, jobs: Vec<Job>) {
        // One deployment answers all of them, to the end.
        let deployment = self.models.current();
        let mut together = Together::default();
        for Job { work, reply } in jobs {
            // Whoever went away needs no answer.
            if reply.is_closed() {
                continue;
            }
            let format = work.format;
            match work.want {
                Want::Engines(body, options) => {
                    let key = format.map(|format| Key::of(&body, &options, format));
                    if let Some(written) = key.and_then(|key| self.answered.get(deployment.generation, &key)) {
                        self.metrics.rows.inc_by(written.layers as u64);
                        self.metrics.remembered.inc();
                        let _ = reply.send(Ok(Reply::Written(written)));
                        continue;
                    }
                    let read = self.read_engines(&deployment, &body, &options);
                    deliver(read, reply, |(device, what), reply| {
                        together.engines.entry(device).or_default().push(Asked { what, key, format, reply });
                    });
                }
                Want::Rows(body) => deliver(self.read_rows(&deployment, &body), reply, |(device, what), reply| {
                    let key = (device, what.table);
                    together.rows.entry(key).or_default().push(Asked { what, key: None, format, reply });
                }),
            }
        }
        for (device, asked) in together.engines {
            self.engines(&deployment, &device, asked);
        }
        for ((device, table), asked) in together.rows {
            self.rows(&deployment, &device, table, asked);
        }
    }

    fn read_engines(
        &self,
        deployment: &Deployment,
        body: &Bytes,
        options: &Options,
    ) -> Result<(String, Engines), ApiError> {
        let engines = engines::read(body, options, &self.limits)?;
        Ok((deployment.of(engines.device.as_deref())?.device().to_owned(), engines))
    }

    fn read_rows(&self, deployment: &Deployment, body: &Bytes) -> Result<(String, Rows), ApiError> {
        let rows = rows::read(body, &self.limits)?;
        Ok((deployment.of(rows.device.as_deref())?.device().to_owned(), rows))
    }

    fn engines(&self, deployment: &Deployment, device: &str, asked: Vec<Asked<Engines>>) {
        let Ok(set) = deployment.of(Some(device)) else { return };
        let named = || asked.iter().flat_map(|asked| &asked.what.engines);
        let inputs: Vec<EngineInput<'_>> = named()
            .filter_map(|named| {
                let (engine, diagnostics) = named.read.as_ref().ok()?;
                Some(EngineInput { engine, diagnostics, profile: named.profile })
            })
            .collect();
        let layers: usize = inputs.iter().map(|input| input.engine.layers.len()).sum();
        let answers = set.models.predict_all(&inputs);
        let answers = match answers {
            Ok(answers) => answers,
            Err(failure) => return fail(&failure, asked),
        };
        self.count(layers, answers.rows_run);
        let mut predictions = answers.predictions.into_iter();
        for Asked { what, key, format, reply } in asked {
            let engines = what.engines.into_iter().map(|named| {
                let prediction = match named.read {
                    Ok(_) => predictions.next().unwrap_or_else(|| Err(Failure::data("nothing was predicted"))),
                    Err(error) => return Predicted { engine: named.name, prediction: Err(error), budgets: Vec::new() },
                };
                let budgets = prediction.as_ref().map(|p| budgets::check(what.budgets, &p.totals)).unwrap_or_default();
                Predicted { engine: named.name, prediction: prediction.map_err(ApiError::from), budgets }
            });
            let answer = Answer {
                engines: engines.collect(),
                set: Arc::clone(set),
                generation: deployment.generation,
                is_batch: what.is_batch,
            };
            let Some(format) = format else {
                let _ = reply.send(Ok(Reply::Answer(answer)));
                continue;
            };
            let written = answer.write(format);
            if let (Ok(written), Some(key)) = (&written, key) {
                self.answered.put(deployment.generation, key, written);
            }
            let _ = reply.send(written.map(Reply::Written));
        }
    }

    fn rows(&self, deployment: &Deployment, device: &str, table: Table, asked: Vec<Asked<Rows>>) {
        let Ok(set) = deployment.of(Some(device)) else { return };
        let layers: Vec<_> = asked.iter().flat_map(|asked| &asked.what.layers).collect();
        let predicted = set.models.predict_rows(&layers);
        let (rows, run) = match predicted {
            Ok(predicted) => predicted,
            Err(failure) => return fail(&failure, asked),
        };
        self.count(rows.len(), run);
        let mut rows = rows.into_iter();
        for Asked { what, format, reply, .. } in asked {
            let own: Vec<RowPrediction> = rows.by_ref().take(what.layers.len()).collect();
            let written = write_rows(set, deployment.generation, table, &own, format.unwrap_or(Format::Json));
            let _ = reply.send(written.map(Reply::Written));
        }
    }

    fn count(&self, rows: usize, run: usize) {
        self.metrics.batch_rows.observe(rows as f64);
        self.metrics.rows.inc_by(rows as u64);
        self.metrics.rows_run.inc_by(run as u64);
    }
}

/// Hands what was read on, or tells the client at once what is wrong with it.
fn deliver<T>(read: Result<T, ApiError>, reply: Sender, then: impl FnOnce(T, Sender)) {
    match read {
        Ok(read) => then(read, reply),
        Err(error) => drop(reply.send(Err(error))),
    }
}

/// A model that proved itself and fails now is this side's fault, whatever the request.
fn fail<T>(failure: &Failure, asked: Vec<Asked<T>>) {
    tracing::error!(error = %failure, "models failed");
    for asked in asked {
        let _ = asked.reply.send(Err(ApiError::internal()));
    }
}

/// The answer to rows.
#[derive(Serialize)]
struct RowsDocument<'a> {
    schema_version: u32,
    device: &'a str,
    layer_kind: &'static str,
    rows: &'a [RowPrediction],
    #[serde(flatten)]
    origin: Origin<'a>,
}

const ROWS_HEADER: [&str; 10] = [
    "power_prediction",
    "runtime_prediction",
    "energy_prediction",
    "power_lower",
    "power_upper",
    "runtime_lower",
    "runtime_upper",
    "source",
    "power_source",
    "outside_training_range",
];

fn write_rows(
    set: &Deployed,
    generation: u64,
    table: Table,
    rows: &[RowPrediction],
    format: Format,
) -> Result<Written, ApiError> {
    if format == Format::Json {
        let document = RowsDocument {
            schema_version: learn::predict::SCHEMA_VERSION,
            device: set.device(),
            layer_kind: table.name(),
            rows,
            origin: Origin::of(set, generation),
        };
        return json(&document, rows.len());
    }
    csv(rows.len(), |writer| {
        writer.write_record(ROWS_HEADER).map_err(|_| ApiError::internal())?;
        for row in rows {
            let number = |value: Option<f64>| value.map_or_else(String::new, |v| v.to_string());
            writer
                .write_record([
                    number(row.power_prediction.map(|p| p.0)),
                    number(row.runtime_prediction.map(|t| t.0)),
                    number(row.energy_prediction.map(|e| e.0)),
                    number(row.power_bounds.map(|b| b.lower)),
                    number(row.power_bounds.map(|b| b.upper)),
                    number(row.runtime_bounds.map(|b| b.lower)),
                    number(row.runtime_bounds.map(|b| b.upper)),
                    row.runtime_source.name().to_owned(),
                    row.power_source.name().to_owned(),
                    row.outside_training_range.join(" "),
                ])
                .map_err(|_| ApiError::internal())?;
        }
        Ok(())
    })
}
