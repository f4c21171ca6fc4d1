//! What connected clients are told as it happens: server-sent events.

use super::App;
use axum::extract::State;
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use serde::Serialize;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tokio_stream::wrappers::BroadcastStream;

/// Events kept for a client that reads slowly; one that falls further behind misses some, and is told so.
const KEPT: usize = 256;

/// Something that happened. As JSON it is `{"event": …, …}`, and the event's name is the SSE event name too.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// A device's models were replaced.
    Models {
        /// The device.
        device: String,
        /// Digest of the set that now answers.
        digest: String,
        /// The deployment's generation.
        generation: u64,
    },
    /// New models were found and refused; the old ones go on answering.
    ModelsRefused {
        /// The device.
        device: String,
        /// Why.
        reason: String,
    },
    /// A study moved.
    Study {
        /// The study.
        id: String,
        /// Its state.
        state: String,
        /// Trials that are done.
        done: u64,
        /// Trials in all, where that is known.
        trials: Option<u64>,
        /// Best value so far.
        best: Option<f64>,
    },
}

impl Event {
    fn name(&self) -> &'static str {
        match self {
            Self::Models { .. } => "models",
            Self::ModelsRefused { .. } => "models_refused",
            Self::Study { .. } => "study",
        }
    }

    /// The event as a client gets it.
    pub(super) fn sent(&self) -> Option<SseEvent> {
        SseEvent::default().event(self.name()).json_data(self).ok()
    }
}

/// Tells every connected client.
#[derive(Debug, Clone)]
pub struct Events {
    sender: broadcast::Sender<Event>,
}

impl Default for Events {
    fn default() -> Self {
        Self { sender: broadcast::channel(KEPT).0 }
    }
}

impl Events {
    /// Tells every connected client; nobody listening is no failure.
    pub fn tell(&self, event: Event) {
        let _ = self.sender.send(event);
    }

    /// What happens from now on.
    #[must_use]
    pub fn listen(&self) -> broadcast::Receiver<Event> {
        self.sender.subscribe()
    }
}

/// What happens, as it happens: models replaced or refused, studies that move. Server-sent events.
#[utoipa::path(get, path = "/v1/events", tag = "server", responses((status = 200, description = "A stream", content_type = "text/event-stream")))]
pub(super) async fn events(State(app): State<Arc<App>>) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    stream(&app, |_| true)
}

/// The events that `wanted` picks, until the server closes.
pub(super) fn stream<F>(app: &App, wanted: F) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>> + use<F>>
where
    F: Fn(&Event) -> bool + Send + 'static,
{
    let mut closing = app.closing();
    let events = BroadcastStream::new(app.events.listen()).filter_map(move |event| {
        let sent = match event {
            Ok(event) if wanted(&event) => event.sent(),
            Ok(_) => None,
            Err(_) => Some(SseEvent::default().event("missed").data("{}")),
        };
        std::future::ready(sent.map(Ok))
    });
    let hello = futures_util::stream::once(std::future::ready(Ok(SseEvent::default().comment("connected"))));
    let until_closing = hello.chain(events).take_until(async move {
        let _ = closing.wait_for(|closing| *closing).await;
    });
    kept_alive(until_closing)
}

/// Events to a client, and a sign of life where there are none: it tells a proxy that somebody is there, and this side that the
/// client is not.
pub(super) fn kept_alive<S>(events: S) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>> + use<S>>
where
    S: Stream<Item = Result<SseEvent, Infallible>> + Send + 'static,
{
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
}
