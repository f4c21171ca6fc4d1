//! Leases on the rows of a table, which any number of workers share: a study's trials, a batch's tasks.
//!
//! A row is claimed with a lease, which its worker renews while it works, and a token, which every claim raises: what is
//! reported under an old token changes nothing. A row whose lease has run out is claimed again. All times are the database's,
//! so that machines need not agree on theirs.
//!
//! A table of such rows has the columns `number`, `state` (`waiting`, `running`, `failed`, and whatever else ends a row),
//! `owner`, `token`, `failures`, `lost`, `lease_until_ms`, `started_ms`, `finished_ms` and `reason`, and one that names the group.

use crate::database::{Dialect, retried};
use sqlx::any::AnyRow;
use sqlx::{AnyPool, AssertSqlSafe, Row};
use std::time::Duration;

/// How long a row stays with a silent worker by default.
pub const LEASE: Duration = Duration::from_secs(30);
/// Times a row may fail before it counts as failed.
pub const MOST_FAILURES: i64 = 2;
/// Times a row's worker may vanish before the row counts as failed: it may be what kills them.
pub const MOST_LOST: i64 = 10;
/// Longest reason kept, in characters.
const REASON: usize = 2_000;

/// A query that is being put together.
pub type Query<'q> = sqlx::query::Query<'q, sqlx::Any, sqlx::any::AnyArguments>;

/// The rows of a table, with what it takes to claim them.
#[derive(Debug, Clone)]
pub struct Leases {
    /// Connections.
    pub pool: AnyPool,
    /// Which database it is.
    pub dialect: Dialect,
    /// The table.
    pub table: &'static str,
    /// The column that names a row's group: a study, a batch.
    pub group: &'static str,
}

/// A row in one worker's hands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Held<'a> {
    /// The group.
    pub group: &'a str,
    /// The row's number.
    pub number: i64,
    /// By which the database knows this claim from earlier and later ones.
    pub token: i64,
}

impl Leases {
    /// Claims the first row of a group that nobody works on, and gives its columns; none where there is none. Rows to
    /// [bury](Self::bury) are left. `only` is a column with the values that it may have.
    ///
    /// # Errors
    /// The database's.
    pub async fn claim(
        &self,
        group: &str,
        owner: &str,
        lease: Duration,
        columns: &str,
        only: Option<(&str, &[String])>,
    ) -> Result<Option<AnyRow>, sqlx::Error> {
        let (now, skip) = (self.dialect.now_ms(), self.dialect.skip_locked());
        let Self { table, group: of, .. } = self;
        let (filter, values) = match only {
            Some((column, values)) => {
                let places: Vec<String> = (0..values.len()).map(|i| format!("${}", i + 4)).collect();
                (format!("AND {column} IN ({})", places.join(", ")), values)
            }
            None => (String::new(), &[][..]),
        };
        // One statement, so that no other worker comes between looking and taking.
        let sql = format!(
            "UPDATE {table} SET lost = lost + CASE WHEN state = 'running' THEN 1 ELSE 0 END, state = 'running', \
             owner = $2, token = token + 1, lease_until_ms = {now} + $3, started_ms = {now} \
             WHERE {of} = $1 AND number = (SELECT number FROM {table} WHERE {of} = $1 AND \
             state IN ('waiting', 'running') AND (state = 'waiting' OR lease_until_ms < {now} AND lost < {MOST_LOST}) {filter} \
             ORDER BY number LIMIT 1 {skip}) RETURNING {columns}"
        );
        let lease_ms = lease.as_millis() as i64;
        retried(|| async {
            let query = sqlx::query(AssertSqlSafe(sql.as_str()));
            let mut query = query.bind(group.to_owned()).bind(owner.to_owned()).bind(lease_ms);
            for value in values {
                query = query.bind(value.clone());
            }
            query.fetch_optional(&self.pool).await
        })
        .await
    }

