//! A worker: claims trials, evaluates them, renews its leases, and stops when asked to.

pub use super::leases::LEASE;
use super::pruner::{Curve, Pruner};
use super::space::Parameters;
use super::studies::{Claim, Next, Outcome, Studies, Study, StudyError};
pub use engines::owner;
use shared::random::SplitMix64;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

/// Mean pause of a worker that finds no trial.
const IDLE: Duration = Duration::from_millis(200);

/// What a study minimises.
pub trait Objective: Send + Sync + std::fmt::Debug {
    /// Number of steps that report a value; the last one is final.
    fn steps(&self) -> u32;

    /// The value of some parameters. It calls `after_step` with the step, from 1, and the value so far, and stops early when the
    /// answer is to break.
    ///
    /// The same parameters must give the same values, bit for bit.
    ///
    /// # Errors
    /// Why there is no value, as a sentence.
    fn judge(
        &self,
        parameters: &Parameters,
        after_step: &mut dyn FnMut(u32, f64) -> ControlFlow<()>,
    ) -> Result<f64, String>;
}

/// Works on one study.
#[derive(Debug, Clone)]
pub struct Worker {
    /// The studies' database.
    pub studies: Studies,
    /// The study.
    pub study: Study,
    /// What it minimises.
    pub objective: Arc<dyn Objective>,
    /// Who works on the trial, for others to see: host and process.
    pub owner: String,
    /// How long a trial stays with this worker without renewal.
    pub lease: Duration,
    /// Trials worked on at once.
    pub jobs: usize,
}

impl Worker {
    /// Works until the study is done or the token is cancelled; then trials in hand are released.
    ///
    /// # Errors
    /// The database's; what goes wrong in a trial is kept with it and is no error here.
    pub async fn run(&self, stop: &CancellationToken) -> Result<(), StudyError> {
        let mut tasks = JoinSet::new();
        for task in 0..self.jobs.max(1) {
            let (worker, stop) = (self.clone(), stop.child_token());
            tasks.spawn(async move { worker.work_off(task as u64, &stop).await });
        }
        let mut result = Ok(());
        while let Some(done) = tasks.join_next().await {
            let done = done.unwrap_or_else(|e| Err(StudyError::Garbled(format!("a worker that broke down: {e}"))));
            if done.is_err() && result.is_ok() {
                result = done;
            }
        }
        result
    }

    async fn work_off(&self, task: u64, stop: &CancellationToken) -> Result<(), StudyError> {
        let mut stream = SplitMix64::keyed(&[u64::from(std::process::id()), task]);
        while !stop.is_cancelled() {
            match self.studies.next(&self.study, &self.owner, self.lease).await? {
                Next::Trial(claim) => self.work(claim, stop).await?,
                Next::Done => break,
                Next::Wait => {
                    // Pauses differ between workers, so that they do not all ask at once.
                    let pause = tokio::time::sleep(IDLE.mul_f64(0.5 + stream.uniform()));
                    tokio::select! { () = pause => {}, () = stop.cancelled() => {} }
                }
            }
        }
        Ok(())
    }

    /// Evaluates one trial. If the lease is lost meanwhile, the result is dropped.
    async fn work(&self, claim: Claim, stop: &CancellationToken) -> Result<(), StudyError> {
        let earlier = match self.study.specification.pruner {
            Pruner::None => Vec::new(),
            _ => self.studies.earlier_curves(&self.study, claim.number).await?,
        };
        let given_up = Arc::new(AtomicBool::new(false));
        let evaluation = Evaluation {
            worker: self.clone(),
            claim: claim.clone(),
            earlier,
            given_up: Arc::clone(&given_up),
            curve: Curve { number: claim.number, ..Curve::default() },
            runtime: tokio::runtime::Handle::current(),
        };
        let mut evaluation = tokio::task::spawn_blocking(move || evaluation.run());
        let mut beat = tokio::time::interval(self.lease / 4);
        loop {
            tokio::select! {
                done = &mut evaluation => return self.settle(&claim, done).await,
                () = stop.cancelled() => {
                    given_up.store(true, Ordering::Relaxed);
                    self.studies.release(&claim).await?;
                    return Ok(());
                }
                _ = beat.tick() => {
                    if !self.studies.renew(&claim, self.lease).await? {
                        given_up.store(true, Ordering::Relaxed);
                    }
                }
            }
        }
    }

    async fn settle(
        &self,
        claim: &Claim,
        done: Result<Result<Option<Outcome>, StudyError>, JoinError>,
    ) -> Result<(), StudyError> {
        let outcome = match done {
            Ok(outcome) => outcome?,
            Err(panicked) => {
                let reason = match panicked.into_panic().downcast::<String>() {
                    Ok(reason) => *reason,
                    Err(other) => other.downcast::<&str>().map_or_else(|_| "no reason".to_owned(), |s| (*s).to_owned()),
                };
                Some(Outcome::Failed(format!("it panicked: {reason}")))
            }
        };
        if let Some(outcome) = outcome {
            // False where another has it by now; then its result is the one that counts.
            self.studies.finish(claim, &outcome).await?;
        }
        Ok(())
    }
}

/// The part of a trial that computes, on a thread of its own.
struct Evaluation {
    worker: Worker,
    claim: Claim,
    earlier: Vec<Curve>,
    /// Set where the trial is no longer this worker's.
    given_up: Arc<AtomicBool>,
    curve: Curve,
    runtime: tokio::runtime::Handle,
}

impl Evaluation {
    /// None where the trial is no longer this worker's.
    fn run(mut self) -> Result<Option<Outcome>, StudyError> {
        let objective = Arc::clone(&self.worker.objective);
        let parameters = self.claim.parameters.clone();
        let steps = objective.steps();
        let (mut error, mut pruned) = (None, None);
        let judged = objective.judge(&parameters, &mut |step, value| match self.after(step, steps, value) {
            Ok(ControlFlow::Continue(())) => ControlFlow::Continue(()),
            Ok(ControlFlow::Break(why)) => {
                pruned = why;
                ControlFlow::Break(())
            }
            Err(e) => {
                error = Some(e);
                ControlFlow::Break(())
            }
        });
        if let Some(error) = error {
            return Err(error);
        }
        if self.given_up.load(Ordering::Relaxed) {
            return Ok(None);
        }
        if let Some(outcome) = pruned {
            return Ok(Some(outcome));
        }
        Ok(Some(match judged {
            Ok(value) if value.is_finite() => Outcome::Complete(value),
            Ok(value) => Outcome::Failed(format!("its value is {value}")),
            Err(reason) => Outcome::Failed(reason),
        }))
    }

    /// Keeps a step's value and says whether to go on; else what has come of the trial, if it is still ours.
    fn after(&mut self, step: u32, steps: u32, value: f64) -> Result<ControlFlow<Option<Outcome>>, StudyError> {
        if self.given_up.load(Ordering::Relaxed) {
            return Ok(ControlFlow::Break(None));
        }
        if !value.is_finite() {
            let reason = format!("its value after step {step} is {value}");
            return Ok(ControlFlow::Break(Some(Outcome::Failed(reason))));
        }
        self.curve.steps.push((step, value));
        let kept = self.runtime.block_on(self.worker.studies.report(&self.claim, step, value))?;
        if !kept {
            self.given_up.store(true, Ordering::Relaxed);
            return Ok(ControlFlow::Break(None));
        }
        let specification = &self.worker.study.specification;
        Ok(match specification.pruner.gives_up(specification.seed, &self.curve, steps, &self.earlier) {
            true => ControlFlow::Break(Some(Outcome::Pruned(value))),
            false => ControlFlow::Continue(()),
        })
    }
}
