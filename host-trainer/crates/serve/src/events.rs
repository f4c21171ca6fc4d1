//! Events that connected clients are told of: models replaced or refused, studies and batches that progress.

use batch::status::Counts;
use serde::Serialize;
use tokio::sync::broadcast;
use utoipa::ToSchema;

/// Events buffered for a slow client. A client that falls further behind misses some and is told so.
const BUFFERED: usize = 256;

/// An event. As JSON it is `{"event": …, …}`; its name is also the name of the server-sent event.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[serde(tag = "event", rename_all = "snake_case")]
pub(crate) enum Event {
    /// A device's models were replaced.
    Models {
        /// The device.
        device: String,
        /// SHA-256 of the set of models that answers from now on.
        digest: String,
        /// The deployment's generation.
        generation: u64,
    },
    /// New models were found and refused. The old ones continue to answer.
    ModelsRefused {
        /// The device.
        device: String,
        /// Why they were refused.
        reason: String,
    },
    /// A study progressed.
    Study {
        /// The study's name.
        id: String,
        /// `running`, `waiting`, `stopped`, `done`, or `running elsewhere`.
        state: String,
        /// Trials that are finished.
        done: u64,
        /// Trials in all.
        trials: Option<u64>,
        /// The best value so far.
        best: Option<f64>,
    },
    /// A batch progressed. Its workers are other processes, so only a client that follows the batch is told.
    Batch {
        /// The batch's name.
        id: String,
        /// `running`, `waiting` (no worker has a task) or `done`.
        state: &'static str,
        /// Tasks by where they stand.
        counts: Counts,
        /// Workers that are registered.
        workers: usize,
        /// The best score so far.
        best: Option<f64>,
    },
}

impl Event {
    /// The name of the server-sent event.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Models { .. } => "models",
            Self::ModelsRefused { .. } => "models_refused",
            Self::Study { .. } => "study",
            Self::Batch { .. } => "batch",
        }
    }
}

/// Sends events to every connected client.
#[derive(Debug, Clone)]
pub(crate) struct Events {
    sender: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::channel(BUFFERED).0 }
    }
}

impl Events {
    /// Sends an event. It is dropped where no client is connected.
    pub(crate) fn send(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// The events from now on.
    pub(crate) fn subscribe(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}
