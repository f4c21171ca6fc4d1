//! Studies and trials, created, read and deleted.

use super::error::StudyError;
use super::records::{
    self, Counts, MOST_TRIALS, Progress, Specification, Study, TRIAL_COLUMNS, Trial, TrialState, trial_of,
};
use crate::database::{self, Access, Dialect, Location, Schema, retried};
use crate::leases::Leases;
use sqlx::{AnyPool, AssertSqlSafe, Row};
use std::collections::BTreeMap;
use std::time::Duration;

/// Longest name of a study, in bytes.
const NAME_BYTES: usize = 200;

const SCHEMA: Schema = Schema {
    content: "studies",
    table: "tune_studies",
    probe: "SELECT name, specification, trials, created_ms FROM tune_studies LIMIT 1",
    tables: &[
        "CREATE TABLE IF NOT EXISTS tune_studies (name TEXT PRIMARY KEY, specification TEXT NOT NULL, \
         trials BIGINT NOT NULL, created_ms BIGINT NOT NULL)",
        "CREATE TABLE IF NOT EXISTS tune_trials (study TEXT NOT NULL, number BIGINT NOT NULL, state TEXT NOT NULL, \
         parameters TEXT NOT NULL, value DOUBLE PRECISION, reason TEXT, owner TEXT, token BIGINT NOT NULL, \
         failures BIGINT NOT NULL, lost BIGINT NOT NULL, lease_until_ms BIGINT, started_ms BIGINT, finished_ms BIGINT, \
         PRIMARY KEY (study, number))",
        "CREATE TABLE IF NOT EXISTS tune_steps (study TEXT NOT NULL, number BIGINT NOT NULL, step BIGINT NOT NULL, \
         value DOUBLE PRECISION NOT NULL, PRIMARY KEY (study, number, step))",
    ],
};

/// All studies of a database.
#[derive(Debug, Clone)]
pub struct Studies {
    pub(super) pool: AnyPool,
    pub(super) dialect: Dialect,
    pub(super) leases: Leases,
}

impl Studies {
    /// Opens a database to begin studies: it and its tables are made if they are not there.
    ///
    /// # Errors
    /// [`StudyError::Foreign`] for what is not ours and is left as it is, [`StudyError::Location`] or
    /// [`StudyError::Database`]; none holds the password of a URL.
    pub async fn make(location: &Location) -> Result<Self, StudyError> {
        Self::connect(location, Access::Make).await
    }

    /// Opens a database of studies to change them. Nothing is made.
    ///
    /// # Errors
    /// As [`Studies::make`]; [`StudyError::Missing`] or [`StudyError::Empty`] where there are no studies.
    pub async fn open(location: &Location) -> Result<Self, StudyError> {
        Self::connect(location, Access::Change).await
    }

    /// Opens a database of studies to read them. Neither the database nor what lies next to its file is changed.
    ///
    /// # Errors
    /// As [`Studies::open`].
    pub async fn read(location: &Location) -> Result<Self, StudyError> {
        Self::connect(location, Access::Read).await
    }

    async fn connect(location: &Location, access: Access) -> Result<Self, StudyError> {
        let (pool, dialect) = database::connect(location, access, &SCHEMA).await?;
        let leases = Leases { pool: pool.clone(), dialect, table: "tune_trials", group: "study" };
        Ok(Self { pool, dialect, leases })
    }

