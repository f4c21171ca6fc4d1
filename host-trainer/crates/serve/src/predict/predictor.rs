//! The predictor: a queue of requests and the workers that answer them.

use super::cache::ResponseCache;
use super::format::ResponseFormat;
use super::memory::BodyMemory;
use super::queue::{QueuedRequest, RequestQueue};
use super::request::{PredictKind, PredictRequest};
use super::response::PredictResponse;
use super::worker::Worker;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::models::Deployments;
use crate::settings::Settings;
use axum::body::Body;
use axum::http::HeaderMap;
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
        Ok(Self { queue, memory: BodyMemory::new(&settings.limits), workers: Mutex::new(workers) })
    }

    /// The memory for bodies of requests.
    pub(crate) fn memory(&self) -> &BodyMemory {
        &self.memory
    }

    /// Reads the body of a request and has it predicted by the next free worker.
    ///
    /// # Errors
    /// 413 for a body that is too large, 400 for an incomplete one, 429 where the queue or the memory for bodies is full, and
    /// the errors of the prediction.
    pub(crate) async fn predict(
        &self,
        headers: &HeaderMap,
        body: Body,
        kind: PredictKind,
        format: ResponseFormat,
    ) -> Result<PredictResponse, ApiError> {
        let (body, memory) = self.memory.read(headers, body).await?;
        let (reply, response) = oneshot::channel();
        self.queue.push(QueuedRequest { request: PredictRequest { kind, body, memory, format }, reply })?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Limits;
    use axum::http::header;
    use futures_util::FutureExt;

    /// Clients that send large bodies and leave must not fill more memory than the limit.
    #[tokio::test]
    async fn a_request_that_waits_holds_its_memory_though_its_client_left() {
        let limits = Limits { waiting_bytes: 8192, body_bytes: 8192, ..Limits::default() };
        let queue = Arc::new(RequestQueue::new(limits.waiting, 1, Arc::new(Metrics::default())));
        let predictor =
            Predictor { queue: Arc::clone(&queue), memory: BodyMemory::new(&limits), workers: Mutex::default() };
        let headers = HeaderMap::from_iter([(header::CONTENT_LENGTH, "8192".parse().expect("a header"))]);
        let send =
            || predictor.predict(&headers, Body::from(vec![b' '; 8192]), PredictKind::Rows, ResponseFormat::Json);
        // The client leaves while no worker is free: its handler is dropped.
        assert!(send().now_or_never().is_none(), "the request waits");
        let refused = send().now_or_never().expect("an answer").expect_err("the memory is taken");
        assert_eq!(refused.code, "queue_full");
        drop(queue.take());
        assert!(send().now_or_never().is_none(), "the memory is free again");
    }
}
