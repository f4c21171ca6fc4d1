//! `GET /v1/events`.

use crate::app::App;
use crate::events::Event;
use crate::sse;
use axum::extract::State;
use axum::response::sse::{Event as SseEvent, Sse};
use futures_util::Stream;
use std::convert::Infallible;
use std::sync::Arc;

/// Events as they happen: models replaced or refused, studies that progress. Server-sent events.
///
/// The data of each event is JSON; the event's name is its member `event`. A client that falls behind gets an event `missed`.
#[utoipa::path(
    get,
    path = "/v1/events",
    operation_id = "follow_events",
    tag = "server",
    responses((status = 200, description = "A stream of events", content_type = "text/event-stream", body = Event))
)]
pub(super) async fn follow_events(
    State(app): State<Arc<App>>,
) -> Sse<impl Stream<Item = Result<SseEvent, Infallible>>> {
    sse::all_events(&app.events, app.closing())
}
