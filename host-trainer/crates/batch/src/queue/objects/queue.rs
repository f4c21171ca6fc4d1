//! The queue: claims, and what comes of them.

use super::choice::Choice;
use super::clock::{Clock, as_seen, ms};
use super::ended::Ended;
use super::event::{Event, What};
use super::listing::{Listing, Seen};
use super::places::{AT_ONCE, Places};
use super::rows::{WorkerDocument, row, workers};
use crate::queue::error::QueueError;
use crate::queue::record::{Asking, Claim, Entry, Next, Outcome, Queue, Row, State, WorkerRow};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use shared::random::SplitMix64;
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};
use store::{Append, Digest, Key, Store};
use tune::leases::{MOST_LOST, kept_reason};

/// A result is at most so long, bytes.
const RESULT: u64 = 64 << 20;
/// Tasks of silent workers, of whose leases nothing is known yet, that are looked at after one listing.
const UNKNOWN: usize = 16;
/// Listings of one attempt to claim a task.
const LISTINGS: usize = 2;

/// The tasks of a batch in an object store.
#[derive(Debug)]
pub struct ObjectQueue {
    places: Places,
    clock: Clock,
    /// Whether nothing may be written.
    looking: bool,
    memory: Mutex<Memory>,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Memory {
    entries: Vec<Entry>,
    names: HashSet<String>,
    choice: Choice,
    /// Tries to claim a task that were lost.
    lost: u64,
    /// Tasks that are finished for good in this process's eyes, with the number of the entry that says so.
    ended: HashMap<String, u64>,
    /// Leases of claims, by task and number.
    leases: HashMap<String, (u64, Duration)>,
    /// Tasks in the hands of this process.
    held: HashMap<String, Held>,
    /// When workers of this process registered, by the store's clock.
    since_ms: HashMap<String, i64>,
}

/// A claim of this process.
#[derive(Debug)]
struct Held {
    token: u64,
    event: Event,
    /// Whether a sign of life was written.
    beat: bool,
    /// Whether a checkpoint was written; the event has it.
    kept: bool,
}

impl ObjectQueue {
    /// The queue of a batch in a folder of a store. Nothing is asked of the store yet.
    #[must_use]
    pub fn new(store: Store, folder: Key) -> Self {
        let places = Places::new(store, folder);
        Self { places, clock: Clock::default(), looking: false, memory: Mutex::default() }
    }

    /// The same for one who only looks: nothing is written, so that the store's clock cannot be asked. Whether a worker is silent
    /// is judged by this machine's clock.
    #[must_use]
    pub fn looking(store: Store, folder: Key) -> Self {
        Self { looking: true, ..Self::new(store, folder) }
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        // What a thread that panicked knew is as good as before: it is looked up again in the store.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn now(&self, newest: Option<SystemTime>) -> Result<SystemTime, QueueError> {
        if self.looking { Ok(as_seen(newest)) } else { self.clock.now(&self.places).await }
    }

    /// Notes where a task stands that no worker has, for those who list.
    async fn note(&self, id: &str, head: u64, event: &Event) -> Result<(), QueueError> {
        let state = event.what.state(event.failures);
        let result = event.result.as_deref().and_then(|digest| digest.parse().ok());
        let ended = Ended { head, state, counts: Some((event.failures as u64, event.lost as u64)), result };
        let Some(name) = ended.name(id) else { return Ok(()) };
        if state != State::Pending {
            self.memory().ended.insert(id.to_owned(), head);
        }
        Ok(self.places.store.put(&self.places.below(&format!("ended/{name}"))?, Bytes::from_static(b"")).await?)
    }

