//! The progress of a batch as a stream of events. Its workers are other processes, so the stream looks again and again.

use super::batches::{BELIEVED, Batches, state};
use super::error::ApiError;
use super::events::Event;
use futures_util::{Stream, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Interval between two looks.
const CHECK: Duration = Duration::from_secs(2);

/// The state of one client's stream.
struct ProgressStream {
    batches: Arc<Batches>,
    name: String,
    closing: watch::Receiver<bool>,
    /// What is sent next, where it is known already.
    first: Option<Event>,
    /// The event sent last.
    sent: Option<Event>,
}

/// The progress of a batch: as it is now, and whenever it changes. The stream ends when nothing more will come of the batch, or when
/// the server closes.
///
/// # Errors
/// 404 for a batch that is not there; a queue that cannot be read.
pub(crate) async fn batch_progress(
    batches: Arc<Batches>,
    closing: watch::Receiver<bool>,
    name: String,
) -> Result<impl Stream<Item = Event> + Send, ApiError> {
    // What an earlier look found may be older than tasks that were added since.
    let first = Some(now(&batches, &name, Duration::ZERO).await?);
    Ok(stream::unfold(ProgressStream { batches, name, closing, first, sent: None }, next))
}

async fn next(mut stream: ProgressStream) -> Option<(Event, ProgressStream)> {
    while !matches!(stream.sent, Some(Event::Batch { state: "done", .. })) {
        let found = match stream.first.take() {
            Some(first) => first,
            None => {
                tokio::select! {
                    () = tokio::time::sleep(CHECK) => {}
                    _ = stream.closing.wait_for(|closing| *closing) => return None,
                }
                match now(&stream.batches, &stream.name, BELIEVED).await {
                    Ok(found) => found,
                    Err(error) => {
                        // A batch may be removed while a client follows it.
                        tracing::warn!(batch = stream.name, error = error.message, "a batch cannot be followed");
                        return None;
                    }
                }
            }
        };
        if stream.sent.as_ref() != Some(&found) {
            stream.sent = Some(found.clone());
            return Some((found, stream));
        }
    }
    None
}

async fn now(batches: &Batches, name: &str, believed: Duration) -> Result<Event, ApiError> {
    let status = batches.standing(name, believed).await?;
    Ok(Event::Batch {
        id: status.name,
        state: state(&status.counts),
        counts: status.counts,
        workers: status.workers.len(),
        best: status.best.values().copied().reduce(f64::min),
    })
}
