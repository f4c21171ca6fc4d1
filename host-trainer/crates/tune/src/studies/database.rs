//! The two databases behind one code path.

use super::error::StudyError;
use sqlx::any::AnyPoolOptions;
use sqlx::{AnyConnection, AnyPool, Connection};
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use url::Url;

/// How long another process may hold a lock.
const PATIENCE: Duration = Duration::from_secs(60);
const CONNECTIONS: u32 = 4;

/// Where studies are kept.
#[derive(Clone, PartialEq, Eq)]
pub enum Location {
    /// A SQLite file.
    File(PathBuf),
    /// A PostgreSQL database, by its URL.
    Postgres(Url),
}

impl Location {
    /// A location from what a user says: a `postgres://` URL, else a path.
    ///
    /// # Errors
    /// A sentence, without the URL, which may hold a password.
    pub fn parse(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            return Ok(Self::File(PathBuf::from(path.strip_prefix("//").unwrap_or(path))));
        }
        match text.split_once("://") {
            Some(("postgres" | "postgresql", _)) => {
                Url::parse(text).map(Self::Postgres).map_err(|e| format!("the database's URL is malformed: {e}"))
            }
            Some((scheme, _)) => Err(format!("studies are kept in a file or in postgres://, not in {scheme}://")),
            None => Ok(Self::File(PathBuf::from(text))),
        }
    }

    /// Whether a password stands in it.
    #[must_use]
    pub fn holds_password(&self) -> bool {
        matches!(self, Self::Postgres(url) if url.password().is_some())
    }

    fn url(&self) -> Result<String, StudyError> {
        match self {
            Self::Postgres(url) => Ok(url.to_string()),
            Self::File(path) => {
                let absolute =
                    std::path::absolute(path).map_err(|e| StudyError::Location(format!("{}: {e}", path.display())))?;
                let url = Url::from_file_path(&absolute)
                    .map_err(|()| StudyError::Location(format!("{} is no path for a database", path.display())))?;
                Ok(format!("sqlite://{}?mode=rwc", url.path()))
            }
        }
    }
}

/// Without the password.
impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Postgres(url) => {
                let host = url.host_str().unwrap_or("localhost");
                let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
                write!(f, "postgres://{host}{port}{}", url.path())
            }
        }
    }
}

impl fmt::Debug for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Location({self})")
    }
}

/// Where the databases differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    /// The database's time, in milliseconds since 1970.
    pub(super) fn now_ms(self) -> &'static str {
        match self {
            Self::Sqlite => "CAST((julianday('now') - 2440587.5) * 86400000 AS INTEGER)",
            Self::Postgres => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// What lets claims pass each other. SQLite has one writer at a time anyway.
    pub(super) fn skip_locked(self) -> &'static str {
        match self {
            Self::Sqlite => "",
            Self::Postgres => "FOR UPDATE SKIP LOCKED",
        }
    }

    /// A transaction that will write: SQLite must know at once, or two readers that want to write block each other.
    pub(super) fn begin(self) -> &'static str {
        match self {
            Self::Sqlite => "BEGIN IMMEDIATE",
            Self::Postgres => "BEGIN",
        }
    }
}

const TABLES: [&str; 3] = [
    "CREATE TABLE IF NOT EXISTS tune_studies (name TEXT PRIMARY KEY, specification TEXT NOT NULL, \
     trials BIGINT NOT NULL, created_ms BIGINT NOT NULL)",
    "CREATE TABLE IF NOT EXISTS tune_trials (study TEXT NOT NULL, number BIGINT NOT NULL, state TEXT NOT NULL, \
     parameters TEXT NOT NULL, value DOUBLE PRECISION, reason TEXT, owner TEXT, token BIGINT NOT NULL, \
     failures BIGINT NOT NULL, lost BIGINT NOT NULL, lease_until_ms BIGINT, started_ms BIGINT, finished_ms BIGINT, \
     PRIMARY KEY (study, number))",
    "CREATE TABLE IF NOT EXISTS tune_steps (study TEXT NOT NULL, number BIGINT NOT NULL, step BIGINT NOT NULL, \
     value DOUBLE PRECISION NOT NULL, PRIMARY KEY (study, number, step))",
];

pub(super) async fn connect(location: &Location) -> Result<(AnyPool, Dialect), StudyError> {
    sqlx::any::install_default_drivers();
    // Whoever comes first chooses it for the process; all of ours choose this one.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let dialect = match location {
        Location::File(_) => Dialect::Sqlite,
        Location::Postgres(_) => Dialect::Postgres,
    };
    if let Location::File(path) = location {
        let folder = path.parent().filter(|folder| *folder != Path::new("")).unwrap_or(Path::new("."));
        if !folder.is_dir() {
            return Err(StudyError::Location(format!("{}: there is no such folder", folder.display())));
        }
    }
    let url = location.url()?;
    if dialect == Dialect::Postgres {
        // A pool would wait for a server that is not there; whoever mistyped its address need not.
        AnyConnection::connect(&url).await?.close().await?;
    }
    let pool = AnyPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(PATIENCE)
        .after_connect(move |connection, _| {
            Box::pin(async move {
                if dialect == Dialect::Sqlite {
                    for pragma in
                        ["PRAGMA busy_timeout = 60000", "PRAGMA journal_mode = WAL", "PRAGMA synchronous = FULL"]
                    {
                        // The switch to a write-ahead log does not wait for others as all else does.
                        let began = Instant::now();
                        while let Err(e) = sqlx::query(pragma).execute(&mut *connection).await {
                            if !passing(&e) || began.elapsed() > PATIENCE {
                                return Err(e);
                            }
                            tokio::time::sleep(Duration::from_millis(20)).await;
                        }
                    }
                }
                Ok(())
            })
        })
        .connect_lazy(&url)?;
    for table in TABLES {
        retried(|| sqlx::query(table).execute(&pool)).await?;
    }
    Ok((pool, dialect))
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
pub(super) async fn retried<T, F>(mut work: impl FnMut() -> F) -> Result<T, sqlx::Error>
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