    /// Chooses anew from a new listing. None where no task is left that may ever be free, else whether some wait for a worker.
    async fn refill(&self, asking: &Asking<'_>) -> Result<Option<bool>, QueueError> {
        let listing = Listing::of(&self.places).await?;
        let now = if listing.tasks.is_empty() { SystemTime::UNIX_EPOCH } else { self.now(listing.newest).await? };
        let mut memory = self.memory();
        let (mut free, mut claimed) = (Vec::new(), Vec::new());
        for (place, entry) in memory.entries.iter().enumerate().filter(|(_, entry)| wanted(entry, asking)) {
            let task = listing.task(&entry.id);
            if task.ended().is_some() || memory.ended.get(&entry.id) == Some(&task.head) {
                continue;
            }
            if task.is_free() { free.push((place, task)) } else { claimed.push((place, task)) }
        }
        if free.is_empty() && claimed.is_empty() {
            return Ok(None);
        }
        let waiting = !free.is_empty();
        // Those who have been silent longest first; of most, their leases are known and stand.
        claimed.sort_by_key(|(_, task)| task.alive());
        let mut unknown = 0;
        claimed.retain(|(place, task)| match memory.leases.get(&memory.entries[*place].id) {
            Some((head, lease)) if *head == task.head => is_silent(task, now, *lease),
            _ => {
                unknown += 1;
                unknown <= UNKNOWN
            }
        });
        let start = SplitMix64::keyed(&[u64::from(std::process::id()), fnv(asking.owner)]).bits();
        memory.choice = Choice::new(free, claimed, listing.requests, start);
        Ok(Some(waiting))
    }

    /// Tries to claim a task as it was seen. None where somebody has it.
    async fn try_claim(&self, entry: &Entry, seen: Seen, asking: &Asking<'_>) -> Result<Option<Claim>, QueueError> {
        let mut before = Event { what: What::Reset, ..Event::default() };
        if seen.head > 0 {
            let Some(found) = self.claimable(&entry.id, seen).await? else { return Ok(None) };
            before = found;
        }
        let claimed = Event {
            what: What::Claimed,
            owner: Some(asking.owner.to_owned()),
            lease_ms: asking.lease.as_millis() as u64,
            result: None,
            ..before
        };
        let Append::Done(token) = self.places.ledger(&entry.id)?.append(seen.head, &claimed).await? else {
            return Ok(None);
        };
        let checkpoint = claimed.checkpoint.clone();
        let held = Held { token, event: claimed, beat: false, kept: false };
        self.memory().held.insert(entry.id.clone(), held);
        Ok(Some(Claim { number: entry.number, id: entry.id.clone(), checkpoint, token: token as i64 }))
    }

    /// The last entry of a task that was touched, with what its worker kept, where another may claim it.
    async fn claimable(&self, id: &str, seen: Seen) -> Result<Option<Event>, QueueError> {
        let mut event = self.places.event(id, seen.head).await?;
        match event.what.state(event.failures) {
            State::Pending => return Ok(Some(event)),
            State::Running => {}
            State::Done | State::Failed | State::Cancelled => {
                self.note(id, seen.head, &event).await?;
                return Ok(None);
            }
        }
        let lease = Duration::from_millis(event.lease_ms);
        self.memory().leases.insert(id.to_owned(), (seen.head, lease));
        let now = self.now(None).await?;
        if !is_silent(&seen, now, lease) {
            return Ok(None);
        }
        // The listing may be old: a living worker must not lose its task to that.
        let beat = self.places.last_beat(id, seen.head).await?;
        if !is_silent(&Seen { beat, ..seen }, now, lease) {
            return Ok(None);
        }
        event.checkpoint = self.places.kept(id, seen.head).await?.or(event.checkpoint);
        event.lost += 1;
        if event.lost <= MOST_LOST {
            return Ok(Some(event));
        }
        let reason = Some(format!("its worker vanished {} times", event.lost));
        let buried = Event { what: What::Buried, reason, ..event };
        if let Append::Done(head) = self.places.ledger(id)?.append(seen.head, &buried).await? {
            self.note(id, head, &buried).await?;
        }
        Ok(None)
    }