    /// Gives up on rows of a group whose workers vanish again and again.
    ///
    /// # Errors
    /// The database's.
    pub async fn bury(&self, group: &str) -> Result<(), sqlx::Error> {
        let now = self.dialect.now_ms();
        let sql = format!(
            "UPDATE {} SET state = 'failed', token = token + 1, lease_until_ms = NULL, finished_ms = {now}, \
             reason = $3 WHERE {} = $1 AND state = 'running' AND lease_until_ms < {now} AND lost >= $2",
            self.table, self.group
        );
        let reason = format!("its worker vanished {} times", MOST_LOST + 1);
        retried(|| async {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(group).bind(MOST_LOST).bind(reason.as_str());
            query.execute(&self.pool).await
        })
        .await?;
        Ok(())
    }

    /// Renews a claim's lease. False where the row is no longer in this worker's hands.
    ///
    /// # Errors
    /// The database's.
    pub async fn renew(&self, held: &Held<'_>, lease: Duration) -> Result<bool, sqlx::Error> {
        let sql = format!("lease_until_ms = {} + $4", self.dialect.now_ms());
        self.settle(held, &sql, |query| query.bind(lease.as_millis() as i64)).await
    }

    /// Hands a row back for others. False where it is no longer in this worker's hands.
    ///
    /// # Errors
    /// The database's.
    pub async fn release(&self, held: &Held<'_>) -> Result<bool, sqlx::Error> {
        self.settle(held, "state = 'waiting', lease_until_ms = NULL, owner = NULL", |query| query).await
    }

    /// Keeps that the work on a row failed: it is for others again, or failed for good after so many times.
    ///
    /// # Errors
    /// The database's.
    pub async fn fail(&self, held: &Held<'_>, reason: &str) -> Result<bool, sqlx::Error> {
        let now = self.dialect.now_ms();
        let sql = format!(
            "failures = failures + 1, reason = $4, lease_until_ms = NULL, \
             state = CASE WHEN failures + 1 >= $5 THEN 'failed' ELSE 'waiting' END, \
             finished_ms = CASE WHEN failures + 1 >= $5 THEN {now} ELSE NULL END"
        );
        let reason = kept_reason(reason);
        self.settle(held, &sql, |query| query.bind(reason.clone()).bind(MOST_FAILURES)).await
    }

    /// Changes a claimed row, unless another has claimed it since; false where one has.
    ///
    /// # Errors
    /// The database's.
    pub async fn settle(
        &self,
        held: &Held<'_>,
        change: &str,
        bind: impl Fn(Query<'_>) -> Query<'_>,
    ) -> Result<bool, sqlx::Error> {
        let sql = format!(
            "UPDATE {} SET {change} WHERE {} = $1 AND number = $2 AND token = $3 AND state = 'running'",
            self.table, self.group
        );
        let result = retried(|| async {
            let query = sqlx::query(AssertSqlSafe(sql.as_str()));
            let query = query.bind(held.group.to_owned()).bind(held.number).bind(held.token);
            bind(query).execute(&self.pool).await
        })
        .await?;
        Ok(result.rows_affected() == 1)
    }

    /// Whether a claim still stands.
    ///
    /// # Errors
    /// The database's.
    pub async fn holds(&self, held: &Held<'_>) -> Result<bool, sqlx::Error> {
        let sql = format!(
            "SELECT COUNT(*) AS many FROM {} WHERE {} = $1 AND number = $2 AND token = $3 AND state = 'running'",
            self.table, self.group
        );
        let row = retried(|| async {
            let query = sqlx::query(AssertSqlSafe(sql.as_str())).bind(held.group.to_owned());
            query.bind(held.number).bind(held.token).fetch_one(&self.pool).await
        })
        .await?;
        Ok(row.try_get::<i64, _>("many")? == 1)
    }
}

/// A reason as it is kept: cut to what is kept, and without what a database refuses.
#[must_use]
pub fn kept_reason(reason: &str) -> String {
    reason.chars().filter(|c| *c != '\0').take(REASON).collect()
}
