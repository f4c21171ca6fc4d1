//! The queue of requests for the workers, bounded: a request that finds it full is refused with 429.

use super::request::PredictRequest;
use super::response::PredictResponse;
use crate::error::ApiError;
use crate::metrics::Metrics;
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// The most requests in a batch.
const BATCH: usize = 32;

/// Where the response to a request is awaited.
pub(super) type ReplySender = oneshot::Sender<Result<PredictResponse, ApiError>>;

/// A request that waits for a worker.
#[derive(Debug)]
pub(super) struct QueuedRequest {
    pub(super) request: PredictRequest,
    pub(super) reply: ReplySender,
}

/// The requests that wait for a worker.
#[derive(Debug)]
pub(super) struct RequestQueue {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    /// The most requests that wait.
    capacity: usize,
    workers: usize,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Waiting {
    requests: VecDeque<QueuedRequest>,
    closed: bool,
}

impl RequestQueue {
    /// An empty queue for a number of workers.
    pub(super) fn new(capacity: usize, workers: usize, metrics: Arc<Metrics>) -> Self {
        Self { waiting: Mutex::default(), arrived: Condvar::new(), capacity, workers, metrics }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a request.
    ///
    /// # Errors
    /// 429 for a full or closed queue.
    pub(super) fn push(&self, request: QueuedRequest) -> Result<(), ApiError> {
        let mut waiting = self.lock();
        if waiting.requests.len() >= self.capacity || waiting.closed {
            return Err(ApiError::busy("queue_full", "too many requests wait for a prediction", 1));
        }
        waiting.requests.push_back(request);
        self.metrics.waiting.set(waiting.requests.len() as i64);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// Waits for requests and takes one worker's share of them. `None` once the queue is closed and empty.
    pub(super) fn take(&self) -> Option<Vec<QueuedRequest>> {
        let mut waiting = self.lock();
        while waiting.requests.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let count = waiting.requests.len().div_ceil(self.workers).min(BATCH);
        let requests = waiting.requests.drain(..count).collect();
        self.metrics.waiting.set(waiting.requests.len() as i64);
        Some(requests)
    }

    /// Refuses further requests and wakes the workers, which end when the queue is empty.
    pub(super) fn close(&self) {
        self.lock().closed = true;
        self.arrived.notify_all();
    }
}