    /// Whether nobody has taken a claim over.
    async fn stands(&self, claim: &Claim) -> Result<bool, QueueError> {
        Ok(self.places.ledger(&claim.id)?.get::<Event>(claim.token as u64 + 1).await?.is_none())
    }

    /// A claim of this process, to change what is known of it.
    fn with_held(&self, claim: &Claim, change: impl FnOnce(&mut Held)) {
        let mut memory = self.memory();
        if let Some(held) = memory.held.get_mut(&claim.id).filter(|held| held.token == claim.token as u64) {
            change(held);
        }
    }

    /// Appends what happened to a claimed task, unless another has claimed it since.
    async fn settle(&self, claim: &Claim, change: impl FnOnce(Event) -> Event) -> Result<bool, QueueError> {
        let (id, token) = (&claim.id, claim.token as u64);
        let known = self.memory().held.remove(id).filter(|held| held.token == token);
        let held = match known {
            Some(held) => held,
            None => {
                let mut event = self.places.event(id, token).await?;
                event.checkpoint = self.places.kept(id, token).await?.or(event.checkpoint);
                Held { token, event, beat: true, kept: true }
            }
        };
        let event = change(held.event);
        match self.places.ledger(id)?.append(token, &event).await? {
            Append::Lost => Ok(false),
            Append::Done(head) => {
                self.note(id, head, &event).await?;
                // What only the living need.
                if held.beat {
                    self.places.store.delete(&self.places.beat(id, token)?).await?;
                }
                if held.kept && event.what == What::Done {
                    self.places.store.delete(&self.places.checkpoint(id, token)?).await?;
                }
                Ok(true)
            }
        }
    }

    /// Appends an event to tasks by name where they are in some state; the names of those it was appended to.
    async fn change(
        &self,
        ids: &[String],
        such: impl Fn(State) -> bool,
        change: impl Fn(Event) -> Event,
    ) -> Result<Vec<String>, QueueError> {
        let listing = Listing::of(&self.places).await?;
        let mut changed = Vec::new();
        for id in ids {
            let ledger = self.places.ledger(id)?;
            let mut head = listing.task(id).head;
            loop {
                let mut event = match head {
                    0 => Event { what: What::Reset, ..Event::default() },
                    head => self.places.event(id, head).await?,
                };
                let state = event.what.state(event.failures);
                if !such(state) {
                    break;
                }
                if state == State::Running {
                    event.checkpoint = self.places.kept(id, head).await?.or(event.checkpoint);
                }
                let event = change(event);
                match ledger.append(head, &event).await? {
                    Append::Done(head) => {
                        self.memory().ended.remove(id);
                        self.note(id, head, &event).await?;
                        changed.push(id.clone());
                        break;
                    }
                    Append::Lost => head = ledger.head_after(head).await?,
                }
            }
        }
        Ok(changed)
    }

    /// The text of a result.
    async fn result(&self, digest: Digest) -> Result<String, QueueError> {
        let text = self.places.store.get_blob(&self.places.below("results")?, digest, RESULT).await?;
        String::from_utf8(text.to_vec()).map_err(|_| self.places.garbled("a result that is no text".into()))
    }

    /// The result of a task as it was listed; none where it is not done.
    async fn result_of(&self, id: &str, task: Seen) -> Result<Option<String>, QueueError> {
        let note = task.ended();
        if task.head == 0 || note.is_some_and(|note| note.state != State::Done) {
            return Ok(None);
        }
        if let Some(digest) = note.and_then(|note| note.result) {
            return self.result(digest).await.map(Some);
        }
        let event = self.places.event(id, task.head).await?;
        let Some(name) = event.result.filter(|_| event.what == What::Done) else { return Ok(None) };
        let digest = name.parse::<Digest>().map_err(|_| self.places.garbled(format!("a result `{name}`")))?;
        self.result(digest).await.map(Some)
    }

