//! Tasks in a database: SQLite for one machine, PostgreSQL for several, with the leases of studies.

use super::error::QueueError;
use super::record::{Asking, Claim, Entry, Next, Outcome, Queue, Row, State, WorkerRow};
use async_trait::async_trait;
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row as _};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use tune::database::{Access, Dialect, Location, Schema, connect, retried};
use tune::leases::{Held, Leases};

/// Rows that one statement enters.
const AT_ONCE: usize = 200;

const SCHEMA: Schema = Schema {
    content: "batches",
    table: "batch_tasks",
    probe: "SELECT batch, number, id, label, result FROM batch_tasks LIMIT 1",
    tables: &[
        "CREATE TABLE IF NOT EXISTS batch_tasks (batch TEXT NOT NULL, number BIGINT NOT NULL, id TEXT NOT NULL, \
         label TEXT NOT NULL, state TEXT NOT NULL, owner TEXT, token BIGINT NOT NULL, failures BIGINT NOT NULL, \
         lost BIGINT NOT NULL, lease_until_ms BIGINT, started_ms BIGINT, finished_ms BIGINT, reason TEXT, \
         checkpoint TEXT, result TEXT, PRIMARY KEY (batch, number))",
        // What is finished is not looked at when a task is claimed.
        "CREATE INDEX IF NOT EXISTS batch_tasks_open ON batch_tasks (batch, number) WHERE state IN ('waiting', 'running')",
        "CREATE TABLE IF NOT EXISTS batch_workers (batch TEXT NOT NULL, owner TEXT NOT NULL, seen_ms BIGINT NOT NULL, \
         task TEXT, PRIMARY KEY (batch, owner))",
        // A table of its own, so that what was made before it is used on.
        "CREATE TABLE IF NOT EXISTS batch_registrations (batch TEXT NOT NULL, owner TEXT NOT NULL, since_ms BIGINT NOT NULL, \
         PRIMARY KEY (batch, owner))",
    ],
};

const COLUMNS: &str =
    "number, id, state, owner, token, failures, lost, lease_until_ms, started_ms, finished_ms, reason";

/// The tasks of a batch in a database.
#[derive(Debug, Clone)]
pub struct SqlQueue {
    batch: String,
    place: String,
    pool: AnyPool,
    dialect: Dialect,
    leases: Leases,
}

impl SqlQueue {
    /// Opens the database of a batch; it and its tables are made where they are not there.
    ///
    /// # Errors
    /// [`QueueError::Open`].
    pub async fn make(location: &Location, batch: &str) -> Result<Self, QueueError> {
        Self::connect(location, batch, Access::Make).await
    }

    /// Opens the database of a batch that is there.
    ///
    /// # Errors
    /// [`QueueError::Open`].
    pub async fn open(location: &Location, batch: &str) -> Result<Self, QueueError> {
        Self::connect(location, batch, Access::Change).await
    }

    /// Opens the database of a batch to look at it only.
    ///
    /// # Errors
    /// [`QueueError::Open`].
    pub async fn read(location: &Location, batch: &str) -> Result<Self, QueueError> {
        Self::connect(location, batch, Access::Read).await
    }

    async fn connect(location: &Location, batch: &str, access: Access) -> Result<Self, QueueError> {
        let place = location.to_string();
        let opened = connect(location, access, &SCHEMA).await;
        let (pool, dialect) = opened.map_err(|source| QueueError::Open { place: place.clone(), source })?;
        let leases = Leases { pool: pool.clone(), dialect, table: "batch_tasks", group: "batch" };
        Ok(Self { batch: batch.to_owned(), place, pool, dialect, leases })
    }

    fn failed(&self, source: sqlx::Error) -> QueueError {
        QueueError::Sql { place: self.place.clone(), source }
    }

