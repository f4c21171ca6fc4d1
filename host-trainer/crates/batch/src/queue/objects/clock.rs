//! What time it is, by the clock that stamps a store's objects.

use super::places::Places;
use crate::queue::error::QueueError;
use bytes::Bytes;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long what was learnt of the store's clock is believed.
const BELIEVED: Duration = Duration::from_secs(60);

/// The store's clock, as a worker knows it.
#[derive(Debug, Default)]
pub(super) struct Clock {
    read: Mutex<Option<(SystemTime, Instant)>>,
}

impl Clock {
    /// The time by the store's own clock: that of an object which was written just now.
    pub(super) async fn now(&self, places: &Places) -> Result<SystemTime, QueueError> {
        let known = *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((at, read)) = known.filter(|(_, read)| read.elapsed() < BELIEVED) {
            return Ok(at + read.elapsed());
        }
        let key = places.below(&format!("clock/{}", std::process::id()))?;
        let began = Instant::now();
        places.store.put(&key, Bytes::from_static(b"now")).await?;
        let listed = places.store.list_all(&places.below("clock")?, None).await?;
        let Some(own) = listed.into_iter().find(|listed| listed.key == key) else {
            return Err(places.garbled("an object that was written is not listed".into()));
        };
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Some((own.modified, began));
        Ok(own.modified + began.elapsed())
    }
}

/// The time for one who only looks and must not write: this machine's, but no earlier than what the store says was written.
pub(super) fn as_seen(newest: Option<SystemTime>) -> SystemTime {
    newest.into_iter().fold(SystemTime::now(), SystemTime::max)
}

/// A time in milliseconds since 1970.
pub(super) fn ms(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}
