//! The predictor: a queue of requests and the workers that answer them.

use super::cache::ResponseCache;
use super::memory::BodyMemory;
use super::queue::{QueuedRequest, RequestQueue};
use super::request::PredictRequest;
use super::response::PredictResponse;
use super::worker::Worker;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::models::Deployments;
use crate::settings::Settings;
use shared::failure::{Failure, Kind};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Predicts on threads of its own, so that no prediction delays a connection.
#[derive(Debug)]
pub(crate) struct Predictor {
    queue: Arc<RequestQueue>,
    memory: BodyMemory,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Predictor {
    /// Starts the workers.
    ///
    /// # Errors
    /// A thread that cannot be started.
    pub(crate) fn start(
        settings: &Settings,
        models: &Arc<Deployments>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let count = settings.workers.max(1);
        let queue = Arc::new(RequestQueue::new(settings.limits.waiting, count, Arc::clone(metrics)));
        let cache = Arc::new(ResponseCache::default());
        let mut workers = Vec::new();
        for number in 0..count {
            let worker = Worker {
                queue: Arc::clone(&queue),
                limits: settings.limits.clone(),
                models: Arc::clone(models),
                cache: Arc::clone(&cache),
                metrics: Arc::clone(metrics),
            };
            let thread = std::thread::Builder::new().name(format!("predict-{number}"));
            let thread = thread.spawn(move || worker.run());
            workers.push(thread.map_err(|e| Failure::new(Kind::Io, format!("cannot start a thread: {e}")))?);
        }
        Ok(Self { queue, memory: BodyMemory::new(settings.limits.waiting_bytes), workers: Mutex::new(workers) })
    }

    /// The memory for bodies of requests.
    pub(crate) fn memory(&self) -> &BodyMemory {
        &self.memory
    }

    /// Has a request predicted by the next free worker.
    ///
    /// # Errors
    /// 429 for a full queue, and the errors of the prediction.
    pub(crate) async fn predict(&self, request: PredictRequest) -> Result<PredictResponse, ApiError> {
        let (reply, response) = oneshot::channel();
        self.queue.push(QueuedRequest { request, reply })?;
        // A worker that panics drops the sender.
        response.await.unwrap_or_else(|_| Err(ApiError::internal()))
    }

    /// Ends the workers once they have answered all that waits.
    pub(crate) fn finish(&self) {
        self.queue.close();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker catches panics of its batches.
            let _ = worker.join();
        }
    }
}