    fn held(&self, claim: &Claim) -> Held<'_> {
        Held { group: &self.batch, number: claim.number as i64, token: claim.token }
    }

    fn state(&self, text: &str) -> Result<State, QueueError> {
        Ok(match text {
            "waiting" => State::Pending,
            "running" => State::Running,
            "done" => State::Done,
            "failed" => State::Failed,
            "cancelled" => State::Cancelled,
            other => {
                let what = format!("a task in the state `{other}`");
                return Err(QueueError::Garbled { place: self.place.clone(), what });
            }
        })
    }

    fn row(&self, row: &AnyRow) -> Result<Row, QueueError> {
        let read = || -> Result<(Row, String), sqlx::Error> {
            let count = |column: &str| row.try_get::<i64, _>(column).map(|n| u64::try_from(n).unwrap_or(0));
            let silent = row.try_get::<i64, _>("silent")? != 0;
            let found = Row {
                number: count("number")?,
                id: row.try_get("id")?,
                state: State::Pending,
                owner: row.try_get("owner")?,
                silent,
                claims: count("token")?,
                failures: count("failures")?,
                lost: count("lost")?,
                started_ms: row.try_get("started_ms")?,
                finished_ms: row.try_get("finished_ms")?,
                reason: row.try_get("reason")?,
            };
            Ok((found, row.try_get("state")?))
        };
        let (found, state) = read().map_err(|e| self.failed(e))?;
        Ok(Row { state: self.state(&state)?, ..found })
    }

    /// Changes tasks by name where they are in some state; the names of those that were changed.
    async fn change(&self, ids: &[String], change: &str, condition: &str) -> Result<Vec<String>, QueueError> {
        let mut changed = Vec::new();
        for ids in ids.chunks(AT_ONCE) {
            let places: Vec<String> = (0..ids.len()).map(|i| format!("${}", i + 2)).collect();
            let sql = format!(
                "UPDATE batch_tasks SET {change} WHERE batch = $1 AND id IN ({}) AND {condition} RETURNING id",
                places.join(", ")
            );
            let rows = retried(|| async {
                let mut query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.batch.clone());
                for id in ids {
                    query = query.bind(id.clone());
                }
                query.fetch_all(&self.pool).await
            });
            let rows = rows.await.map_err(|e| self.failed(e))?;
            changed.extend(rows.iter().filter_map(|row| row.try_get::<String, _>("id").ok()));
        }
        Ok(changed)
    }

    /// When workers registered, by owner; none where the database was made before that was kept, and is only looked at.
    async fn registrations(&self) -> Result<BTreeMap<String, i64>, QueueError> {
        let rows = retried(|| async {
            let sql = "SELECT owner, since_ms FROM batch_registrations WHERE batch = $1";
            sqlx::query(sql).bind(self.batch.clone()).fetch_all(&self.pool).await
        });
        match rows.await {
            Ok(rows) => {
                let read = |row: &AnyRow| Ok((row.try_get("owner")?, row.try_get("since_ms")?));
                rows.iter().map(|row| read(row).map_err(|e: sqlx::Error| self.failed(e))).collect()
            }
            Err(sqlx::Error::Database(e)) if e.message().contains("batch_registrations") => Ok(BTreeMap::new()),
            Err(e) => Err(self.failed(e)),
        }
    }

    /// Tasks of some labels that are not finished.
    async fn open_tasks(&self, only: &[String]) -> Result<i64, QueueError> {
        let places: Vec<String> = (0..only.len()).map(|i| format!("${}", i + 2)).collect();
        let filter = if only.is_empty() { String::new() } else { format!("AND label IN ({})", places.join(", ")) };
        let sql = format!(
            "SELECT COUNT(*) AS many FROM batch_tasks WHERE batch = $1 AND state IN ('waiting', 'running') {filter}"
        );
        let row = retried(|| async {
            let mut query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.batch.clone());
            for label in only {
                query = query.bind(label.clone());
            }
            query.fetch_one(&self.pool).await
        });
        row.await.and_then(|row| row.try_get("many")).map_err(|e| self.failed(e))
    }
}

#[async_trait]
impl Queue for SqlQueue {
    fn place(&self) -> String {
        self.place.clone()
    }

