//! Tasks in an object store alone: no server, and nothing that is ever changed but signs of life.
//!
//! Each task has a ledger of what happened to it: claimed, handed back, failed, done. Appending is creating an object of the next
//! number unless it is there, so of two workers that want the same task one gets it, and what a worker appends after its claim was
//! taken over is refused: the number of the claim is its fencing token. A worker shows that it lives by writing an object named for
//! its claim again and again; how old that is tells the store's own clock.

use super::ended::Ended;
use super::error::QueueError;
use super::event::{Event, What};
use super::record::{Asking, Claim, Entry, Next, Outcome, Queue, Row, State, WorkerRow};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::Deserialize;
use shared::random::SplitMix64;
use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use store::{Append, Digest, Key, Ledger, Store};
use tune::leases::{MOST_LOST, kept_reason};

/// A small object is at most so long, bytes.
const SMALL: u64 = 1 << 20;
/// A result is at most so long, bytes.
const RESULT: u64 = 64 << 20;
/// Requests under way at once.
const AT_ONCE: usize = 16;
/// How long what was learnt of the store's clock is believed.
const CLOCK: Duration = Duration::from_secs(60);

/// The tasks of a batch in an object store.
#[derive(Debug)]
pub struct ObjectQueue {
    store: Store,
    folder: Key,
    memory: Mutex<Memory>,
}

/// What this process knows.
#[derive(Debug, Default)]
struct Memory {
    entries: Vec<Entry>,
    /// Tasks that may be free, as of the last listing, in this worker's own order.
    candidates: VecDeque<(Entry, Seen)>,
    /// Tasks that are finished for good in this process's eyes, with the number of the entry that says so.
    ended: HashMap<String, (u64, State)>,
    /// The store's clock, and when it was read.
    clock: Option<(SystemTime, Instant)>,
    /// When workers of this process registered, by the store's clock.
    since_ms: HashMap<String, i64>,
}

/// What a listing says of a task.
#[derive(Debug, Clone, Copy, Default)]
struct Seen {
    /// Number of its last entry; 0 while there is none.
    head: u64,
    /// When that was written.
    written: Option<SystemTime>,
    /// When the entry before it was written.
    before: Option<SystemTime>,
    /// When its worker last gave a sign of life.
    beat: Option<SystemTime>,
    /// That it is finished, where a note says so.
    ended: Option<Ended>,
}

fn ms(time: SystemTime) -> i64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
}

impl ObjectQueue {
    /// The queue of a batch in a folder of a store. Nothing is asked of the store yet.
    #[must_use]
    pub fn new(store: Store, folder: Key) -> Self {
        Self { store, folder, memory: Mutex::default() }
    }

    fn memory(&self) -> std::sync::MutexGuard<'_, Memory> {
        // What a thread that panicked knew is as good as before: it is looked up again in the store.
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ledger(&self, id: &str) -> Result<Ledger, QueueError> {
        Ok(Ledger::new(self.store.clone(), self.folder.join(format!("tasks/{id}"))?))
    }

    fn beat_key(&self, id: &str, token: i64) -> Result<Key, QueueError> {
        Ok(self.folder.join(format!("beats/{id}/{token}"))?)
    }

    fn checkpoint_key(&self, id: &str, token: u64) -> Result<Key, QueueError> {
        Ok(self.folder.join(format!("checkpoints/{id}-{token}"))?)
    }

    fn worker_key(&self, owner: &str) -> Result<Key, QueueError> {
        Ok(self.folder.join(format!("workers/{}", &shared::digest::sha256(owner.as_bytes())[..16]))?)
    }

    fn garbled(&self, what: String) -> QueueError {
        QueueError::Garbled { place: self.store.name().to_owned(), what }
    }

    async fn event(&self, id: &str, number: u64) -> Result<Event, QueueError> {
        let event = self.ledger(id)?.get::<Event>(number).await?;
        event.ok_or_else(|| self.garbled(format!("entry {number} of the task {id} is gone")))
    }

