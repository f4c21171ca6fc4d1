//! Opening a database, and what differs between the two.

use super::error::DatabaseError;
use super::file::{APPLICATION, Found, look};
use super::location::Location;
use super::schema::Schema;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Connection, Row};
use std::path::Path;
use std::time::{Duration, Instant};

/// How long another process may hold a lock.
const PATIENCE: Duration = Duration::from_secs(60);
/// Connections of one process: to a file, and to a server, which has few for all.
const CONNECTIONS: (u32, u32) = (4, 2);
/// How long a connection is kept that nobody uses: a server has fewer to give than there may be workers in long trainings.
const IDLE: Duration = Duration::from_secs(60);

/// Where the databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite, which has one writer at a time.
    Sqlite,
    /// PostgreSQL.
    Postgres,
}

impl Dialect {
    /// The database's time, in milliseconds since 1970.
    #[must_use]
    pub fn now_ms(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// What lets claims pass each other. SQLite has one writer at a time anyway.
    #[must_use]
    pub fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// A transaction that will write: SQLite must know at once, or two readers that want to write block each other.
    #[must_use]
    pub fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}

/// What a database is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// To read what is there. Nothing is changed, neither the database nor what lies next to its file.
    Read,
    /// To change what is there.
    Change,
    /// To begin something: the database and its tables are made if they are not there.
    Make,
}

/// Opens a database.
///
/// # Errors
/// [`DatabaseError::Foreign`] for what is not ours and is left as it is, [`DatabaseError::Missing`] or [`DatabaseError::Empty`]
/// where nothing is to be made, else what the database says; none holds the password of a URL.
pub async fn connect(
    location: &Location,
    access: Access,
    schema: &Schema,
) -> Result<(AnyPool, Dialect), DatabaseError> {
    sqlx::any::install_default_drivers();
    // Whoever comes first chooses it for the process; all of ours choose this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let (dialect, url) = match location {
        Location::File(path) => (Dialect::Sqlite, location.url(open_file(location, path, access, schema).await?)?),
        Location::Postgres(_) => (Dialect::Postgres, location.url("")?),
    };
    // A pool would wait for a server that is not there, and for a file that cannot be written: whoever named them need not.
    let mut first = first_connection(&url).await?;
    set_up(&mut first, dialect, access).await?;
    if access != Access::Make && dialect == Dialect::Postgres {
        let there = sqlx::query("SELECT to_regclass($1) IS NOT NULL AS there");
        let there = there.bind(schema.table).fetch_one(&mut first).await?;
        if !there.try_get::<bool, _>("there")? {
            return Err(DatabaseError::Empty);
        }
    }
    first.close().await?;
    let pool = AnyPoolOptions::new()
        .max_connections(if dialect == Dialect::Sqlite { CONNECTIONS.0 } else { CONNECTIONS.1 })
        .acquire_timeout(PATIENCE)
        .idle_timeout(IDLE)
        .after_connect(move |connection, _| Box::pin(set_up(connection, dialect, access)))
        .connect_lazy(&url)?;
    if access == Access::Make {
        // All of it or nothing: whoever looks at the file meanwhile finds studies or an empty database.
        retried(|| async {
            let mut transaction = pool.begin_with(dialect.begin()).await?;
            for table in schema.tables {
                sqlx::query(*table).execute(&mut *transaction).await?;
            }
            if dialect == Dialect::Sqlite {
                mark(&mut transaction).await?;
            }
            transaction.commit().await
        })
        .await?;
    }
    Ok((pool, dialect))
}

/// Connects, and waits where the server has no connection to give: others hand theirs back.
async fn first_connection(url: &str) -> Result<AnyConnection, sqlx::Error> {
    let (began, mut delay) = (Instant::now(), Duration::from_millis(100));
    loop {
        match AnyConnection::connect(url).await {
            Err(e) if began.elapsed() < PATIENCE && is_crowded(&e) => {
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(Duration::from_secs(5));
            }
            connected => return connected,
        }
    }
}

/// Whether a server refuses a connection because it has as many as it may.
fn is_crowded(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(|error| error.code()).is_some_and(|code| code == "53300")
}