    async fn enter(&self, entries: &[Entry]) -> Result<(), QueueError> {
        let known = retried(|| async {
            let query = sqlx::query("SELECT number FROM batch_tasks WHERE batch = $1").bind(self.batch.clone());
            query.fetch_all(&self.pool).await
        });
        let known = known.await.map_err(|e| self.failed(e))?;
        let known: BTreeSet<i64> = known.iter().filter_map(|row| row.try_get("number").ok()).collect();
        let new: Vec<&Entry> = entries.iter().filter(|entry| !known.contains(&(entry.number as i64))).collect();
        if new.is_empty() {
            return Ok(());
        }
        let enter = || async {
            let mut transaction = self.pool.begin_with(self.dialect.begin()).await?;
            for entries in new.chunks(AT_ONCE) {
                let places: Vec<String> = (0..entries.len())
                    .map(|i| format!("($1, ${}, ${}, ${}, 'waiting', 0, 0, 0)", 3 * i + 2, 3 * i + 3, 3 * i + 4))
                    .collect();
                let sql = format!(
                    "INSERT INTO batch_tasks (batch, number, id, label, state, token, failures, lost) VALUES {} \
                     ON CONFLICT (batch, number) DO NOTHING",
                    places.join(", ")
                );
                let mut query = sqlx::query(AssertSqlSafe(sql)).bind(self.batch.clone());
                for entry in entries {
                    query = query.bind(entry.number as i64).bind(entry.id.clone()).bind(entry.label.clone());
                }
                query.execute(&mut *transaction).await?;
            }
            transaction.commit().await
        };
        retried(enter).await.map_err(|e| self.failed(e))
    }

    async fn next(&self, asking: &Asking<'_>) -> Result<Next, QueueError> {
        let only = (!asking.only.is_empty()).then_some(("label", asking.only));
        let columns = "number, id, token, checkpoint";
        let row = self.leases.claim(&self.batch, asking.owner, asking.lease, columns, only).await;
        let Some(row) = row.map_err(|e| self.failed(e))? else {
            // Only now: it looks at every open task.
            self.leases.bury(&self.batch).await.map_err(|e| self.failed(e))?;
            return Ok(if self.open_tasks(asking.only).await? > 0 { Next::Wait } else { Next::Done });
        };
        let read = || -> Result<Claim, sqlx::Error> {
            Ok(Claim {
                number: u64::try_from(row.try_get::<i64, _>("number")?).unwrap_or(0),
                id: row.try_get("id")?,
                checkpoint: row.try_get("checkpoint")?,
                token: row.try_get("token")?,
            })
        };
        read().map(Next::Task).map_err(|e| self.failed(e))
    }

    async fn renew(&self, claim: &Claim, lease: Duration) -> Result<bool, QueueError> {
        self.leases.renew(&self.held(claim), lease).await.map_err(|e| self.failed(e))
    }

    async fn keep(&self, claim: &Claim, checkpoint: &str) -> Result<bool, QueueError> {
        let held = self.held(claim);
        let kept = self.leases.settle(&held, "checkpoint = $4", |query| query.bind(checkpoint.to_owned()));
        kept.await.map_err(|e| self.failed(e))
    }

    async fn release(&self, claim: &Claim) -> Result<bool, QueueError> {
        self.leases.release(&self.held(claim)).await.map_err(|e| self.failed(e))
    }

    async fn finish(&self, claim: &Claim, outcome: &Outcome) -> Result<bool, QueueError> {
        let held = self.held(claim);
        let finished = match outcome {
            Outcome::Failed(reason) => self.leases.fail(&held, reason).await,
            Outcome::Done(result) => {
                let now = self.dialect.now_ms();
                let done = format!(
                    "state = 'done', result = $4, checkpoint = NULL, lease_until_ms = NULL, finished_ms = {now}"
                );
                self.leases.settle(&held, &done, |query| query.bind(result.clone())).await
            }
        };
        finished.map_err(|e| self.failed(e))
    }

