//! The part of a task that computes, with its checkpoints.

use crate::checkpoint::{Kept, LossSoFar};
use crate::data::Data;
use crate::folder::Batch;
use crate::queue::{Claim, Queue, QueueError};
use crate::training::{Job, Step, Trained};
use bytes::Bytes;
use shared::failure::{Failure, Kind};
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};
use store::{Digest, Key, Store};

/// A checkpoint is at most so long, bytes.
const CHECKPOINT: u64 = 4 << 30;

/// How the work on a task ended.
pub(super) enum End {
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

/// Keeps a file by its hash.
pub(super) async fn keep(artefacts: &Store, folder: &str, content: Vec<u8>) -> Result<String, store::Error> {
    Ok(artefacts.keep_blob(&Key::new(folder)?, Bytes::from(content)).await?.to_string())
}

/// The part of a task that computes, on a thread of its own.
pub(super) struct Computation {
    pub(super) batch: Arc<Batch>,
    pub(super) number: usize,
    pub(super) data: Arc<Data>,
    pub(super) claim: Claim,
    pub(super) queue: Arc<dyn Queue>,
    pub(super) artefacts: Store,
    pub(super) checkpoint_after: Duration,
    /// Set where the task is another's.
    pub(super) given_up: Arc<AtomicBool>,
    /// Set where the worker is to stop.
    pub(super) stopping: Arc<AtomicBool>,
    pub(super) runtime: tokio::runtime::Handle,
}

impl Computation {
    /// What an earlier worker kept, with the progress itself; none where there is none, or it is gone or damaged.
    pub(super) async fn kept(&self) -> Result<Option<(Kept, Bytes)>, Failure> {
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

    pub(super) fn run(self, from: Option<(Kept, Bytes)>) -> End {
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
