//! A study's progress as it is made, to one client, by whichever process it is made.

use super::{failure, moved};
use crate::App;
use crate::events::Event;
use futures_util::{Stream, stream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::broadcast;
use tune::studies::StudyError;

/// How often a study is looked at of which this server's worker says nothing: others may work on it.
const LOOK: Duration = Duration::from_secs(2);

/// Where one client's view of a study stands.
struct View {
    app: Arc<App>,
    name: String,
    events: broadcast::Receiver<Event>,
    told: Option<Event>,
    over: bool,
}

/// A study's progress: as it is now, and whenever it changes; ends when the study is done or the server closes.
pub(super) fn progress(app: &Arc<App>, name: &str) -> impl Stream<Item = Event> + Send + use<> {
    // It listens before it looks, so that nothing falls between.
    let events = app.events.listen();
    let view = View { app: Arc::clone(app), name: name.to_owned(), events, told: None, over: false };
    stream::unfold(view, next)
}

async fn next(mut view: View) -> Option<(Event, View)> {
    let mut closing = view.app.closing();
    while !view.over {
        let now = match now(&view.app, &view.name).await {
            Ok(now) => now,
            Err(error) => {
                // A study may be deleted while somebody looks on.
                tracing::warn!(study = view.name, error = %failure(error), "a study cannot be followed");
                return None;
            }
        };
        view.over = matches!(&now, Event::Study { state, .. } if state == "done");
        if view.told.as_ref() != Some(&now) {
            view.told = Some(now.clone());
            return Some((now, view));
        }
        tokio::select! {
            () = heard(&mut view.events, &view.name) => {}
            () = tokio::time::sleep(LOOK) => {}
            _ = closing.wait_for(|closing| *closing) => return None,
        }
    }
    None
}

/// Waits until something is said of a study, or may have been.
async fn heard(events: &mut broadcast::Receiver<Event>, name: &str) {
    loop {
        match events.recv().await {
            Ok(Event::Study { id, .. }) if id == name => return,
            Ok(_) => {}
            Err(broadcast::error::RecvError::Lagged(_)) => return,
            Err(broadcast::error::RecvError::Closed) => std::future::pending().await,
        }
    }
}

async fn now(app: &App, name: &str) -> Result<Event, StudyError> {
    let progress = app.bench.studies().await?.progress(name).await?;
    Ok(moved(name, app.bench.situation().state(name, &progress), &progress))
}
