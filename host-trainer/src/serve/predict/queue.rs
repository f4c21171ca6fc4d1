//! The queue to the workers, and the workers: threads of their own, so that no prediction holds up a connection.

use super::Options;
use super::answer::{Answer, Predicted};
use crate::serve::error::ApiError;
use crate::serve::metrics::Metrics;
use crate::serve::models::Deployments;
use crate::serve::settings::{Limits, Settings};
use axum::body::Bytes;
use shared::failure::{Failure, Kind};
use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Most requests predicted together.
const BATCH: usize = 32;

/// What a client wants predicted.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) body: Bytes,
    pub(super) options: Options,
}

/// Work with the place where its answer is awaited.
#[derive(Debug)]
struct Job {
    work: Work,
    reply: oneshot::Sender<Result<Answer, ApiError>>,
}

#[derive(Debug)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    limits: Limits,
    models: Arc<Deployments>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

/// The queue to the workers.
#[derive(Debug)]
pub(in crate::serve) struct Queue {
    shared: Arc<Shared>,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Queue {
    /// Starts the workers.
    pub(in crate::serve) fn start(
        settings: &Settings,
        models: Arc<Deployments>,
        metrics: Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let shared = Arc::new(Shared {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            limits: settings.limits.clone(),
            models,
            metrics,
        });
        let mut workers = Vec::new();
        for number in 0..settings.workers.max(1) {
            let shared = Arc::clone(&shared);
            let worker = std::thread::Builder::new().name(format!("predict-{number}")).spawn(move || shared.work());
            workers.push(worker.map_err(|e| Failure::new(Kind::Io, format!("cannot start a thread: {e}")))?);
        }
        Ok(Self { shared, workers: Mutex::new(workers) })
    }

    /// Has work done by the next free worker.
    ///
    /// # Errors
    /// A full queue, and whatever the workers say.
    pub(super) async fn ask(&self, work: Work) -> Result<Answer, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.push(Job { work, reply })?;
        // A worker that panicked has dropped the reply.
        answer.await.unwrap_or_else(|_| Err(ApiError::internal()))
    }

    fn push(&self, job: Job) -> Result<(), ApiError> {
        let mut waiting = self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        if waiting.jobs.len() >= self.shared.limits.waiting || waiting.closed {
            return Err(ApiError::busy("queue_full", "too many requests wait for a prediction", 1));
        }
        waiting.jobs.push_back(job);
        self.shared.metrics.waiting.set(waiting.jobs.len() as i64);
        drop(waiting);
        self.shared.arrived.notify_one();
        Ok(())
    }

    /// Ends the workers when they have done all that waits.
    pub(in crate::serve) fn finish(&self) {
        self.shared.waiting.lock().unwrap_or_else(PoisonError::into_inner).closed = true;
        self.shared.arrived.notify_all();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker catches what its work throws; there is nothing to add here.
            let _ = worker.join();
        }
    }
}

impl Shared {
    fn work(&self) {
        while let Some(jobs) = self.next() {
            self.metrics.batch_requests.observe(jobs.len() as f64);
            // What a panic leaves behind is dropped with the jobs: their clients are told that the server failed.
            if catch_unwind(AssertUnwindSafe(|| self.predict(jobs))).is_err() {
                tracing::error!("a worker panicked; it goes on with the next requests");
            }
        }
    }

    /// The jobs that wait, as many as go together; none when the queue has closed.
    fn next(&self) -> Option<Vec<Job>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let count = waiting.jobs.len().min(BATCH);
        let jobs = waiting.jobs.drain(..count).collect();
        self.metrics.waiting.set(waiting.jobs.len() as i64);
        Some(jobs)
    }

    fn predict(&self, jobs: Vec<Job>) {
        let deployment = self.models.current();
        for Job { work, reply } in jobs {
            let answer = (|| {
                let set = deployment.of(work.options.device.as_deref())?;
                let (engine, diagnostics) = shared::engine::parse(&work.body).map_err(|e| {
                    let error = ApiError::unprocessable("no_engine_info", format!("the body {e}")).help(e.help());
                    match e.place() {
                        Some(place) => error.place(place),
                        None => error,
                    }
                })?;
                if engine.layers.len() > self.limits.layers {
                    let most = self.limits.layers;
                    return Err(ApiError::too_large(format!(
                        "there are more than the {most} layers that are predicted"
                    )));
                }
                let prediction = set.models.predict(&engine, &diagnostics, work.options.profile)?;
                self.metrics.rows.inc_by(prediction.layers.len() as u64);
                let engine = work.options.name.clone().unwrap_or_else(|| "engine".to_owned());
                let engines = vec![Predicted { engine, prediction }];
                Ok(Answer { set: Arc::clone(set), generation: deployment.generation, engines })
            })();
            // A client that went away needs no answer.
            let _ = reply.send(answer);
        }
    }
}
