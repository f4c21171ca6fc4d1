//! Server-sent events as responses.

use super::events::{Event, Events};
use axum::response::sse::{Event as SseEvent, KeepAlive, Sse};
use futures_util::{Stream, StreamExt};
use std::convert::Infallible;
use std::time::Duration;
use tokio::sync::watch;
use tokio_stream::wrappers::BroadcastStream;

/// All events from now on, until the server closes.
///
/// A client that falls behind misses events and is sent one named `missed`.
pub(crate) fn all_events(
    events: &Events,
    mut closing: watch::Receiver<bool>,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>> + use<>> {
    let sent = BroadcastStream::new(events.subscribe()).filter_map(|event| {
        let sent = match event {
            Ok(event) => to_sse(&event),
            Err(_) => Some(SseEvent::default().event("missed").data("{}")),
        };
        std::future::ready(sent.map(Ok))
    });
    let hello = futures_util::stream::once(std::future::ready(Ok(SseEvent::default().comment("connected"))));
    kept_alive(hello.chain(sent).take_until(async move {
        let _ = closing.wait_for(|closing| *closing).await;
    }))
}

/// A response of these events.
pub(crate) fn response_of<S>(events: S) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>> + use<S>>
where
    S: Stream<Item = Event> + Send + 'static,
{
    kept_alive(events.filter_map(|event| std::future::ready(to_sse(&event).map(Ok))))
}

fn to_sse(event: &Event) -> Option<SseEvent> {
    SseEvent::default().event(event.name()).json_data(event).ok()
}

/// Adds a comment every ten seconds. It tells a proxy that the connection is in use, and this side when the client is gone.
fn kept_alive<S>(events: S) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>> + use<S>>
where
    S: Stream<Item = Result<SseEvent, Infallible>> + Send + 'static,
{
    Sse::new(events).keep_alive(KeepAlive::new().interval(Duration::from_secs(10)))
}
