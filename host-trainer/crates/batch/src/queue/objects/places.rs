//! Which object of a store says what of a batch's tasks.

use super::event::Event;
use crate::queue::error::QueueError;
use std::time::SystemTime;
use store::{Key, Ledger, Store};

/// Requests under way at once.
pub(super) const AT_ONCE: usize = 16;
/// A small object is at most so long, bytes.
pub(super) const SMALL: u64 = 1 << 20;

/// A batch's folder in a store.
#[derive(Debug)]
pub(super) struct Places {
    pub(super) store: Store,
    folder: Key,
}

impl Places {
    pub(super) fn new(store: Store, folder: Key) -> Self {
        Self { store, folder }
    }

    /// A folder or an object below the batch's folder.
    pub(super) fn below(&self, path: &str) -> Result<Key, QueueError> {
        Ok(self.folder.join(path)?)
    }

    pub(super) fn ledger(&self, id: &str) -> Result<Ledger, QueueError> {
        Ok(Ledger::new(self.store.clone(), self.below(&format!("tasks/{id}"))?))
    }

    pub(super) fn beat(&self, id: &str, token: u64) -> Result<Key, QueueError> {
        self.below(&format!("beats/{id}/{token}"))
    }

    pub(super) fn checkpoint(&self, id: &str, token: u64) -> Result<Key, QueueError> {
        self.below(&format!("checkpoints/{id}-{token}"))
    }

    pub(super) fn worker(&self, owner: &str) -> Result<Key, QueueError> {
        self.below(&format!("workers/{}", &shared::digest::sha256(owner.as_bytes())[..16]))
    }

    pub(super) fn garbled(&self, what: String) -> QueueError {
        QueueError::Garbled { place: self.store.name().to_owned(), what }
    }

    /// An entry of a task's ledger, which must be there.
    pub(super) async fn event(&self, id: &str, number: u64) -> Result<Event, QueueError> {
        let event = self.ledger(id)?.get::<Event>(number).await?;
        event.ok_or_else(|| self.garbled(format!("entry {number} of the task {id} is gone")))
    }

    /// What a claim's worker kept last.
    pub(super) async fn kept(&self, id: &str, token: u64) -> Result<Option<String>, QueueError> {
        let kept = self.store.get(&self.checkpoint(id, token)?, SMALL).await?;
        Ok(kept.and_then(|kept| String::from_utf8(kept.to_vec()).ok()))
    }

    /// When the worker of a claim last gave a sign of life.
    pub(super) async fn last_beat(&self, id: &str, token: u64) -> Result<Option<SystemTime>, QueueError> {
        let listed = self.store.list_all(&self.below(&format!("beats/{id}"))?, None).await?;
        let own = listed.into_iter().find(|listed| listed.key.name().parse() == Ok(token));
        Ok(own.map(|listed| listed.modified))
    }
}
