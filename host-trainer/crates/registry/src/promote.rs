//! Putting models in force and taking them back.

use super::check::check;
use super::{
    Action, Alias, Comparison, Criterion, Error, Promotion, Registry, Score, Stamp, Trail, Verdict, Version, short,
};
use std::collections::HashMap;
use std::time::Duration;
use store::{Append, Digest, Entry};

/// How often somebody else may be quicker before we give up: each time, another's entry stands, so that this many writers
/// of one alias must have been there.
pub(super) const ATTEMPTS: usize = 1000;

/// Who wants something put in force, and by what right.
#[derive(Debug, Clone, Default)]
pub struct Request {
    /// By what a model is judged.
    pub criterion: Criterion,
    /// Whether to put it in force against the figures. Takes a reason.
    pub force: bool,
    /// Why.
    pub reason: Option<String>,
    /// Who.
    pub who: String,
}

/// What became of a promotion.
#[derive(Debug, Clone, PartialEq)]
pub enum Outcome {
    /// The model is deployed, by this entry.
    Promoted(Entry<Promotion>),
    /// It was deployed already; nothing was written.
    Already(Entry<Promotion>),
    /// It is not deployed.
    Declined {
        /// Why.
        reason: String,
        /// The figures.
        comparison: Option<Comparison>,
    },
}

/// Scores by model, so that none is taken twice.
type Scores = HashMap<Digest, Score>;

impl Registry {
    /// Promotes a model: deploys it if it is better than the one deployed, by the criterion, and was not taken back
    /// before; or by force, with a reason. Whatever the right, it must stand the checks.
    ///
    /// # Errors
    /// [`Error::Unfit`] for a model that may not be deployed at all, [`Error::Name`] for force without a reason; what the
    /// store says.
    pub async fn promote(&self, version: &Version, request: &Request) -> Result<Outcome, Error> {
        if request.force && request.reason.as_deref().is_none_or(|reason| reason.trim().is_empty()) {
            return Err(Error::Name("putting a model in force against the figures takes a reason".into()));
        }
        let record = &version.record;
        let (artefact, device) = self.artefact(record).await?;
        let (artefact, device) = check(record.alias.clone(), record.model, artefact, device).await?;
        let mut scores = Scores::new();
        let candidate = request.criterion.score(record.model, &artefact, &device)?;
        let ledger = self.promotions(&record.alias)?;
        let mut trail = self.trail(&record.alias).await?;
        for attempt in 0..ATTEMPTS {
            if let Some(promotion) = trail.deployed().filter(|promotion| promotion.to == record.model) {
                return Ok(Outcome::Already(Entry { number: trail.head(), value: promotion.clone() }));
            }
            let candidate = candidate.clone();
            let comparison = match self.against_deployed(candidate, &trail, &request.criterion, &mut scores).await {
                Ok(comparison) => Some(comparison),
                // A deployed model that cannot be judged any more is what force is for.
                Err(_) if request.force => None,
                Err(error) => return Err(error),
            };
            let verdict = comparison.as_ref().map(Comparison::verdict);
            let no = match verdict {
                _ if trail.has_declined(record.model) => Some("it was taken back by a rollback".to_owned()),
                Some(Verdict::Better) => None,
                Some(Verdict::NotBetter(reason) | Verdict::Incomparable(reason)) => Some(reason),
                None => Some("the deployed model cannot be judged".to_owned()),
            };
            let forced = match no {
                Some(reason) if !request.force => return Ok(Outcome::Declined { reason, comparison }),
                no => no.is_some(),
            };
            let promotion = Promotion {
                action: Action::Promote,
                alias: record.alias.clone(),
                from: trail.deployed().map(|promotion| promotion.to),
                to: record.model,
                version: version.version,
                onnx: record.onnx,
                device_file: record.device_file,
                comparison,
                forced,
                reason: request.reason.clone(),
                declined: Vec::new(),
                stamp: Stamp::now(&request.who),
            };
            match ledger.append(trail.head(), &promotion).await? {
                Append::Done(number) => return Ok(Outcome::Promoted(Entry { number, value: promotion })),
                Append::Lost => {
                    trail.extend(ledger.read(trail.head() + 1).await?);
                    breathe(attempt).await;
                }
            }
        }
        Err(Error::Contended(record.alias.to_string()))
    }

    /// Puts a model beside the one deployed, without promoting anything.
    ///
    /// # Errors
    /// A model that cannot be read or judged.
    pub async fn compare(&self, version: &Version, criterion: &Criterion) -> Result<Comparison, Error> {
        let (artefact, device) = self.artefact(&version.record).await?;
        let candidate = criterion.score(version.record.model, &artefact, &device)?;
        let trail = self.trail(&version.record.alias).await?;
        self.against_deployed(candidate, &trail, criterion, &mut Scores::new()).await
    }