    /// The time by the store's own clock: that of an object which was written just now.
    async fn now(&self) -> Result<SystemTime, QueueError> {
        if let Some((at, read)) = self.memory().clock.filter(|(_, read)| read.elapsed() < CLOCK) {
            return Ok(at + read.elapsed());
        }
        let key = self.folder.join(format!("clock/{}", std::process::id()))?;
        let began = Instant::now();
        self.store.put(&key, Bytes::from_static(b"now")).await?;
        let listed = self.store.list_all(&self.folder.join("clock")?, None).await?;
        let Some(own) = listed.into_iter().find(|listed| listed.key == key) else {
            return Err(self.garbled("an object that was written is not listed".into()));
        };
        self.memory().clock = Some((own.modified, began));
        Ok(own.modified + began.elapsed())
    }

    /// Lists all that is kept of tasks.
    async fn look(&self) -> Result<BTreeMap<String, Seen>, QueueError> {
        let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
        for listed in self.store.list_all(&self.folder.join("tasks")?, None).await? {
            let name = listed.key.to_string();
            let mut parts = name.rsplit('/');
            let (Some(number), Some(id)) = (parts.next().and_then(|n| n.parse::<u64>().ok()), parts.next()) else {
                continue;
            };
            let task = seen.entry(id.to_owned()).or_default();
            if number > task.head {
                task.before = task.written;
                task.head = number;
                task.written = Some(listed.modified);
            }
        }
        for listed in self.store.list_all(&self.folder.join("beats")?, None).await? {
            let name = listed.key.to_string();
            let mut parts = name.rsplit('/');
            let (Some(token), Some(id)) = (parts.next(), parts.next()) else { continue };
            if let Some(task) = seen.get_mut(id).filter(|task| token.parse() == Ok(task.head)) {
                task.beat = Some(listed.modified);
            }
        }
        for key in self.store.list(&self.folder.join("ended")?, None).await? {
            let Some((id, ended)) = Ended::parse(key.name()) else { continue };
            if let Some(task) = seen.get_mut(id).filter(|task| ended.head == task.head) {
                // Of two, the one that says more.
                task.ended = Some(ended).filter(|ended| ended.counts.is_some()).or(task.ended).or(Some(ended));
            }
        }
        Ok(seen)
    }

    /// Notes that a task is finished, for those who list.
    async fn note(&self, id: &str, head: u64, event: &Event) -> Result<(), QueueError> {
        let state = event.what.state(event.failures);
        let ended = Ended { head, state, counts: Some((event.failures as u64, event.lost as u64)) };
        let Some(name) = ended.name(id) else { return Ok(()) };
        self.memory().ended.insert(id.to_owned(), (head, state));
        let key = self.folder.join(format!("ended/{name}"))?;
        Ok(self.store.put(&key, Bytes::from_static(b"")).await?)
    }

    /// Fills the candidates from a new listing. False where no task is left that may ever be free.
    async fn refill(&self, asking: &Asking<'_>) -> Result<bool, QueueError> {
        let seen = self.look().await?;
        let mut memory = self.memory();
        let mut open = false;
        let mut free = Vec::new();
        for entry in memory.entries.iter().filter(|entry| wanted(entry, asking)) {
            let task = seen.get(&entry.id).copied().unwrap_or_default();
            let known = memory.ended.get(&entry.id).is_some_and(|(head, _)| *head == task.head);
            if known || task.ended.is_some() {
                continue;
            }
            open = true;
            free.push((entry.clone(), task));
        }
        // Each worker begins elsewhere, so that they do not all want the same.
        if !free.is_empty() {
            let start = SplitMix64::keyed(&[u64::from(std::process::id()), fnv(asking.owner)]).below(free.len());
            free.rotate_left(start);
        }
        // What nobody has touched comes first: it takes one request.
        free.sort_by_key(|(_, task)| task.head > 0);
        memory.candidates = free.into();
        Ok(open)
    }

