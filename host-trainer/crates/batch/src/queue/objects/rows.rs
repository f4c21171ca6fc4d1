//! Tasks and workers of a batch in a store, as whoever looks at them gets them.

use super::clock::ms;
use super::ended::Ended;
use super::listing::Seen;
use super::places::{AT_ONCE, Places, SMALL};
use crate::queue::error::QueueError;
use crate::queue::record::{Entry, Row, State, WorkerRow};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use std::time::SystemTime;
use store::Listed;

/// What is kept of a worker.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct WorkerDocument {
    pub(super) owner: String,
    pub(super) task: Option<String>,
    #[serde(default)]
    pub(super) since_ms: Option<i64>,
}

/// A task as it was listed; its last entry is read where names do not say enough.
pub(super) async fn row(places: &Places, entry: Entry, task: Seen, now: SystemTime) -> Result<Row, QueueError> {
    let mut row = Row {
        number: entry.number,
        id: entry.id,
        state: State::Pending,
        owner: None,
        silent: false,
        claims: task.head,
        failures: 0,
        lost: 0,
        started_ms: None,
        finished_ms: None,
        reason: None,
    };
    if task.head == 0 {
        return Ok(row);
    }
    let note = task.ended();
    if let Some(Ended { state: state @ (State::Done | State::Cancelled), counts: Some((failures, lost)), .. }) = note {
        (row.state, row.failures, row.lost) = (state, failures, lost);
    } else {
        let event = places.event(&row.id, task.head).await?;
        row.state = event.what.state(event.failures);
        (row.failures, row.lost) = (event.failures as u64, event.lost as u64);
        (row.owner, row.reason) = (event.owner, event.reason);
        let silent = now.duration_since(task.alive().unwrap_or(now)).unwrap_or_default().as_millis() as u64;
        row.silent = row.state == State::Running && silent > event.lease_ms;
    }
    match row.state {
        State::Pending => {}
        State::Running => row.started_ms = task.written.map(ms),
        State::Done | State::Failed | State::Cancelled => {
            (row.started_ms, row.finished_ms) = (task.before.map(ms), task.written.map(ms));
        }
    }
    Ok(row)
}

/// The workers of a listing of theirs.
pub(super) async fn workers(
    places: &Places,
    listed: Vec<Listed>,
    now: SystemTime,
) -> Result<Vec<WorkerRow>, QueueError> {
    let one = |listed: Listed| async move {
        let Some(content) = places.store.get(&listed.key, SMALL).await? else { return Ok(None) };
        let Ok(document) = serde_json::from_slice::<WorkerDocument>(&content) else { return Ok(None) };
        let silent_s = now.duration_since(listed.modified).unwrap_or_default().as_secs() as i64;
        let WorkerDocument { owner, task, since_ms } = document;
        Ok::<_, QueueError>(Some(WorkerRow { owner, since_ms, seen_ms: ms(listed.modified), silent_s, task }))
    };
    let workers: Vec<_> = stream::iter(listed.into_iter().map(one)).buffer_unordered(AT_ONCE).try_collect().await?;
    let mut workers: Vec<WorkerRow> = workers.into_iter().flatten().collect();
    workers.sort_by(|a, b| a.owner.cmp(&b.owner));
    Ok(workers)
}
