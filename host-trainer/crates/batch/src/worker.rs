//! A worker: claims tasks of a batch, trains them, keeps their results, and stops when asked to.

use crate::checkpoint::{Kept, LossSoFar};
use crate::data::{self, Data};
use crate::folder::{Batch, ProgramStamp};
use crate::queue::{Asking, Claim, Next, Outcome, Queue, QueueError};
use crate::results::{SCHEMA, TaskResult};
use crate::training::{Job, Step, Trained};
use bytes::Bytes;
use shared::failure::{Failure, Kind};
use shared::random::SplitMix64;
use std::collections::{BTreeMap, HashMap};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use store::{Digest, Key, Store};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a worker that finds no task waits at first, and at most.
const IDLE: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(5));
/// How long a queue that cannot be reached is tried again.
const PATIENCE: Duration = Duration::from_secs(60);
/// A checkpoint is at most so long, bytes.
const CHECKPOINT: u64 = 4 << 30;

/// What a worker may do.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Who it is, for others to see.
    pub owner: String,
    /// How long a task stays with it without a sign of life.
    pub lease: Duration,
    /// Tasks that it works on at once.
    pub jobs: usize,
    /// Labels of the tasks that it takes; all where it is empty.
    pub only: Vec<String>,
    /// Tasks after which it ends; no limit where it is none.
    pub most: Option<u64>,
    /// Least time between two checkpoints of a task.
    pub checkpoint_after: Duration,
    /// How long it may take to stop.
    pub grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            owner: owner(),
            lease: tune::leases::LEASE,
            jobs: 1,
            only: Vec::new(),
            most: None,
            checkpoint_after: Duration::from_secs(5),
            grace: Duration::from_secs(20),
        }
    }
}

/// The name of this process among workers: host and process, and before them the engine's own name for it, where there is one.
#[must_use]
pub fn owner() -> String {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let process = tune::leases::owner();
    let array = variable("SLURM_ARRAY_JOB_ID").zip(variable("SLURM_ARRAY_TASK_ID"));
    match (array, variable("SLURM_JOB_ID"), variable("LAYERJOULE_POD")) {
        (Some((job, task)), ..) => format!("slurm/{job}_{task}/{process}"),
        (None, Some(job), _) => format!("slurm/{job}/{process}"),
        (None, None, Some(pod)) => format!("kubernetes/{pod}/{process}"),
        (None, None, None) => process,
    }
}

/// What a worker tells while it works.
#[derive(Debug, Clone, PartialEq)]
pub enum Event {
    /// It has claimed a task.
    Claimed {
        /// `class.architecture`.
        label: String,
        /// The task, by name.
        task: String,
        /// Epochs that an earlier worker had finished.
        from_epoch: Option<usize>,
    },
    /// A task is done.
    Done {
        /// `class.architecture`.
        label: String,
        /// The task, by name.
        task: String,
        /// Its score.
        score: f64,
        /// Seconds that it took.
        seconds: f64,
    },
    /// A task failed.
    Failed {
        /// `class.architecture`.
        label: String,
        /// The task, by name.
        task: String,
        /// Why.
        reason: String,
    },
    /// A task was handed back, or taken by another.
    GivenUp {
        /// The task, by name.
        task: String,
    },
    /// Something that a person should know.
    Note(String),
}

/// Works on a batch.
pub struct Worker {
    batch: Mutex<Arc<Batch>>,
    queue: Arc<dyn Queue>,
    artefacts: Store,
    settings: Settings,
    program: ProgramStamp,
    /// Data sets in memory, by content.
    data: tokio::sync::Mutex<HashMap<String, Arc<Data>>>,
    taken: Mutex<u64>,
    tell: Box<dyn Fn(Event) + Send + Sync>,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("settings", &self.settings).finish_non_exhaustive()
    }
}

/// How the work on a task ended.
enum End {
    /// It was trained.
    Trained(Box<Trained>, Kept),
    /// It was broken off; the claim is still ours.
    Stopped,
    /// The claim is another's.
    Lost,
    /// It failed by itself.
    Failed(String),
    /// The disk, the store or the queue failed: it is not the task's fault.
    Broken(Failure),
}

