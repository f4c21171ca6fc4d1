//! The progress of a study as a stream of events, whichever process runs the study.

use super::error::study_failure;
use super::runner::StudyRunner;
use crate::events::{Event, Events};
use futures_util::{Stream, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{broadcast, watch};
use tune::studies::{Progress, StudyError};

/// Interval between checks of a study without events of this server: another process may run it.
const CHECK: Duration = Duration::from_secs(2);

/// The state of one client's stream.
struct ProgressStream {
    runner: Arc<StudyRunner>,
    name: String,
    events: broadcast::Receiver<Event>,
    closing: watch::Receiver<bool>,
    /// The event sent last.
    sent: Option<Event>,
    is_done: bool,
}

/// The progress of a study: as it is now, and whenever it changes. The stream ends when the study is done or the server closes.
pub(crate) fn progress(
    runner: &Arc<StudyRunner>,
    events: &Events,
    closing: watch::Receiver<bool>,
    name: &str,
) -> impl Stream<Item = Event> + Send + use<> {
    // Subscribing before the first check leaves no gap.
    let events = events.subscribe();
    let (runner, name) = (Arc::clone(runner), name.to_owned());
    stream::unfold(ProgressStream { runner, name, events, closing, sent: None, is_done: false }, next)
}

async fn next(mut stream: ProgressStream) -> Option<(Event, ProgressStream)> {
    while !stream.is_done {
        let now = match now(&stream.runner, &stream.name).await {
            Ok(now) => now,
            Err(error) => {
                // A study may be deleted while a client follows it.
                tracing::warn!(study = stream.name, error = %study_failure(error), "a study cannot be followed");
                return None;
            }
        };
        stream.is_done = matches!(&now, Event::Study { state, .. } if state == "done");
        if stream.sent.as_ref() != Some(&now) {
            stream.sent = Some(now.clone());
            return Some((now, stream));
        }
        tokio::select! {
            () = changed(&mut stream.events, &stream.name) => {}
            () = tokio::time::sleep(CHECK) => {}
            _ = stream.closing.wait_for(|closing| *closing) => return None,
        }
    }
    None
}

/// Waits for an event of a study, or for one that may have been missed.
async fn changed(events: &mut broadcast::Receiver<Event>, name: &str) {
    loop {
        match events.recv().await {
            Ok(Event::Study { id, .. }) if id == name => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn now(runner: &StudyRunner, name: &str) -> Result<Event, StudyError> {
    let progress = runner.database_of(name).await?.progress(name).await?;
    Ok(progress_event(name, runner.status().state(name, &progress), &progress))
}

/// The event that tells clients of a study's progress.
pub(super) fn progress_event(name: &str, state: &str, progress: &Progress) -> Event {
    Event::Study {
        id: name.to_owned(),
        state: state.to_owned(),
        done: progress.counts.finished(),
        trials: Some(progress.trials),
        best: progress.best.as_ref().and_then(|best| best.value),
    }
}
