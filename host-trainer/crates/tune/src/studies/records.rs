//! What the database keeps, as values.

use super::error::StudyError;
use crate::pruner::Pruner;
use crate::sampler::Sampler;
use crate::space::{Parameters, Space};
use serde::{Deserialize, Serialize};
use sqlx::Row;
use sqlx::any::AnyRow;
use toml::Table;

/// Trials one study may have.
pub const MOST_TRIALS: u64 = 1_000_000;
/// Every column of a trial, in the order that [`trial_of`] reads.
pub(super) const TRIAL_COLUMNS: &str =
    "number, state, parameters, value, reason, owner, token, failures, lost, started_ms, finished_ms";

/// Everything that determines a study but for the number of its trials.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Specification {
    /// What all that is random rests on.
    pub seed: u64,
    /// Trials a generation has.
    pub generation: u64,
    /// How points are chosen.
    pub sampler: Sampler,
    /// How trials are given up.
    pub pruner: Pruner,
    /// SHA-256 of the data.
    pub data_sha256: String,
    /// What is minimised; its maker reads it.
    #[schema(value_type = Object)]
    pub objective: Table,
    /// The plan that trials differ from.
    #[schema(value_type = Object)]
    pub plan: Table,
    /// What is searched, as [`Space::to_table`] writes it.
    #[schema(value_type = Object)]
    pub space: Table,
}

impl Specification {
    /// The specification in TOML, which [`toml::from_str`] reads.
    ///
    /// # Errors
    /// [`StudyError::Garbled`] for what TOML cannot hold.
    pub fn to_text(&self) -> Result<String, StudyError> {
        toml::to_string(self).map_err(|e| StudyError::Garbled(format!("what cannot be written: {e}")))
    }

    /// The first thing that differs, by name.
    pub(crate) fn difference(&self, other: &Self) -> Option<String> {
        let named = [
            ("seed", self.seed == other.seed),
            ("generation", self.generation == other.generation),
            ("sampler", self.sampler == other.sampler),
            ("pruner", self.pruner == other.pruner),
            ("objective", self.objective == other.objective),
            ("space", self.space == other.space),
            ("plan", self.plan == other.plan),
            ("data set", self.data_sha256 == other.data_sha256),
        ];
        named.into_iter().find(|(_, same)| !same).map(|(what, _)| what.to_owned())
    }

    /// The space that is searched.
    ///
    /// # Errors
    /// [`StudyError::Garbled`] where it is none.
    pub fn space(&self) -> Result<Space, StudyError> {
        Space::from_table(&self.space).map_err(StudyError::Garbled)
    }
}

/// A study.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Study {
    /// Its name.
    pub name: String,
    /// Trials it is to have.
    pub trials: u64,
    /// When it was begun, in milliseconds since 1970.
    pub created_ms: i64,
    /// What determines it.
    pub specification: Specification,
}

/// Where a trial stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrialState {
    /// For a worker.
    Waiting,
    /// Claimed.
    Running,
    /// Judged to the end.
    Complete,
    /// Given up early.
    Pruned,
    /// Given up for good; its reason says why.
    Failed,
}

impl TrialState {
    pub(super) fn parse(text: &str) -> Result<Self, StudyError> {
        Ok(match text {
            "waiting" => Self::Waiting,
            "running" => Self::Running,
            "complete" => Self::Complete,
            "pruned" => Self::Pruned,
            "failed" => Self::Failed,
            other => return Err(StudyError::Garbled(format!("a trial in state `{other}`"))),
        })
    }

    /// The word for it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Running => "running",
            Self::Complete => "complete",
            Self::Pruned => "pruned",
            Self::Failed => "failed",
        }
    }
}

/// A trial.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct Trial {
    /// Its number, from 0.
    pub number: u64,
    /// Where it stands.
    pub state: TrialState,
    /// What it tries.
    #[schema(value_type = Object)]
    pub parameters: Parameters,
    /// What came of it; of a pruned trial, its last value.
    pub value: Option<f64>,
    /// Steps with their values.
    #[schema(value_type = Vec<Vec<f64>>)]
    pub steps: Vec<(u32, f64)>,
    /// Why it failed, or failed last.
    pub reason: Option<String>,
    /// Who worked on it last.
    pub owner: Option<String>,
    /// Times it was claimed.
    pub token: i64,
    /// Times it failed.
    pub failures: i64,
    /// Times its worker vanished.
    pub lost: i64,
    /// When it was claimed last, in milliseconds since 1970.
    pub started_ms: Option<i64>,
    /// When it was finished, in milliseconds since 1970.
    pub finished_ms: Option<i64>,
}

/// How many trials stand where.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, utoipa::ToSchema)]
pub struct Counts {
    /// For a worker.
    pub waiting: u64,
    /// Claimed.
    pub running: u64,
    /// Judged to the end.
    pub complete: u64,
    /// Given up early.
    pub pruned: u64,
    /// Failed for good.
    pub failed: u64,
}

impl Counts {
    pub(super) fn of(&mut self, state: TrialState) -> &mut u64 {
        match state {
            TrialState::Waiting => &mut self.waiting,
            TrialState::Running => &mut self.running,
            TrialState::Complete => &mut self.complete,
            TrialState::Pruned => &mut self.pruned,
            TrialState::Failed => &mut self.failed,
        }
    }

    /// Trials of which nothing more will come.
    #[must_use]
    pub fn finished(&self) -> u64 {
        self.complete + self.pruned + self.failed
    }
}

/// How far a study is.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Progress {
    /// Trials it is to have.
    pub trials: u64,
    /// Trials there are, by state.
    pub counts: Counts,
    /// The best complete trial, without its steps.
    pub best: Option<Trial>,
}

impl Progress {
    /// Whether all trials are finished.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.counts.finished() >= self.trials
    }
}

pub(super) fn study_of(row: &AnyRow) -> Result<Study, StudyError> {
    let name: String = row.try_get("name")?;
    let text: String = row.try_get("specification")?;
    let specification = toml::from_str(&text).map_err(|e: toml::de::Error| {
        StudyError::Garbled(format!("a study `{name}` that cannot be read: {}", e.message()))
    })?;
    let trials = u64::try_from(row.try_get::<i64, _>("trials")?).unwrap_or(0);
    Ok(Study { name, trials, created_ms: row.try_get("created_ms")?, specification })
}

pub(super) fn trial_of(row: &AnyRow) -> Result<Trial, StudyError> {
    let number = u64::try_from(row.try_get::<i64, _>("number")?).unwrap_or(0);
    let text: String = row.try_get("parameters")?;
    let parameters = toml::from_str(&text).map_err(|e: toml::de::Error| {
        StudyError::Garbled(format!("parameters of trial {number} that cannot be read: {}", e.message()))
    })?;
    Ok(Trial {
        number,
        state: TrialState::parse(row.try_get("state")?)?,
        parameters,
        value: row.try_get("value")?,
        steps: Vec::new(),
        reason: row.try_get("reason")?,
        owner: row.try_get("owner")?,
        token: row.try_get("token")?,
        failures: row.try_get("failures")?,
        lost: row.try_get("lost")?,
        started_ms: row.try_get("started_ms")?,
        finished_ms: row.try_get("finished_ms")?,
    })
}
