//! How workers share a study's trials.

use super::error::StudyError;
use super::records::{Study, TRIAL_COLUMNS, Trial, TrialState, trial_of};
use super::repository::Studies;
use crate::database::retried;
use crate::leases::Held;
use crate::pruner::Curve;
use crate::sampler::{Observation, Situation, TrialResult, propose};
use crate::space::{Parameters, Point};
use std::time::Duration;

/// A trial in one worker's hands.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// The study.
    pub study: String,
    /// The trial's number.
    pub number: u64,
    /// What it tries.
    pub parameters: Parameters,
    /// By which the database knows this claim from earlier and later ones.
    token: i64,
}

impl Claim {
    fn held(&self) -> Held<'_> {
        Held { group: &self.study, number: self.number as i64, token: self.token }
    }
}

/// What a worker is to do next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// This trial.
    Trial(Claim),
    /// Wait: all trials of this generation are in others' hands.
    Wait,
    /// Nothing: the study is done.
    Done,
}

/// What came of a trial.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// It was judged to the end.
    Complete(f64),
    /// It was given up after its last step, at this value.
    Pruned(f64),
    /// It could not be judged; why.
    Failed(String),
}

impl Studies {
    /// Claims the first trial that nobody works on; makes the next generation's where all earlier ones are finished.
    ///
    /// # Errors
    /// The database's, or [`StudyError::Space`] where no proposal can be made.
    pub async fn next(&self, study: &Study, owner: &str, lease: Duration) -> Result<Next, StudyError> {
        loop {
            self.leases.bury(&study.name).await?;
            if let Some(claim) = self.claim(&study.name, owner, lease).await? {
                return Ok(Next::Trial(claim));
            }
            let progress = self.progress(&study.name).await?;
            let counts = progress.counts;
            let made = counts.finished() + counts.waiting + counts.running;
            if counts.waiting > 0 {
                // Released or made since.
                continue;
            }
            match (counts.running, made < progress.trials) {
                (0, true) => self.make_trials(study, made, progress.trials).await?,
                (0, false) => return Ok(Next::Done),
                _ => return Ok(Next::Wait),
            }
        }
    }

    async fn claim(&self, study: &str, owner: &str, lease: Duration) -> Result<Option<Claim>, StudyError> {
        let row = self.leases.claim(study, owner, lease, TRIAL_COLUMNS, None).await?;
        let Some(row) = row else { return Ok(None) };
        let trial = trial_of(&row)?;
        let (number, token) = (trial.number, trial.token);
        Ok(Some(Claim { study: study.to_owned(), number, parameters: trial.parameters, token }))
    }

    /// Makes the trials of a generation that are still missing. Whoever makes them makes the same ones.
    async fn make_trials(&self, study: &Study, made: u64, wanted: u64) -> Result<(), StudyError> {
        let specification = &study.specification;
        let space = specification.space()?;
        let size = specification.generation.max(1);
        let first = made / size * size;
        let known = self.trials_before(&study.name, made).await?;
        let (earlier, own) = known.split_at(known.partition_point(|trial| trial.number < first));
        let earlier = observations(study, earlier)?;
        let point = |parameters: &Parameters, number: u64| {
            space.point(parameters).ok_or_else(|| StudyError::Garbled(format!("a trial {number} outside its space")))
        };
        let mut pending: Vec<Point> =
            own.iter().map(|trial| point(&trial.parameters, trial.number)).collect::<Result<_, _>>()?;
        let mut trials = Vec::new();
        for number in made..(first + size).min(wanted) {
            let situation = Situation { seed: specification.seed, number, earlier: &earlier, pending: &pending };
            let parameters = propose(specification.sampler, &space, situation).map_err(StudyError::Space)?;
            if let Some(point) = space.point(&parameters) {
                pending.push(point);
            }
            let text = toml::to_string(&parameters)
                .map_err(|e| StudyError::Garbled(format!("parameters that cannot be written: {e}")))?;
            trials.push((number as i64, text));
        }
        retried(|| async {
            let mut transaction = self.pool.begin_with(self.dialect.begin()).await?;
            for (number, text) in &trials {
                sqlx::query(
                    "INSERT INTO tune_trials (study, number, state, parameters, token, failures, lost) \
                     VALUES ($1, $2, 'waiting', $3, 0, 0, 0) ON CONFLICT (study, number) DO NOTHING",
                )
                .bind(study.name.as_str())
                .bind(*number)
                .bind(text.as_str())
                .execute(&mut *transaction)
                .await?;
            }
            transaction.commit().await
        })
        .await?;
        Ok(())
    }