/// Marks a file that no program has marked as ours.
async fn mark(connection: &mut AnyConnection) -> Result<(), sqlx::Error> {
    let row = sqlx::query("PRAGMA application_id").fetch_one(&mut *connection).await?;
    if row.try_get::<i64, _>(0)? == 0 {
        sqlx::query(AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION}"))).execute(connection).await?;
    }
    Ok(())
}

/// How a SQLite file is to be opened, where what lies there allows it.
async fn open_file(
    location: &Location,
    path: &Path,
    access: Access,
    schema: &Schema,
) -> Result<&'static str, DatabaseError> {
    const CHANGE: &str = "mode=rw";
    match (look(path, schema).await?, access) {
        (Found::Foreign(reason), _) => Err(DatabaseError::Foreign(reason)),
        (Found::Ours, Access::Make) => Ok(CHANGE),
        (Found::Missing | Found::Empty, Access::Make) => {
            let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
            if folder.is_dir() {
                Ok("mode=rwc")
            } else {
                Err(DatabaseError::Location(format!("{}: there is no such folder", folder.display())))
            }
        }
        (Found::Missing, _) => Err(DatabaseError::Missing),
        (Found::Empty, _) => Err(DatabaseError::Empty),
        (Found::Ours, Access::Change) => Ok(CHANGE),
        // By a connection that may write, since only such a one removes what SQLite puts next to the file.
        (Found::Ours, Access::Read) => {
            Ok(if can_be_opened(&location.url(CHANGE)?, schema).await { CHANGE } else { "mode=ro&immutable=true" })
        }
    }
}

/// Whether SQLite can put next to a file what it needs to open it: it cannot on a medium that is only read.
async fn can_be_opened(url: &str, schema: &Schema) -> bool {
    let Ok(mut connection) = AnyConnection::connect(url).await else { return false };
    let read = sqlx::query(schema.probe).fetch_optional(&mut connection).await;
    let busy = read.as_ref().is_err_and(passing);
    let _ = connection.close().await;
    read.is_ok() || busy
}

/// Sets a new connection up.
async fn set_up(connection: &mut AnyConnection, dialect: Dialect, access: Access) -> Result<(), sqlx::Error> {
    let settings: &[&'static str] = match (dialect, access) {
        (Dialect::Sqlite, Access::Read) => &["PRAGMA busy_timeout = 60000", "PRAGMA query_only = ON"],
        (Dialect::Sqlite, Access::Change | Access::Make) => {
            // The first look opens the log, for which a disk may have no room: a pool would wait for that.
            &[
                "PRAGMA busy_timeout = 60000",
                "PRAGMA journal_mode = WAL",
                "PRAGMA synchronous = FULL",
                "SELECT count(*) FROM sqlite_master",
            ]
        }
        (Dialect::Postgres, Access::Read) => &["SET default_transaction_read_only = on"],
        (Dialect::Postgres, Access::Change | Access::Make) => &[],
    };
    for setting in settings {
        // The switch to a write-ahead log does not wait for others as all else does.
        let began = Instant::now();
        while let Err(e) = sqlx::query(*setting).execute(&mut *connection).await {
            if !passing(&e) || began.elapsed() > PATIENCE {
                return Err(e);
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
    Ok(())
}

/// Whether trying again may help: another process holds a lock, or made the same table at the same time.
fn passing(error: &sqlx::Error) -> bool {
    let Some(error) = error.as_database_error() else { return false };
    let code = error.code().unwrap_or_default();
    // PostgreSQL's codes have five characters. SQLite's extended codes, all below 10,000, keep the primary one in their
    // lowest byte: 5 is busy, 6 is locked.
    let sqlite = code.len() < 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6));
    let postgres = matches!(code.as_ref(), "40001" | "40P01" | "55P03") || error.message().contains("pg_type_typname");
    sqlite || postgres
}

/// Does something in the database, again while a lock is in the way.
///
/// # Errors
/// The database's.
pub async fn retried<T, F>(mut work: impl FnMut() -> F) -> Result<T, sqlx::Error>
where
    F: Future<Output = Result<T, sqlx::Error>>,
{
    let began = Instant::now();
    let mut delay = Duration::from_millis(5);
    loop {
        match work().await {
            Err(e) if passing(&e) && began.elapsed() < PATIENCE => {
                tokio::time::sleep(delay).await;
                delay = (delay * 2).min(Duration::from_millis(200));
            }
            result => return result,
        }
    }
}