    /// Begins a study, or joins the one of this name where it is the same; more trials than it had are added to it.
    ///
    /// # Errors
    /// [`StudyError::Differs`] where the name is taken by another study, [`StudyError::Name`], or the database's.
    pub async fn create(&self, name: &str, specification: &Specification, trials: u64) -> Result<Study, StudyError> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if name.is_empty() || name.len() > NAME_BYTES || !name.chars().all(plain) {
            return Err(StudyError::Name(name.to_owned()));
        }
        let text = specification.to_text()?;
        let now = self.dialect.now_ms();
        let sql = format!(
            "INSERT INTO tune_studies (name, specification, trials, created_ms) VALUES ($1, $2, $3, {now}) \
             ON CONFLICT (name) DO NOTHING"
        );
        let wanted = trials.min(MOST_TRIALS) as i64;
        retried(|| async {
            sqlx::query(AssertSqlSafe(sql.as_str()))
                .bind(name)
                .bind(text.as_str())
                .bind(wanted)
                .execute(&self.pool)
                .await
        })
        .await?;
        let study = self.study(name).await?;
        if let Some(what) = specification.difference(&study.specification) {
            return Err(StudyError::Differs { name: name.to_owned(), what });
        }
        if study.trials < trials {
            retried(|| async {
                sqlx::query("UPDATE tune_studies SET trials = $2 WHERE name = $1 AND trials < $2")
                    .bind(name)
                    .bind(wanted)
                    .execute(&self.pool)
                    .await
            })
            .await?;
        }
        self.study(name).await
    }

    /// One study.
    ///
    /// # Errors
    /// [`StudyError::Unknown`], or the database's.
    pub async fn study(&self, name: &str) -> Result<Study, StudyError> {
        let row = retried(|| async {
            sqlx::query("SELECT name, specification, trials, created_ms FROM tune_studies WHERE name = $1")
                .bind(name)
                .fetch_optional(&self.pool)
                .await
        })
        .await?;
        records::study_of(&row.ok_or_else(|| StudyError::Unknown(name.to_owned()))?)
    }

    /// All studies, the newest first.
    ///
    /// # Errors
    /// The database's.
    pub async fn list(&self) -> Result<Vec<Study>, StudyError> {
        let rows = retried(|| async {
            sqlx::query(
                "SELECT name, specification, trials, created_ms FROM tune_studies ORDER BY created_ms DESC, name",
            )
            .fetch_all(&self.pool)
            .await
        })
        .await?;
        rows.iter().map(records::study_of).collect()
    }

    /// A study's trials by number, with the values after each step.
    ///
    /// # Errors
    /// [`StudyError::Unknown`], or the database's.
    pub async fn trials(&self, name: &str) -> Result<Vec<Trial>, StudyError> {
        self.study(name).await?;
        self.trials_before(name, MOST_TRIALS).await
    }

    /// The trials with numbers below one.
    pub(super) async fn trials_before(&self, name: &str, number: u64) -> Result<Vec<Trial>, StudyError> {
        let sql = format!("SELECT {TRIAL_COLUMNS} FROM tune_trials WHERE study = $1 AND number < $2 ORDER BY number");
        let rows = retried(|| async {
            sqlx::query(AssertSqlSafe(sql.as_str())).bind(name).bind(number as i64).fetch_all(&self.pool).await
        })
        .await?;
        let steps = retried(|| async {
            sqlx::query(
                "SELECT number, step, value FROM tune_steps WHERE study = $1 AND number < $2 ORDER BY number, step",
            )
            .bind(name)
            .bind(number as i64)
            .fetch_all(&self.pool)
            .await
        })
        .await?;
        let mut curves: BTreeMap<i64, Vec<(u32, f64)>> = BTreeMap::new();
        for row in &steps {
            let step = u32::try_from(row.try_get::<i64, _>("step")?).unwrap_or(u32::MAX);
            curves.entry(row.try_get("number")?).or_default().push((step, row.try_get("value")?));
        }
        let mut trials = rows.iter().map(trial_of).collect::<Result<Vec<Trial>, _>>()?;
        for trial in &mut trials {
            trial.steps = curves.remove(&(trial.number as i64)).unwrap_or_default();
        }
        Ok(trials)
    }

    /// The complete trial with the least value, the earliest of several; none while there is none.
    ///
    /// # Errors
    /// The database's.
    pub async fn best(&self, name: &str) -> Result<Option<Trial>, StudyError> {
        let sql = format!(
            "SELECT {TRIAL_COLUMNS} FROM tune_trials WHERE study = $1 AND state = 'complete' \
             ORDER BY value, number LIMIT 1"
        );
        let row =
            retried(|| async { sqlx::query(AssertSqlSafe(sql.as_str())).bind(name).fetch_optional(&self.pool).await })
                .await?;
        row.as_ref().map(trial_of).transpose()
    }

    /// How far a study is.
    ///
    /// # Errors
    /// [`StudyError::Unknown`], or the database's.
    pub async fn progress(&self, name: &str) -> Result<Progress, StudyError> {
        let study = self.study(name).await?;
        let rows = retried(|| async {
            sqlx::query("SELECT state, COUNT(*) AS many FROM tune_trials WHERE study = $1 GROUP BY state")
                .bind(name)
                .fetch_all(&self.pool)
                .await
        })
        .await?;
        let mut counts = Counts::default();
        for row in &rows {
            let many = u64::try_from(row.try_get::<i64, _>("many")?).unwrap_or(0);
            *counts.of(TrialState::parse(row.try_get("state")?)?) = many;
        }
        let best = self.best(name).await?;
        Ok(Progress { trials: study.trials, counts, best })
    }

    /// Waits until a study's progress differs from what it was, and gives the new one; looks every so often.
    ///
    /// # Errors
    /// As [`Studies::progress`].
    pub async fn changed(&self, name: &str, from: Option<&Progress>, every: Duration) -> Result<Progress, StudyError> {
        loop {
            let now = self.progress(name).await?;
            if from != Some(&now) {
                return Ok(now);
            }
            tokio::time::sleep(every).await;
        }
    }

    /// Deletes a study with its trials.
    ///
    /// # Errors
    /// [`StudyError::Unknown`], or the database's.
    pub async fn delete(&self, name: &str) -> Result<(), StudyError> {
        self.study(name).await?;
        retried(|| async {
            let mut transaction = self.pool.begin_with(self.dialect.begin()).await?;
            for sql in [
                "DELETE FROM tune_steps WHERE study = $1",
                "DELETE FROM tune_trials WHERE study = $1",
                "DELETE FROM tune_studies WHERE name = $1",
            ] {
                sqlx::query(sql).bind(name).execute(&mut *transaction).await?;
            }
            transaction.commit().await
        })
        .await?;
        Ok(())
    }

    /// Closes all connections.
    pub async fn close(&self) {
        self.pool.close().await;
    }
}