    /// Tries to claim a task as it was seen. None where somebody has it.
    async fn try_claim(&self, entry: &Entry, seen: Seen, asking: &Asking<'_>) -> Result<Option<Claim>, QueueError> {
        let ledger = self.ledger(&entry.id)?;
        let mut before = Event { what: What::Reset, ..Event::default() };
        if seen.head > 0 {
            before = self.event(&entry.id, seen.head).await?;
            let state = before.what.state(before.failures);
            match state {
                State::Pending => {}
                State::Running => {
                    // The listing may be old: a living worker must not lose its task to that.
                    let beat = self.last_beat(&entry.id, seen.head).await?;
                    let now = self.now().await?;
                    let alive = beat.into_iter().chain(seen.written).max().unwrap_or(now);
                    let silent = now.duration_since(alive).unwrap_or_default();
                    if silent.as_millis() as u64 <= before.lease_ms {
                        return Ok(None);
                    }
                    if let Some(kept) = self.store.get(&self.checkpoint_key(&entry.id, seen.head)?, SMALL).await? {
                        before.checkpoint = String::from_utf8(kept.to_vec()).ok();
                    }
                    before.lost += 1;
                    if before.lost > MOST_LOST {
                        let reason = Some(format!("its worker vanished {} times", before.lost));
                        let buried = Event { what: What::Buried, reason, ..before };
                        if let Append::Done(head) = ledger.append(seen.head, &buried).await? {
                            self.note(&entry.id, head, &buried).await?;
                        }
                        return Ok(None);
                    }
                }
                State::Done | State::Failed | State::Cancelled => {
                    self.note(&entry.id, seen.head, &before).await?;
                    return Ok(None);
                }
            }
        }
        let claimed = Event {
            what: What::Claimed,
            owner: Some(asking.owner.to_owned()),
            lease_ms: asking.lease.as_millis() as u64,
            result: None,
            ..before
        };
        Ok(match ledger.append(seen.head, &claimed).await? {
            Append::Done(token) => Some(Claim {
                number: entry.number,
                id: entry.id.clone(),
                checkpoint: claimed.checkpoint,
                token: token as i64,
            }),
            Append::Lost => None,
        })
    }

    /// When the worker of a claim last gave a sign of life.
    async fn last_beat(&self, id: &str, token: u64) -> Result<Option<SystemTime>, QueueError> {
        let listed = self.store.list_all(&self.folder.join(format!("beats/{id}"))?, None).await?;
        let own = listed.into_iter().find(|listed| listed.key.name().parse() == Ok(token));
        Ok(own.map(|listed| listed.modified))
    }

    /// Whether nobody has taken a claim over.
    async fn stands(&self, claim: &Claim) -> Result<bool, QueueError> {
        Ok(self.ledger(&claim.id)?.get::<Event>(claim.token as u64 + 1).await?.is_none())
    }

