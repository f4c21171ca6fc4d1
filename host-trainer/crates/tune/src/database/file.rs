//! What lies at the place of a SQLite file: what is ours, nothing yet, or what is not ours. Looking changes nothing.

use super::error::DatabaseError;
use super::location::Location;
use super::schema::Schema;
use learn::tabular::is_at_rest;
use sqlx::{AnyConnection, Connection, Row};
use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;
use std::time::Duration;

/// What SQLite writes into the header of our files, `LJST`.
pub(super) const APPLICATION: u32 = 0x4c4a_5354;
/// How a SQLite file begins.
const MAGIC: &[u8] = b"SQLite format 3\0";
/// Bytes of its header, and where the application's number stands in them.
const HEADER: usize = 100;
const APPLICATION_AT: std::ops::Range<usize> = 68..72;
/// Tables of another program that a message names.
const NAMED: usize = 3;

/// How often a file that cannot be read is looked at, and the time between.
const LOOKS: u32 = 6;
const PAUSE: Duration = Duration::from_millis(20);

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Found {
    /// No file.
    Missing,
    /// A file without any table, which may become ours.
    Empty,
    /// The content that was looked for.
    Ours,
    /// What is not ours, in words that follow "holds no studies:".
    Foreign(String),
}

/// Looks at a file, without opening it for writing and without leaving anything next to it.
///
/// # Errors
/// A file that cannot be read.
pub(super) async fn look(path: &Path, schema: &Schema) -> Result<Found, DatabaseError> {
    let unreadable = |e: std::io::Error| DatabaseError::Location(format!("{}: cannot be read: {e}", path.display()));
    let mut header = Vec::with_capacity(HEADER);
    match File::open(path) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(Found::Missing),
        Err(e) => return Err(unreadable(e)),
        Ok(file) if !file.metadata().map_err(unreadable)?.is_file() => {
            return Ok(Found::Foreign("it is not a file".into()));
        }
        Ok(file) => drop(file.take(HEADER as u64).read_to_end(&mut header).map_err(unreadable)?),
    }
    if header.is_empty() {
        return Ok(Found::Empty);
    }
    if header.len() < HEADER || !header.starts_with(MAGIC) {
        return Ok(Found::Foreign("the file is not a SQLite database".into()));
    }
    let application = header[APPLICATION_AT].iter().fold(0, |number, byte| number << 8 | u32::from(*byte));
    // As an unchanging file first, for which SQLite writes nothing next to it. What is only in a write-ahead log shows in the
    // second way, which is taken where such a log is there already.
    let mut found = tables(path, "mode=ro&immutable=true", schema).await;
    for _ in 1..LOOKS {
        if !is_at_rest(path) && !found.as_ref().is_ok_and(|(tables, _)| !tables.is_empty()) {
            found = tables(path, "mode=ro", schema).await;
        }
        if found.is_ok() {
            break;
        }
        // The file may have changed while it was read as an unchanging one: an error counts where it stays.
        tokio::time::sleep(PAUSE).await;
        found = tables(path, "mode=ro&immutable=true", schema).await;
    }
    Ok(match found {
        Err(e) => Found::Foreign(format!("the file cannot be read as a SQLite database: {e}")),
        Ok((_, true)) => Found::Ours,
        // Our own file in which something else of ours was begun.
        Ok((_, false)) if application == APPLICATION => Found::Empty,
        Ok((tables, false)) if !tables.is_empty() => Found::Foreign(others(&tables)),
        Ok(_) if application == 0 => Found::Empty,
        Ok(_) => Found::Foreign("the file is marked as another program's".into()),
    })
}

/// The tables of a database, and whether those of the content are among them.
async fn tables(path: &Path, how: &str, schema: &Schema) -> Result<(Vec<String>, bool), DatabaseError> {
    let mut connection = AnyConnection::connect(&Location::File(path.to_owned()).url(how)?).await?;
    let rows = sqlx::query("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name LIMIT 1000")
        .fetch_all(&mut connection)
        .await?;
    let names: Vec<String> = rows.iter().filter_map(|row| row.try_get("name").ok()).collect();
    let ours = names.iter().any(|name| name == schema.table)
        && sqlx::query(schema.probe).fetch_optional(&mut connection).await.is_ok();
    connection.close().await?;
    Ok((names, ours))
}

fn others(tables: &[String]) -> String {
    let named: Vec<String> =
        tables.iter().take(NAMED).map(|name| format!("`{}`", shared::failure::printable(name))).collect();
    let more = if tables.len() > NAMED { ", …" } else { "" };
    format!("it is another program's database, with the tables {}{more}", named.join(", "))
}