    /// The best of an alias' models that could be promoted, by a criterion; `None` where there is none with a figure and more
    /// than one to choose from.
    ///
    /// # Errors
    /// What the store says. A model that cannot be judged is passed over.
    pub async fn best(&self, alias: &Alias, criterion: &Criterion) -> Result<Option<Version>, Error> {
        let trail = self.trail(alias).await?;
        let deployed = trail.deployed().map(|promotion| promotion.to);
        let mut best: Option<(Version, Option<f64>)> = None;
        for version in self.versions(alias).await? {
            let model = version.record.model;
            if Some(model) == deployed || trail.has_declined(model) {
                continue;
            }
            let Ok((artefact, device)) = self.artefact(&version.record).await else { continue };
            let value = criterion.score(model, &artefact, &device).ok().and_then(|score| score.value);
            let better = match (&best, value) {
                (None, _) => true,
                (Some((_, Some(old))), Some(new)) => criterion.metric.is_better(new, *old),
                (Some((_, None)), new) => new.is_some(),
                (Some(_), None) => false,
            };
            if better {
                best = Some((version, value));
            }
        }
        Ok(best.map(|(version, _)| version))
    }

    async fn against_deployed(
        &self,
        candidate: Score,
        trail: &Trail,
        criterion: &Criterion,
        scores: &mut Scores,
    ) -> Result<Comparison, Error> {
        let Some(deployed) = trail.deployed() else { return Ok(criterion.compare(candidate, None)) };
        let score = match scores.get(&deployed.to) {
            Some(score) => score.clone(),
            None => {
                let files = self.files(deployed.into(), None).await?;
                let (artefact, device) = files.parse(&self.origin(&deployed.alias))?;
                let score = criterion.score(deployed.to, &artefact, &device)?;
                scores.insert(deployed.to, score.clone());
                score
            }
        };
        Ok(criterion.compare(candidate, Some(score)))
    }

    /// Takes the deployed model back: to the one deployed before it, or to `to`, which was deployed at some time. What is
    /// taken back counts as declined.
    ///
    /// # Errors
    /// [`Error::Declined`] where there is nothing to go back to; [`Error::Unfit`] where that does not stand the checks any
    /// more; what the store says.
    pub async fn rollback(
        &self,
        alias: &Alias,
        to: Option<Digest>,
        reason: Option<&str>,
        who: &str,
    ) -> Result<Entry<Promotion>, Error> {
        let ledger = self.promotions(alias)?;
        let mut trail = self.trail(alias).await?;
        for attempt in 0..ATTEMPTS {
            let deployed = trail.deployed().ok_or_else(|| declined(format!("nothing is deployed as {alias}")))?;
            let target = match to {
                None => trail
                    .previous()
                    .ok_or_else(|| declined(format!("{alias}: no model was deployed before {}", short(deployed.to))))?,
                Some(model) if model == deployed.to => {
                    return Err(declined(format!("{alias}: {} is deployed already", short(model))));
                }
                Some(model) => trail.deployment_of(model).ok_or_else(|| {
                    declined(format!("{alias}: {} was never deployed; promote it instead", short(model)))
                })?,
            };
            let files = self.files(target.into(), None).await?;
            let (artefact, device) = files.parse(&self.origin(alias))?;
            check(alias.clone(), target.to, artefact, device).await?;
            let promotion = Promotion {
                action: Action::Rollback,
                from: Some(deployed.to),
                comparison: None,
                forced: false,
                reason: reason.map(str::to_owned),
                declined: trail.taken_back_for(target.to),
                stamp: Stamp::now(who),
                ..target.clone()
            };
            match ledger.append(trail.head(), &promotion).await? {
                Append::Done(number) => return Ok(Entry { number, value: promotion }),
                Append::Lost => {
                    trail.extend(ledger.read(trail.head() + 1).await?);
                    breathe(attempt).await;
                }
            }
        }
        Err(Error::Contended(alias.to_string()))
    }
}

fn declined(reason: String) -> Error {
    Error::Declined { reason, help: Some("`host-trainer models history` shows what was deployed".into()) }
}

/// Writers that lost step aside for a moment, each another one, or all would meet again.
async fn breathe(attempt: usize) {
    let spread = u64::from(std::process::id()) % 7 + 1;
    tokio::time::sleep(Duration::from_millis(spread * (attempt as u64).min(10))).await;
}