    /// Appends what happened to a claimed task, unless another has claimed it since.
    async fn settle(&self, claim: &Claim, change: impl FnOnce(Event) -> Event) -> Result<bool, QueueError> {
        let mut event = self.event(&claim.id, claim.token as u64).await?;
        if let Some(kept) = self.store.get(&self.checkpoint_key(&claim.id, claim.token as u64)?, SMALL).await? {
            event.checkpoint = String::from_utf8(kept.to_vec()).ok();
        }
        let event = change(event);
        let state = event.what.state(event.failures);
        match self.ledger(&claim.id)?.append(claim.token as u64, &event).await? {
            Append::Lost => Ok(false),
            Append::Done(head) => {
                self.note(&claim.id, head, &event).await?;
                // What only the living need.
                self.store.delete(&self.beat_key(&claim.id, claim.token)?).await?;
                if state == State::Done {
                    self.store.delete(&self.checkpoint_key(&claim.id, claim.token as u64)?).await?;
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
        let seen = self.look().await?;
        let mut changed = Vec::new();
        for id in ids {
            let mut head = seen.get(id).map_or(0, |task| task.head);
            loop {
                let event = match head {
                    0 => Event { what: What::Reset, ..Event::default() },
                    head => self.event(id, head).await?,
                };
                if !such(event.what.state(event.failures)) {
                    break;
                }
                let event = change(event);
                let ledger = self.ledger(id)?;
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

    fn ids(&self) -> BTreeMap<String, Entry> {
        self.memory().entries.iter().map(|entry| (entry.id.clone(), entry.clone())).collect()
    }
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
        self.store.name().to_owned()
    }

    async fn enter(&self, entries: &[Entry]) -> Result<(), QueueError> {
        self.store.make().await?;
        let mut memory = self.memory();
        let known: BTreeSet<String> = memory.entries.iter().map(|entry| entry.id.clone()).collect();
        memory.entries.extend(entries.iter().filter(|entry| !known.contains(&entry.id)).cloned());
        Ok(())
    }

    async fn next(&self, asking: &Asking<'_>) -> Result<Next, QueueError> {
        let mut listed = false;
        loop {
            let candidate = {
                let mut memory = self.memory();
                let place = memory.candidates.iter().position(|(entry, _)| wanted(entry, asking));
                place.and_then(|place| memory.candidates.remove(place))
            };
            match candidate {
                Some((entry, seen)) => {
                    if let Some(claim) = self.try_claim(&entry, seen, asking).await? {
                        return Ok(Next::Task(claim));
                    }
                }
                // What is left is in others' hands, or has been finished since the listing.
                None if listed => return Ok(Next::Wait),
                None => {
                    listed = true;
                    if !self.refill(asking).await? {
                        return Ok(Next::Done);
                    }
                }
            }
        }
    }

    async fn renew(&self, claim: &Claim, _lease: Duration) -> Result<bool, QueueError> {
        if !self.stands(claim).await? {
            return Ok(false);
        }
        self.store.put(&self.beat_key(&claim.id, claim.token)?, Bytes::from_static(b"")).await?;
        Ok(true)
    }

    async fn keep(&self, claim: &Claim, checkpoint: &str) -> Result<bool, QueueError> {
        if !self.stands(claim).await? {
            return Ok(false);
        }
        let key = self.checkpoint_key(&claim.id, claim.token as u64)?;
        self.store.put(&key, Bytes::from(checkpoint.to_owned())).await?;
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
                if !self.stands(claim).await? {
                    return Ok(false);
                }
                // The result first, then the entry that names it.
                let digest = self.store.put_blob(&self.folder.join("results")?, Bytes::from(result.clone())).await?;
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
        let (seen, ids) = (self.look().await?, self.ids());
        let now = self.now().await?;
        let one = |entry: Entry| {
            let task = seen.get(&entry.id).copied().unwrap_or_default();
            async move {
                let mut row = Row {
                    number: entry.number,
                    id: entry.id.clone(),
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
                if let Some(Ended {
                    state: state @ (State::Done | State::Cancelled),
                    counts: Some((failures, lost)),
                    ..
                }) = task.ended
                {
                    (row.state, row.failures, row.lost) = (state, failures, lost);
                    row.started_ms = task.before.map(ms);
                    row.finished_ms = task.written.map(ms);
                } else if task.head > 0 {
                    let event = self.event(&entry.id, task.head).await?;
                    row.state = event.what.state(event.failures);
                    row.owner = event.owner;
                    (row.failures, row.lost) = (event.failures as u64, event.lost as u64);
                    row.reason = event.reason;
                    let alive = task.beat.into_iter().chain(task.written).max().unwrap_or(now);
                    let silent = now.duration_since(alive).unwrap_or_default().as_millis() as u64;
                    row.silent = row.state == State::Running && silent > event.lease_ms;
                    match row.state {
                        State::Running => row.started_ms = task.written.map(ms),
                        State::Done | State::Failed | State::Cancelled => {
                            row.started_ms = task.before.map(ms);
                            row.finished_ms = task.written.map(ms);
                        }
                        State::Pending => {}
                    }
                }
                Ok::<Row, QueueError>(row)
            }
        };
        let mut rows: Vec<Row> =
            stream::iter(ids.into_values().map(one)).buffer_unordered(AT_ONCE).try_collect().await?;
        rows.sort_by_key(|row| row.number);
        Ok(rows)
    }

    async fn results(&self) -> Result<Vec<(String, String)>, QueueError> {
        let (seen, ids) = (self.look().await?, self.ids());
        let one = |entry: Entry| {
            let task = seen.get(&entry.id).copied().unwrap_or_default();
            async move {
                if task.head == 0 || task.ended.is_some_and(|ended| ended.state != State::Done) {
                    return Ok(None);
                }
                let event = self.event(&entry.id, task.head).await?;
                let Some(name) = event.result.filter(|_| event.what == What::Done) else { return Ok(None) };
                let digest: Digest = name.parse().map_err(|_| self.garbled(format!("a result `{name}`")))?;
                let text = self.store.get_blob(&self.folder.join("results")?, digest, RESULT).await?;
                let text =
                    String::from_utf8(text.to_vec()).map_err(|_| self.garbled("a result that is no text".into()))?;
                Ok::<_, QueueError>(Some((entry.number, entry.id, text)))
            }
        };
        let found: Vec<_> = stream::iter(ids.into_values().map(one)).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut found: Vec<_> = found.into_iter().flatten().collect();
        found.sort_by_key(|(number, ..)| *number);
        Ok(found.into_iter().map(|(_, id, text)| (id, text)).collect())
    }

    async fn checkpoints(&self) -> Result<Vec<(String, String)>, QueueError> {
        let (seen, ids) = (self.look().await?, self.ids());
        let listed = self.store.list(&self.folder.join("checkpoints")?, None).await?;
        let kept: BTreeSet<String> = listed.iter().map(|key| key.name().to_owned()).collect();
        // Those of the last claim, where that still stands.
        let open = |id: &String| {
            let task = seen.get(id).filter(|task| task.head > 0 && task.ended.is_none())?;
            kept.contains(&format!("{id}-{}", task.head)).then_some(task.head)
        };
        let mut found = Vec::new();
        for entry in ids.into_values() {
            let Some(head) = open(&entry.id) else { continue };
            let kept = self.store.get(&self.checkpoint_key(&entry.id, head)?, SMALL).await?;
            if let Some(text) = kept.and_then(|kept| String::from_utf8(kept.to_vec()).ok()) {
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
        let seen = self.look().await?;
        let mut freed = Vec::new();
        for id in ids {
            let head = seen.get(id).map_or(0, |task| task.head);
            if head == 0 {
                continue;
            }
            let mut event = self.event(id, head).await?;
            if event.what != What::Claimed {
                continue;
            }
            if let Some(kept) = self.store.get(&self.checkpoint_key(id, head)?, SMALL).await? {
                event.checkpoint = String::from_utf8(kept.to_vec()).ok();
            }
            let event = Event { what: What::Released, lost: event.lost + 1, owner: None, ..event };
            if let Append::Done(_) = self.ledger(id)?.append(head, &event).await? {
                freed.push(id.clone());
            }
        }
        Ok(freed)
    }

    async fn seen(&self, owner: &str, task: Option<&str>) -> Result<(), QueueError> {
        let known = self.memory().since_ms.get(owner).copied();
        let since_ms = match known {
            Some(since_ms) => since_ms,
            None => {
                let now = ms(self.now().await?);
                self.memory().since_ms.insert(owner.to_owned(), now);
                now
            }
        };
        let document = serde_json::json!({ "owner": owner, "task": task, "since_ms": since_ms }).to_string();
        Ok(self.store.put(&self.worker_key(owner)?, Bytes::from(document)).await?)
    }

    async fn gone(&self, owner: &str) -> Result<(), QueueError> {
        Ok(self.store.delete(&self.worker_key(owner)?).await?)
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, QueueError> {
        #[derive(Deserialize)]
        struct Document {
            owner: String,
            task: Option<String>,
            #[serde(default)]
            since_ms: Option<i64>,
        }
        let now = self.now().await?;
        let listed = self.store.list_all(&self.folder.join("workers")?, None).await?;
        let one = |listed: store::Listed| async move {
            let Some(content) = self.store.get(&listed.key, SMALL).await? else { return Ok(None) };
            let Ok(document) = serde_json::from_slice::<Document>(&content) else { return Ok(None) };
            let silent_s = now.duration_since(listed.modified).unwrap_or_default().as_secs() as i64;
            let Document { owner, task, since_ms } = document;
            Ok::<_, QueueError>(Some(WorkerRow { owner, since_ms, seen_ms: ms(listed.modified), silent_s, task }))
        };
        let workers: Vec<_> = stream::iter(listed.into_iter().map(one)).buffer_unordered(AT_ONCE).try_collect().await?;
        let mut workers: Vec<WorkerRow> = workers.into_iter().flatten().collect();
        workers.sort_by(|a, b| a.owner.cmp(&b.owner));
        Ok(workers)
    }
}
