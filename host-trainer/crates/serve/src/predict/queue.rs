//! The queue to the workers, bounded: whoever finds it full is told to come back.

use super::Options;
use super::answer::{Answer, Format, Written};
use super::answered::Answered;
use super::body::Room;
use super::worker::Worker;
use crate::error::ApiError;
use crate::metrics::Metrics;
use crate::models::Deployments;
use crate::settings::Settings;
use axum::body::Bytes;
use shared::failure::{Failure, Kind};
use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use tokio::sync::oneshot;

/// Most requests predicted together.
const BATCH: usize = 32;

/// What a client wants predicted.
#[derive(Debug)]
pub(super) enum Want {
    /// Engines, by their engine infos.
    Engines(Bytes, Options),
    /// Rows of features.
    Rows(Bytes),
}

/// Something to predict, and how to write the answer; unwritten where the server itself asks.
#[derive(Debug)]
pub(super) struct Work {
    pub(super) want: Want,
    pub(super) format: Option<Format>,
}

/// What a worker made of it.
#[derive(Debug)]
pub(super) enum Reply {
    /// The answer as it goes to the client.
    Written(Written),
    /// The answer itself.
    Answer(Answer),
}

/// Work with the place where its reply is awaited.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) work: Work,
    pub(super) reply: oneshot::Sender<Result<Reply, ApiError>>,
}

/// The jobs that wait.
#[derive(Debug)]
pub(super) struct Line {
    waiting: Mutex<Waiting>,
    arrived: Condvar,
    most: usize,
    workers: usize,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    closed: bool,
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, job: Job) -> Result<(), ApiError> {
        let mut waiting = self.lock();
        if waiting.jobs.len() >= self.most || waiting.closed {
            return Err(ApiError::busy("queue_full", "too many requests wait for a prediction", 1));
        }
        waiting.jobs.push_back(job);
        self.metrics.waiting.set(waiting.jobs.len() as i64);
        drop(waiting);
        self.arrived.notify_one();
        Ok(())
    }

    /// The jobs that wait, this worker's share of them; none when the line has closed and is empty.
    pub(super) fn next(&self) -> Option<Vec<Job>> {
        let mut waiting = self.lock();
        while waiting.jobs.is_empty() {
            if waiting.closed {
                return None;
            }
            waiting = self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner);
        }
        let count = waiting.jobs.len().div_ceil(self.workers).min(BATCH);
        let jobs = waiting.jobs.drain(..count).collect();
        self.metrics.waiting.set(waiting.jobs.len() as i64);
        Some(jobs)
    }
}

/// The queue to the workers: threads of their own, so that no prediction holds up a connection.
#[derive(Debug)]
pub(crate) struct Queue {
    line: Arc<Line>,
    room: Room,
    workers: Mutex<Vec<JoinHandle<()>>>,
}

impl Queue {
    /// Starts the workers.
    pub(crate) fn start(
        settings: &Settings,
        models: &Arc<Deployments>,
        metrics: &Arc<Metrics>,
    ) -> Result<Self, Failure> {
        let line = Arc::new(Line {
            waiting: Mutex::default(),
            arrived: Condvar::new(),
            most: settings.limits.waiting,
            workers: settings.workers.max(1),
            metrics: Arc::clone(metrics),
        });
        let answered = Arc::new(Answered::default());
        let mut workers = Vec::new();
        for number in 0..line.workers {
            let worker = Worker::new(&line, &settings.limits, models, &answered, metrics);
            let thread = std::thread::Builder::new().name(format!("predict-{number}"));
            let thread = thread.spawn(move || worker.run());
            workers.push(thread.map_err(|e| Failure::new(Kind::Io, format!("cannot start a thread: {e}")))?);
        }
        Ok(Self { line, room: Room::new(settings.limits.waiting_bytes), workers: Mutex::new(workers) })
    }

    /// The memory for bodies.
    pub(super) fn room(&self) -> &Room {
        &self.room
    }

    /// Has work done by the next free worker.
    ///
    /// # Errors
    /// A full queue, and whatever the workers say.
    pub(super) async fn ask(&self, work: Work) -> Result<Reply, ApiError> {
        let (reply, answer) = oneshot::channel();
        self.line.push(Job { work, reply })?;
        // A worker that panicked has dropped the reply.
        answer.await.unwrap_or_else(|_| Err(ApiError::internal()))
    }

    /// Ends the workers when they have done all that waits.
    pub(crate) fn finish(&self) {
        self.line.lock().closed = true;
        self.line.arrived.notify_all();
        let workers = std::mem::take(&mut *self.workers.lock().unwrap_or_else(PoisonError::into_inner));
        for worker in workers {
            // A worker catches what its work throws; there is nothing to add here.
            let _ = worker.join();
        }
    }
}