impl Worker {
    /// A worker on a batch. `tell` hears what it does.
    ///
    /// # Errors
    /// A queue or a store that cannot be reached, labels that no model of the batch has.
    pub async fn new(
        batch: Batch,
        settings: Settings,
        tell: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Self, Failure> {
        check_labels(&batch, &settings.only)?;
        let (queue, artefacts) = (batch.queue(crate::folder::Use::Change).await?, batch.artefacts().await?);
        let program = ProgramStamp::this()?;
        if program != batch.header.program {
            tell(Event::Note(format!(
                "the batch was generated by another build (version {}); results say which build each is from",
                batch.header.program.version
            )));
        }
        Ok(Self {
            batch: Mutex::new(Arc::new(batch)),
            queue,
            artefacts,
            settings,
            program,
            data: tokio::sync::Mutex::default(),
            taken: Mutex::new(0),
            tell: Box::new(tell),
        })
    }

    /// Works until no task is left, its own limit is reached, or the token is cancelled; then what is in hand is kept and handed
    /// back.
    ///
    /// # Errors
    /// A queue or a store that fails for good. What goes wrong in a task is kept with it and is no error here.
    pub async fn run(self: &Arc<Self>, stop: &CancellationToken) -> Result<(), Failure> {
        let mut jobs = JoinSet::new();
        for job in 0..self.settings.jobs.max(1) {
            let (worker, stop) = (Arc::clone(self), stop.clone());
            jobs.spawn(async move {
                let owner = match job {
                    0 => worker.settings.owner.clone(),
                    job => format!("{}+{job}", worker.settings.owner),
                };
                let done = worker.work_off(&owner, &stop).await;
                // That others still see it for a while is no harm.
                let _ = worker.queue.gone(&owner).await;
                done
            });
        }
        let mut result = Ok(());
        while let Some(done) = jobs.join_next().await {
            let done = done.unwrap_or_else(|e| Err(Failure::new(Kind::Io, format!("a worker broke down: {e}"))));
            if done.is_err() {
                // The others hand their tasks back: what failed for one fails for all.
                stop.cancel();
                if result.is_ok() {
                    result = done;
                }
            }
        }
        self.queue.close().await;
        result
    }

    fn batch(&self) -> Arc<Batch> {
        Arc::clone(&self.batch.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads tasks that were added to the batch, and enters them. Whether there were any.
    async fn look_for_more(&self) -> Result<bool, Failure> {
        let mut batch = Batch::clone(&self.batch());
        if !batch.reread()? {
            return Ok(false);
        }
        self.queue.enter(&batch.entries()).await?;
        *self.batch.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(batch);
        Ok(true)
    }

    async fn work_off(&self, owner: &str, stop: &CancellationToken) -> Result<(), Failure> {
        let mut stream = SplitMix64::keyed(&[u64::from(std::process::id()), owner.len() as u64]);
        let mut idle = IDLE.0;
        let mut unreachable: Option<Instant> = None;
        self.queue.seen(owner, None).await?;
        while !stop.is_cancelled() && self.may_take() {
            let asking = Asking { owner, lease: self.settings.lease, only: &self.settings.only };
            match self.queue.next(&asking).await {
                Ok(Next::Task(claim)) => {
                    (idle, unreachable) = (IDLE.0, None);
                    self.work(claim, owner, stop).await?;
                }
                Ok(Next::Done) => {
                    self.give_back_turn();
                    if !self.look_for_more().await? {
                        return Ok(());
                    }
                }
                Ok(Next::Wait) => {
                    self.give_back_turn();
                    unreachable = None;
                    self.look_for_more().await?;
                    // Pauses differ between workers, so that they do not all ask at once.
                    let pause = tokio::time::sleep(idle.mul_f64(0.5 + stream.uniform()));
                    tokio::select! { () = pause => {}, () = stop.cancelled() => {} }
                    idle = (idle * 2).min(IDLE.1);
                    self.queue.seen(owner, None).await?;
                }
                Err(e) => {
                    self.give_back_turn();
                    let since = unreachable.get_or_insert_with(Instant::now);
                    if since.elapsed() > PATIENCE {
                        return Err(e.into());
                    }
                    (self.tell)(Event::Note(format!("{e}; trying again")));
                    let pause = tokio::time::sleep(Duration::from_secs(2));
                    tokio::select! { () = pause => {}, () = stop.cancelled() => {} }
                }
            }
        }
        Ok(())
    }

    /// Whether its limit allows one more task; the turn is then taken.
    fn may_take(&self) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if self.settings.most.is_some_and(|most| *taken >= most) {
            return false;
        }
        *taken += 1;
        true
    }

    fn give_back_turn(&self) {
        *self.taken.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
    }

    async fn data_of(&self, batch: &Batch, digest: &str) -> Result<Arc<Data>, Failure> {
        let mut known = self.data.lock().await;
        if let Some(data) = known.get(digest) {
            return Ok(Arc::clone(data));
        }
        let Some(dataset) = batch.content.datasets.get(digest) else {
            return Err(Failure::data("the batch has no such data set").at(&batch.root));
        };
        let data = Arc::new(data::load(dataset, &batch.root).await?);
        // One is kept: tasks of a data set come one after the other, and data may be large.
        known.clear();
        known.insert(digest.to_owned(), Arc::clone(&data));
        Ok(data)
    }

    /// Works on one task, and keeps what comes of it.
    async fn work(&self, claim: Claim, owner: &str, stop: &CancellationToken) -> Result<(), Failure> {
        let mut batch = self.batch();
        if batch.tasks.get(claim.number as usize).is_none() {
            self.look_for_more().await?;
            batch = self.batch();
        }
        let Some(task) = batch.tasks.get(claim.number as usize).filter(|task| task.id == claim.id).cloned() else {
            self.queue.release(&claim).await?;
            return Err(Failure::data(format!("the queue has a task that the batch does not: {}", claim.id))
                .at(&batch.root)
                .help("this folder is an older copy of the batch; take the one that tasks were added to"));
        };
        self.queue.seen(owner, Some(&task.id)).await?;
        let data = match self.data_of(&batch, &task.dataset).await {
            Ok(data) => data,
            Err(failure) => {
                self.queue.release(&claim).await?;
                return Err(failure);
            }
        };
        let (given_up, stopping) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicBool::new(false)));
        let began = Instant::now();
        let joules = package_joules();
        let computing = Computation {
            batch: Arc::clone(&batch),
            number: claim.number as usize,
            data,
            claim: claim.clone(),
            queue: Arc::clone(&self.queue),
            artefacts: self.artefacts.clone(),
            checkpoint_after: self.settings.checkpoint_after,
            given_up: Arc::clone(&given_up),
            stopping: Arc::clone(&stopping),
            runtime: tokio::runtime::Handle::current(),
        };
        let kept = match computing.kept().await {
            Ok(kept) => kept,
            Err(failure) => {
                self.queue.release(&claim).await?;
                return Err(failure);
            }
        };
        (self.tell)(Event::Claimed {
            label: task.label.clone(),
            task: task.id.clone(),
            from_epoch: kept.as_ref().map(|(kept, _)| kept.epochs),
        });
        let mut computation = tokio::task::spawn_blocking(move || computing.run(kept));
        let mut beat = tokio::time::interval(self.settings.lease / 4);
        let mut renewed = Instant::now();
        let end = loop {
            tokio::select! {
                done = &mut computation => break done.unwrap_or_else(|e| End::Failed(panic_reason(e))),
                () = stop.cancelled(), if !stopping.load(Ordering::Relaxed) => {
                    stopping.store(true, Ordering::Relaxed);
                    // What cannot be broken off is left alone, and its task handed back.
                    break match tokio::time::timeout(self.settings.grace, &mut computation).await {
                        Ok(done) => done.unwrap_or_else(|e| End::Failed(panic_reason(e))),
                        Err(_) => {
                            given_up.store(true, Ordering::Relaxed);
                            End::Stopped
                        }
                    };
                }
                _ = beat.tick() => match self.queue.renew(&claim, self.settings.lease).await {
                    Ok(true) => {
                        renewed = Instant::now();
                        let _ = self.queue.seen(owner, Some(&task.id)).await;
                    }
                    Ok(false) => given_up.store(true, Ordering::Relaxed),
                    // Another has the task by now, or may have.
                    Err(_) if renewed.elapsed() > self.settings.lease => given_up.store(true, Ordering::Relaxed),
                    Err(_) => {}
                },
            }
        };
        match end {
            End::Lost => (self.tell)(Event::GivenUp { task: task.id }),
            End::Stopped => {
                self.queue.release(&claim).await?;
                (self.tell)(Event::GivenUp { task: task.id });
            }
            End::Broken(failure) => {
                self.queue.release(&claim).await?;
                return Err(failure);
            }
            End::Failed(reason) => {
                self.queue.finish(&claim, &Outcome::Failed(reason.clone())).await?;
                (self.tell)(Event::Failed { label: task.label, task: task.id, reason });
            }
            End::Trained(trained, kept) => {
                let seconds = kept.seconds + began.elapsed().as_secs_f64();
                let score = trained.score;
                let mut files = BTreeMap::new();
                for (name, content) in trained.files {
                    match keep(&self.artefacts, "files", content).await {
                        Ok(sha256) => files.insert(name, sha256),
                        Err(e) => {
                            self.queue.release(&claim).await?;
                            return Err(e.into());
                        }
                    };
                }
                let (_, _, training) = batch.parts_of(&task)?;
                let result = TaskResult {
                    schema_version: SCHEMA,
                    task: task.id.clone(),
                    label: task.label.clone(),
                    dataset: task.dataset.clone(),
                    model: task.model.clone(),
                    training: task.training.clone(),
                    repeat: task.repeat,
                    seed: task.seed(),
                    score,
                    score_of: training.score.name().to_owned(),
                    judged_on: trained.judged_on.to_owned(),
                    metrics: trained.metrics,
                    losses: trained.losses,
                    rows: trained.rows,
                    files,
                    weights: kept.weights,
                    seconds,
                    package_joules: joules
                        .zip(package_joules())
                        .map(|(before, after)| after - before)
                        .filter(|j| *j >= 0.0),
                    machine: owner.to_owned(),
                    program: self.program.clone(),
                    log: [kept.log, vec![format!("{owner} finished it")]].concat(),
                };
                let text = serde_json::to_string(&result).map_err(|e| Failure::from_error(Kind::Data, e))?;
                let told = match self.queue.finish(&claim, &Outcome::Done(text)).await? {
                    true => Event::Done { label: task.label, task: task.id.clone(), score, seconds },
                    // Another was taken for it meanwhile; its result counts.
                    false => Event::GivenUp { task: task.id.clone() },
                };
                (self.tell)(told);
                self.forget_checkpoints(&task.id).await;
            }
        }
        Ok(())
    }