    /// The curves that a trial's pruning may look at: those of earlier generations, which do not change any more.
    ///
    /// # Errors
    /// The database's.
    pub async fn earlier_curves(&self, study: &Study, number: u64) -> Result<Vec<Curve>, StudyError> {
        let size = study.specification.generation.max(1);
        let trials = self.trials_before(&study.name, number / size * size).await?;
        let judged = trials.into_iter().filter(|trial| trial.state != TrialState::Failed);
        let curve = |trial: Trial| Curve {
            number: trial.number,
            steps: trial.steps,
            complete: trial.state == TrialState::Complete,
        };
        Ok(judged.map(curve).collect())
    }

    /// Renews a claim's lease. False where the trial is no longer in this worker's hands.
    ///
    /// # Errors
    /// The database's.
    pub async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool, StudyError> {
        Ok(self.leases.renew(&claim.held(), lease).await?)
    }

    /// Hands a trial back for others.
    ///
    /// # Errors
    /// The database's.
    pub async fn release(&self, claim: &Claim) -> Result<bool, StudyError> {
        Ok(self.leases.release(&claim.held()).await?)
    }

    /// Keeps a value after a step. False where the trial is no longer in this worker's hands.
    ///
    /// # Errors
    /// The database's.
    pub async fn report(&self, claim: &Claim, step: u32, value: f64) -> Result<bool, StudyError> {
        let result = retried(|| async {
            sqlx::query(
                "INSERT INTO tune_steps (study, number, step, value) SELECT study, number, $4, $5 FROM tune_trials \
                 WHERE study = $1 AND number = $2 AND token = $3 AND state = 'running' \
                 ON CONFLICT (study, number, step) DO UPDATE SET value = excluded.value",
            )
            .bind(claim.study.as_str())
            .bind(claim.number as i64)
            .bind(claim.token)
            .bind(i64::from(step))
            .bind(value)
            .execute(&self.pool)
            .await
        })
        .await?;
        Ok(result.rows_affected() == 1)
    }

    /// Keeps what came of a trial. False where the trial is no longer in this worker's hands, and nothing was kept: its
    /// lease had run out and another took it up.
    ///
    /// # Errors
    /// The database's.
    pub async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<bool, StudyError> {
        let (state, value) = match outcome {
            Outcome::Complete(value) => ("complete", *value),
            Outcome::Pruned(value) => ("pruned", *value),
            Outcome::Failed(reason) => return Ok(self.leases.fail(&claim.held(), reason).await?),
        };
        let now = self.dialect.now_ms();
        let done = format!("state = '{state}', value = $4, lease_until_ms = NULL, finished_ms = {now}");
        Ok(self.leases.settle(&claim.held(), &done, |query| query.bind(value)).await?)
    }

    /// Whether a claim still stands.
    ///
    /// # Errors
    /// The database's.
    pub async fn holds(&self, claim: &Claim) -> Result<bool, StudyError> {
        Ok(self.leases.holds(&claim.held()).await?)
    }
}

/// Finished trials as samplers see them; failed ones tell nothing.
fn observations(study: &Study, trials: &[Trial]) -> Result<Vec<Observation>, StudyError> {
    let space = study.specification.space()?;
    let judged = trials.iter().filter_map(|trial| {
        let result = match (trial.state, trial.value) {
            (TrialState::Complete, Some(value)) => TrialResult::Complete(value),
            (TrialState::Pruned, Some(value)) => {
                TrialResult::Pruned(trial.steps.last().map_or(0, |(step, _)| *step), value)
            }
            _ => return None,
        };
        Some((trial, result))
    });
    judged
        .map(|(trial, result)| match space.point(&trial.parameters) {
            Some(point) => Ok(Observation { point, result }),
            None => Err(StudyError::Garbled(format!("a trial {} outside its space", trial.number))),
        })
        .collect()
}