    async fn rows(&self) -> Result<Vec<Row>, QueueError> {
        let now = self.dialect.now_ms();
        let sql = format!(
            "SELECT {COLUMNS}, CAST(CASE WHEN state = 'running' AND lease_until_ms < {now} THEN 1 ELSE 0 END AS BIGINT) \
             AS silent FROM batch_tasks WHERE batch = $1 ORDER BY number"
        );
        let rows = retried(|| async {
            sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.batch.clone()).fetch_all(&self.pool).await
        });
        rows.await.map_err(|e| self.failed(e))?.iter().map(|row| self.row(row)).collect()
    }

    async fn results(&self) -> Result<Vec<(String, String)>, QueueError> {
        let rows = retried(|| async {
            let sql = "SELECT id, result FROM batch_tasks WHERE batch = $1 AND state = 'done' ORDER BY number";
            sqlx::query(sql).bind(self.batch.clone()).fetch_all(&self.pool).await
        });
        let rows = rows.await.map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<(String, String), sqlx::Error> {
            Ok((row.try_get("id")?, row.try_get("result")?))
        };
        rows.iter().map(|row| read(row).map_err(|e| self.failed(e))).collect()
    }

    async fn checkpoints(&self) -> Result<Vec<(String, String)>, QueueError> {
        let rows = retried(|| async {
            let sql = "SELECT id, checkpoint FROM batch_tasks WHERE batch = $1 AND state = 'running' AND checkpoint IS NOT NULL \
                       ORDER BY number";
            sqlx::query(sql).bind(self.batch.clone()).fetch_all(&self.pool).await
        });
        let rows = rows.await.map_err(|e| self.failed(e))?;
        let read = |row: &AnyRow| -> Result<(String, String), sqlx::Error> {
            Ok((row.try_get("id")?, row.try_get("checkpoint")?))
        };
        rows.iter().map(|row| read(row).map_err(|e| self.failed(e))).collect()
    }

    async fn reset(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let change = "state = 'waiting', token = token + 1, failures = 0, lost = 0, owner = NULL, finished_ms = NULL";
        self.change(ids, change, "state IN ('failed', 'cancelled')").await
    }

    async fn cancel(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let now = self.dialect.now_ms();
        let change = format!("state = 'cancelled', token = token + 1, lease_until_ms = NULL, finished_ms = {now}");
        self.change(ids, &change, "state IN ('waiting', 'running')").await
    }

    async fn free(&self, ids: &[String]) -> Result<Vec<String>, QueueError> {
        let change = "state = 'waiting', token = token + 1, lost = lost + 1, lease_until_ms = NULL, owner = NULL";
        self.change(ids, change, "state = 'running'").await
    }

    async fn seen(&self, owner: &str, task: Option<&str>) -> Result<(), QueueError> {
        let now = self.dialect.now_ms();
        let sql = format!(
            "INSERT INTO batch_workers (batch, owner, seen_ms, task) VALUES ($1, $2, {now}, $3) \
             ON CONFLICT (batch, owner) DO UPDATE SET seen_ms = excluded.seen_ms, task = excluded.task"
        );
        let done = retried(|| async {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.batch.clone()).bind(owner.to_owned());
            query.bind(task.map(str::to_owned)).execute(&self.pool).await
        });
        done.await.map_err(|e| self.failed(e))?;
        // A worker registers when it is first seen without a task.
        if task.is_some() {
            return Ok(());
        }
        let sql = format!(
            "INSERT INTO batch_registrations (batch, owner, since_ms) VALUES ($1, $2, {now}) ON CONFLICT (batch, owner) DO NOTHING"
        );
        let done = retried(|| async {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.batch.clone()).bind(owner.to_owned());
            query.execute(&self.pool).await
        });
        done.await.map(drop).map_err(|e| self.failed(e))
    }

    async fn gone(&self, owner: &str) -> Result<(), QueueError> {
        for sql in [
            "DELETE FROM batch_workers WHERE batch = $1 AND owner = $2",
            "DELETE FROM batch_registrations WHERE batch = $1 AND owner = $2",
        ] {
            let done = retried(|| async {
                sqlx::query(sql).bind(self.batch.clone()).bind(owner.to_owned()).execute(&self.pool).await
            });
            done.await.map_err(|e| self.failed(e))?;
        }
        Ok(())
    }

    async fn workers(&self) -> Result<Vec<WorkerRow>, QueueError> {
        let now = self.dialect.now_ms();
        let sql = format!(
            "SELECT owner, seen_ms, task, CAST(({now} - seen_ms) / 1000 AS BIGINT) AS silent_s \
             FROM batch_workers WHERE batch = $1 ORDER BY owner"
        );
        let rows = retried(|| async {
            sqlx::query(AssertSqlSafe(sql.as_str())).bind(self.batch.clone()).fetch_all(&self.pool).await
        });
        let rows = rows.await.map_err(|e| self.failed(e))?;
        let since = self.registrations().await?;
        let read = |row: &AnyRow| -> Result<WorkerRow, sqlx::Error> {
            let owner: String = row.try_get("owner")?;
            Ok(WorkerRow {
                since_ms: since.get(&owner).copied(),
                owner,
                seen_ms: row.try_get("seen_ms")?,
                silent_s: row.try_get("silent_s")?,
                task: row.try_get("task")?,
            })
        };
        rows.iter().map(|row| read(row).map_err(|e| self.failed(e))).collect()
    }

    async fn close(&self) {
        self.pool.close().await;
    }
}