    /// Removes what a finished task does not need any more. What is left over, `gc` removes.
    async fn forget_checkpoints(&self, id: &str) {
        let Ok(folder) = Key::new(format!("checkpoints/{id}")) else { return };
        for key in self.artefacts.list(&folder, None).await.unwrap_or_default() {
            let _ = self.artefacts.delete(&key).await;
        }
    }
}

/// Refuses labels that no model of a batch has.
///
/// # Errors
/// The label, with near ones.
pub fn check_labels(batch: &Batch, labels: &[String]) -> Result<(), Failure> {
    let known = batch.labels();
    let known: Vec<&str> = known.iter().map(String::as_str).collect();
    match labels.iter().find(|label| !known.contains(&label.as_str())) {
        Some(label) => {
            let near = shared::near::near(label, &known);
            Err(Failure::usage(format!("no model of the batch is called `{label}`{near}")).at(&batch.root))
        }
        None => Ok(()),
    }
}

/// Keeps a file by its hash.
async fn keep(artefacts: &Store, folder: &str, content: Vec<u8>) -> Result<String, store::Error> {
    Ok(artefacts.keep_blob(&Key::new(folder)?, Bytes::from(content)).await?.to_string())
}

fn panic_reason(error: tokio::task::JoinError) -> String {
    let text = match error.try_into_panic() {
        Ok(panic) => match panic.downcast::<String>() {
            Ok(reason) => *reason,
            Err(other) => other.downcast::<&str>().map_or_else(|_| "no reason".to_owned(), |s| (*s).to_owned()),
        },
        Err(error) => error.to_string(),
    };
    format!("it panicked: {text}")
}