    fn entries(&self) -> Vec<Entry> {
        self.memory().entries.clone()
    }
}

/// Whether a worker has given no sign of life for longer than its lease.
fn is_silent(task: &Seen, now: SystemTime, lease: Duration) -> bool {
    now.duration_since(task.alive().unwrap_or(now)).unwrap_or_default() > lease
}

fn wanted(entry: &Entry, asking: &Asking<'_>) -> bool {
    asking.only.is_empty() || asking.only.contains(&entry.label)
}

/// A number of a name, for an order of its own.
fn fnv(name: &str) -> u64 {
    name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[async_trait]
impl Queue for ObjectQueue {
    fn place(&self) -> String {
        self.places.store.name().to_owned()
    }

    async fn enter(&self, entries: &[Entry]) -> Result<(), QueueError> {
        if !self.looking {
            self.places.store.make().await?;
        }
        let mut memory = self.memory();
        for entry in entries {
            if memory.names.insert(entry.id.clone()) {
                memory.entries.push(entry.clone());
            }
        }
        Ok(())
    }

    async fn next(&self, asking: &Asking<'_>) -> Result<Next, QueueError> {
        // Whether tasks waited for a worker when they were listed last.
        let (mut listings, mut waiting) = (0, true);
        loop {
            let candidate = {
                let mut memory = self.memory();
                let Memory { choice, entries, .. } = &mut *memory;
                let taken = choice.take(|place| wanted(&entries[place], asking));
                taken.map(|(place, seen)| (entries[place].clone(), seen))
            };
            match candidate {
                Some((entry, seen)) => {
                    if let Some(claim) = self.try_claim(&entry, seen, asking).await? {
                        return Ok(Next::Task(claim));
                    }
                    if seen.is_free() {
                        let mut memory = self.memory();
                        memory.lost += 1;
                        let random = fnv(asking.owner).wrapping_add(memory.lost);
                        memory.choice.lost(random);
                    }
                }
                // What is left is in others' hands, or has been finished since the listing.
                None if listings > 0 && !waiting || listings == LISTINGS => return Ok(Next::Wait),
                None => {
                    listings += 1;
                    match self.refill(asking).await? {
                        None => return Ok(Next::Done),
                        Some(found) => waiting = found,
                    }
                }
            }
        }
    }

    async fn renew(&self, claim: &Claim, _lease: Duration) -> Result<bool, QueueError> {
        if !self.stands(claim).await? {
            return Ok(false);
        }
        self.places.store.put(&self.places.beat(&claim.id, claim.token as u64)?, Bytes::from_static(b"")).await?;
        self.with_held(claim, |held| held.beat = true);
        Ok(true)
    }

    async fn keep(&self, claim: &Claim, checkpoint: &str) -> Result<bool, QueueError> {
        if !self.stands(claim).await? {
            return Ok(false);
        }
        let key = self.places.checkpoint(&claim.id, claim.token as u64)?;
        self.places.store.put(&key, Bytes::from(checkpoint.to_owned())).await?;
        self.with_held(claim, |held| (held.kept, held.event.checkpoint) = (true, Some(checkpoint.to_owned())));
        Ok(true)
    }

    async fn release(&self, claim: &Claim) -> Result<bool, QueueError> {
        self.settle(claim, |event| Event { what: What::Released, owner: None, ..event }).await
    }

    async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<bool, QueueError> {
        match outcome {
            Outcome::Failed(reason) => {
                let reason = kept_reason(reason);
                let failed = |event: Event| Event {
                    what: What::Failed,
                    failures: event.failures + 1,
                    reason: Some(reason),
                    ..event
                };
                self.settle(claim, failed).await
            }
            Outcome::Done(result) => {
                // The result first, then the entry that names it. That of a claim which no longer stands is named by none.
                let folder = self.places.below("results")?;
                let digest = self.places.store.put_blob(&folder, Bytes::from(result.clone())).await?;
                let done = |event: Event| Event {
                    what: What::Done,
                    checkpoint: None,
                    result: Some(digest.to_string()),
                    ..event
                };
                self.settle(claim, done).await
            }
        }
    }

    async fn rows(&self) -> Result<Vec<Row>, QueueError> {
        let listing = Listing::of(&self.places).await?;
        let now = self.now(listing.newest).await?;
        let one = |entry: Entry| {
            let seen = listing.task(&entry.id);
            row(&self.places, entry, seen, now)
        };
        let rows = stream::iter(self.entries().into_iter().map(one)).buffer_unordered(AT_ONCE).try_collect();
        let mut rows: Vec<Row> = rows.await?;
        rows.sort_by_key(|row| row.number);
        Ok(rows)
    }

    async fn results(&self) -> Result<Vec<(String, String)>, QueueError> {
        let listing = Listing::of(&self.places).await?;
        let one = |entry: Entry| {
            let seen = listing.task(&entry.id);
            async move {
                let text = self.result_of(&entry.id, seen).await?;
                Ok::<_, QueueError>(text.map(|text| (entry.number, entry.id, text)))
            }
        };
        let found: Vec<_> =
            stream::iter(self.entries().into_iter().map(one)).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.sort_by_key(|(number, ..)| *number);
        Ok(found.into_iter().map(|(_, id, text)| (id, text)).collect())
    }

    async fn checkpoints(&self) -> Result<Vec<(String, String)>, QueueError> {
        let listing = Listing::of(&self.places).await?;
        let listed = self.places.store.list(&self.places.below("checkpoints")?, None).await?;
        let kept: BTreeSet<String> = listed.iter().map(|key| key.name().to_owned()).collect();
        let mut found = Vec::new();
        for entry in self.entries() {
            // Those of the last claim, where that still stands.
            let task = listing.task(&entry.id);
            if task.note.is_some() || !kept.contains(&format!("{}-{}", entry.id, task.head)) {
                continue;
            }
            if let Some(text) = self.places.kept(&entry.id, task.head).await? {
                found.push((entry.number, entry.id, text));
            }
        }
        found.sort_by_key(|(number, ..)| *number);
        Ok(found.into_iter().map(|(_, id, text)| (id, text)).collect())
    }

    async fn reset(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let reset = |event: Event| Event { what: What::Reset, failures: 0, lost: 0, owner: None, ..event };
        self.change(ids, |state| matches!(state, State::Failed | State::Cancelled), reset).await
    }

    async fn cancel(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let cancelled = |event: Event| Event { what: What::Cancelled, ..event };
        self.change(ids, |state| matches!(state, State::Pending | State::Running), cancelled).await
    }

    async fn free(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let freed = |event: Event| Event { what: What::Released, lost: event.lost + 1, owner: None, ..event };
        self.change(ids, |state| state == State::Running, freed).await
    }

    async fn seen(&self, owner: &str, task: Option<&str>) -> Result<(), QueueError> {
        let known = self.memory().since_ms.get(owner).copied();
        let since_ms = match known {
            Some(since_ms) => since_ms,
            None => {
                let now = ms(self.now(None).await?);
                self.memory().since_ms.insert(owner.to_owned(), now);
                now
            }
        };
        let document =
            WorkerDocument { owner: owner.to_owned(), task: task.map(str::to_owned), since_ms: Some(since_ms) };
        let text = serde_json::to_vec(&document).map_err(|e| self.places.garbled(format!("a worker's name: {e}")))?;
        Ok(self.places.store.put(&self.places.worker(owner)?, Bytes::from(text)).await?)
    }

    async fn gone(&self, owner: &str) -> Result<(), QueueError> {
        Ok(self.places.store.delete(&self.places.worker(owner)?).await?)
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, QueueError> {
        let listed = self.places.store.list_all(&self.places.below("workers")?, None).await?;
        let now = self.now(listed.iter().map(|listed| listed.modified).max()).await?;
        workers(&self.places, listed, now).await
    }
}
