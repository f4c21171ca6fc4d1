//! What the names of a store's objects say of all tasks at once.

use super::ended::Ended;
use super::places::Places;
use crate::queue::error::QueueError;
use crate::queue::record::State;
use std::collections::BTreeMap;
use std::time::SystemTime;
use store::{Key, Listed};

/// What a listing says of a task.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Seen {
    /// Number of its last entry; 0 while there is none.
    pub(super) head: u64,
    /// When that was written.
    pub(super) written: Option<SystemTime>,
    /// When the entry before it was written.
    pub(super) before: Option<SystemTime>,
    /// When its worker last gave a sign of life.
    pub(super) beat: Option<SystemTime>,
    /// Where it stands, where a note says so.
    pub(super) note: Option<Ended>,
}

impl Seen {
    /// That it is finished, where a note says so.
    pub(super) fn ended(&self) -> Option<Ended> {
        self.note.filter(|note| note.state != State::Pending)
    }

    /// Whether it waits for a worker, as far as names tell.
    pub(super) fn is_free(&self) -> bool {
        self.head == 0 || self.note.is_some_and(|note| note.state == State::Pending)
    }

    /// The last sign of life of its worker, its claim included.
    pub(super) fn alive(&self) -> Option<SystemTime> {
        self.beat.into_iter().chain(self.written).max()
    }
}

/// All that is kept of tasks.
#[derive(Debug, Default)]
pub(super) struct Listing {
    /// By name; those that nobody has touched are not in it.
    pub(super) tasks: BTreeMap<String, Seen>,
    /// When the last of all was written.
    pub(super) newest: Option<SystemTime>,
    /// Requests that it took.
    pub(super) requests: usize,
}

impl Listing {
    /// Lists a batch's folder.
    pub(super) async fn of(places: &Places) -> Result<Self, QueueError> {
        let mut listing = Self::default();
        for listed in listing.list(places, "tasks").await? {
            let Some((id, number)) = last_two(&listed.key) else { continue };
            let Ok(number) = number.parse::<u64>() else { continue };
            let task = listing.tasks.entry(id).or_default();
            if number > task.head {
                (task.before, task.head, task.written) = (task.written, number, Some(listed.modified));
            }
        }
        for listed in listing.list(places, "beats").await? {
            let Some((id, token)) = last_two(&listed.key) else { continue };
            if let Some(task) = listing.tasks.get_mut(&id).filter(|task| token.parse() == Ok(task.head)) {
                task.beat = Some(listed.modified);
            }
        }
        for listed in listing.list(places, "ended").await? {
            let Some((id, note)) = Ended::parse(listed.key.name()) else { continue };
            if let Some(task) = listing.tasks.get_mut(id).filter(|task| note.head == task.head) {
                // Of two, the one that says more.
                task.note = Some(note).filter(|note| note.counts.is_some()).or(task.note).or(Some(note));
            }
        }
        Ok(listing)
    }

    async fn list(&mut self, places: &Places, folder: &str) -> Result<Vec<Listed>, QueueError> {
        let listed = places.store.list_all(&places.below(folder)?, None).await?;
        self.requests += listed.len() / 1000 + 1;
        self.newest = listed.iter().map(|listed| listed.modified).chain(self.newest).max();
        Ok(listed)
    }

    /// What it says of a task.
    pub(super) fn task(&self, id: &str) -> Seen {
        self.tasks.get(id).copied().unwrap_or_default()
    }
}

/// The last two parts of an object's name.
fn last_two(key: &Key) -> Option<(String, String)> {
    let name = key.to_string();
    let mut parts = name.rsplit('/');
    let (last, before) = (parts.next()?, parts.next()?);
    Some((before.to_owned(), last.to_owned()))
}