/// Energy that the processor packages of this machine have used since some time, joules; none where it cannot be read, as usual
/// for all but root.
fn package_joules() -> Option<f64> {
    let zones = std::fs::read_dir(Path::new("/sys/class/powercap")).ok()?;
    let packages = zones.flatten().filter(|zone| {
        let name = zone.file_name().to_string_lossy().into_owned();
        name.strip_prefix("intel-rapl:").is_some_and(|number| number.parse::<u32>().is_ok())
    });
    let energies: Option<Vec<f64>> = packages
        .map(|zone| std::fs::read_to_string(zone.path().join("energy_uj")).ok()?.trim().parse::<f64>().ok())
        .collect();
    energies.filter(|energies| !energies.is_empty()).map(|energies| energies.iter().sum::<f64>() * 1e-6)
}

/// The part of a task that computes, on a thread of its own.
struct Computation {
    batch: Arc<Batch>,
    number: usize,
    data: Arc<Data>,
    claim: Claim,
    queue: Arc<dyn Queue>,
    artefacts: Store,
    checkpoint_after: Duration,
    /// Set where the task is another's.
    given_up: Arc<AtomicBool>,
    /// Set where the worker is to stop.
    stopping: Arc<AtomicBool>,
    runtime: tokio::runtime::Handle,
}

impl Computation {
    /// What an earlier worker kept, with the progress itself; none where there is none, or it is gone or damaged.
    async fn kept(&self) -> Result<Option<(Kept, Bytes)>, Failure> {
        let Some(kept) = self.claim.checkpoint.as_deref().and_then(|text| serde_json::from_str::<Kept>(text).ok())
        else {
            return Ok(None);
        };
        let Ok(digest) = kept.sha256.parse::<Digest>() else { return Ok(None) };
        let content = self.artefacts.get(&self.checkpoint_key(digest)?, CHECKPOINT).await?;
        Ok(content.filter(|content| Digest::of(content) == digest).map(|content| (kept, content)))
    }

    fn checkpoint_key(&self, digest: Digest) -> Result<Key, store::Error> {
        Ok(Key::new(format!("checkpoints/{}/{digest}", self.claim.id))?)
    }

    fn run(self, from: Option<(Kept, Bytes)>) -> End {
        let task = &self.batch.tasks[self.number];
        let (dataset, model, training) = match self.batch.parts_of(task) {
            Ok(parts) => parts,
            Err(failure) => return End::Broken(failure),
        };
        let job = Job { task, dataset, data: &self.data, model, training };
        let (mut kept, bytes) = from.map_or((Kept::default(), None), |(kept, bytes)| (kept, Some(bytes)));
        let (began, before) = (Instant::now(), kept.seconds);
        let mut last = Instant::now();
        let mut broken = None;
        let mut after = |step: &Step<'_>| {
            if self.given_up.load(Ordering::Relaxed) {
                return ControlFlow::Break(());
            }
            let every = training.keep_weights_every;
            if every > 0 && step.epochs.is_multiple_of(every) {
                match self.runtime.block_on(keep(&self.artefacts, "weights", step.weights())) {
                    Ok(sha256) => drop(kept.weights.insert(step.epochs, sha256)),
                    Err(e) => {
                        broken = Some(Failure::from(e));
                        return ControlFlow::Break(());
                    }
                }
            }
            let stopping = self.stopping.load(Ordering::Relaxed);
            let due = step.epochs.is_multiple_of(training.checkpoint_every) && last.elapsed() >= self.checkpoint_after;
            if !stopping && !due {
                return ControlFlow::Continue(());
            }
            last = Instant::now();
            kept.epochs = step.epochs;
            kept.seconds = before + began.elapsed().as_secs_f64();
            match self.runtime.block_on(self.save(step, &mut kept)) {
                Ok(true) if stopping => ControlFlow::Break(()),
                Ok(true) => ControlFlow::Continue(()),
                Ok(false) => {
                    self.given_up.store(true, Ordering::Relaxed);
                    ControlFlow::Break(())
                }
                Err(failure) => {
                    broken = Some(failure);
                    ControlFlow::Break(())
                }
            }
        };
        let trained = job.run(bytes.as_deref(), &mut after);
        if let Some(failure) = broken {
            return End::Broken(failure);
        }
        match trained {
            _ if self.given_up.load(Ordering::Relaxed) => End::Lost,
            Ok(Some(trained)) => {
                // What the caller measures begins with its claim.
                kept.seconds = before;
                End::Trained(Box::new(trained), kept)
            }
            Ok(None) => End::Stopped,
            Err(failure) => End::Failed(failure.to_string()),
        }
    }

    async fn save(&self, step: &Step<'_>, kept: &mut Kept) -> Result<bool, Failure> {
        let content = step.checkpoint();
        let digest = Digest::of(&content);
        self.artefacts.put(&self.checkpoint_key(digest)?, Bytes::from(content)).await?;
        let before = std::mem::replace(&mut kept.sha256, digest.to_string());
        let told = Kept {
            log: [kept.log.clone(), vec![format!("kept after epoch {}", step.epochs)]].concat(),
            losses: LossSoFar::of(step.histories()),
            ..kept.clone()
        };
        let text = serde_json::to_string(&told).map_err(|e| Failure::from_error(Kind::Data, e))?;
        let stands = self.queue.keep(&self.claim, &text).await.map_err(|e: QueueError| Failure::from(e))?;
        // Nobody needs the one before any more; of one whose claim is another's, that other may.
        if stands
            && before != kept.sha256
            && let Ok(digest) = before.parse::<Digest>()
        {
            self.artefacts.delete(&self.checkpoint_key(digest)?).await?;
        }
        Ok(stands)
    }
}
