//! Rows of SQLite databases.

use super::data::TableData;
use shared::failure::Failure;
use shared::near::near;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, Connection, Row};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Rows that all databases may give together.
const MOST_ROWS: usize = 20_000_000;

/// What becomes of rows with a zero, which in some measurements means that there was none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Zeros {
    /// They stay.
    #[default]
    Keep,
    /// They are left out.
    Drop,
}

/// Where rows come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Folder whose `*.db` and `*.sqlite` files are read.
    pub folder: PathBuf,
    /// Their table.
    pub table: String,
    /// Input columns.
    pub inputs: Vec<String>,
    /// Output columns.
    pub outputs: Vec<String>,
    /// Column by whose values rows are told apart.
    pub tag_column: String,
    /// What becomes of rows with a zero.
    pub zeros: Zeros,
    /// Columns in which a zero is a value like any other.
    pub zero_is_a_value: Vec<String>,
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let entries = std::fs::read_dir(folder).map_err(|e| Failure::io(folder, "list", &e))?;
    let is_database = |path: &PathBuf| path.extension().is_some_and(|e| e == "db" || e == "sqlite");
    let mut files: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(is_database).collect();
    files.sort();
    if files.is_empty() {
        return Err(Failure::data("holds no `*.db` and no `*.sqlite`").at(folder));
    }
    Ok(files)
}

/// A name as SQL writes it. Names cannot be bound, so they are checked against the table's columns besides.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether no process has a SQLite file open for writing, and none has left anything to recover next to it. SQLite can then take
/// the file for one that does not change, and puts nothing next to it.
///
/// ```
/// let folder = tempfile::tempdir().unwrap();
/// let path = folder.path().join("a.db");
/// assert!(learn::tabular::is_at_rest(&path));
/// std::fs::write(folder.path().join("a.db-wal"), "").unwrap();
/// assert!(!learn::tabular::is_at_rest(&path));
/// ```
#[must_use]
pub fn is_at_rest(path: &Path) -> bool {
    ["-wal", "-journal"].iter().all(|suffix| {
        let mut beside = path.as_os_str().to_owned();
        beside.push(suffix);
        !Path::new(&beside).exists()
    })
}

async fn open(path: &Path, source: &Source) -> Result<SqliteConnection, Failure> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(is_at_rest(path));
    let failed = |e: sqlx::Error| Failure::data(format!("cannot be read as a SQLite database: {e}")).at(path);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    let rows = sqlx::query("SELECT name FROM pragma_table_info($1)").bind(source.table.as_str());
    let rows = rows.fetch_all(&mut connection).await.map_err(failed)?;
    let columns: Vec<String> = rows.iter().filter_map(|row| row.try_get("name").ok()).collect();
    if columns.is_empty() {
        return Err(Failure::data(format!("has no table `{}`", source.table)).at(path));
    }
    let known: Vec<&str> = columns.iter().map(String::as_str).collect();
    let wanted = source.inputs.iter().chain(&source.outputs).chain(std::iter::once(&source.tag_column));
    match wanted.into_iter().find(|name| !columns.contains(name)) {
        Some(name) => {
            Err(Failure::usage(format!("`{}` has no column `{name}`{}", source.table, near(name, &known))).at(path))
        }
        None => Ok(connection),
    }
}

/// All tags that the databases hold, sorted. Databases that cannot be read are told in `notes`.
///
/// # Errors
/// When none can be read, or a column is not there.
pub async fn tags(source: &Source, notes: &mut Vec<String>) -> Result<Vec<String>, Failure> {
    let sql = format!(
        "SELECT DISTINCT CAST({0} AS TEXT) AS tag FROM {1} WHERE {0} IS NOT NULL",
        quoted(&source.tag_column),
        quoted(&source.table)
    );
    let mut tags = BTreeSet::new();
    for (path, mut connection) in readable(source, notes).await? {
        let rows = sqlx::query(AssertSqlSafe(sql.as_str())).fetch_all(&mut connection).await;
        let rows = rows.map_err(|e| Failure::data(e.to_string()).at(&path))?;
        tags.extend(rows.iter().filter_map(|row| row.try_get::<String, _>("tag").ok()));
    }
    Ok(tags.into_iter().collect())
}

/// The databases that can be read.
async fn readable(source: &Source, notes: &mut Vec<String>) -> Result<Vec<(PathBuf, SqliteConnection)>, Failure> {
    let mut opened = Vec::new();
    let mut last = None;
    for path in files(&source.folder)? {
        match open(&path, source).await {
            Ok(connection) => opened.push((path, connection)),
            // A column that is not there is the user's slip, whatever the other files hold.
            Err(failure) if failure.kind == shared::failure::Kind::Usage => return Err(failure),
            Err(failure) => {
                notes.push(format!("{} {}", path.display(), failure.message));
                last = Some(failure);
            }
        }
    }
    match last {
        Some(failure) if opened.is_empty() => Err(failure),
        _ => Ok(opened),
    }
}

/// The rows of one tag.
///
/// # Errors
/// As [`tags`], and when no row is left.
pub async fn read(source: &Source, tag: &str) -> Result<TableData, Failure> {
    let columns: Vec<&String> = source.inputs.iter().chain(&source.outputs).collect();
    // What is no number is none, not zero.
    let number = |name: &&String| {
        let name = quoted(name);
        format!("CASE WHEN typeof({name}) IN ('integer', 'real') THEN CAST({name} AS REAL) END")
    };
    let sql = format!(
        "SELECT {} FROM {} WHERE CAST({} AS TEXT) = $1 ORDER BY rowid LIMIT {MOST_ROWS}",
        columns.iter().map(number).collect::<Vec<_>>().join(", "),
        quoted(&source.table),
        quoted(&source.tag_column)
    );
    let counts: Vec<bool> = columns.iter().map(|name| !source.zero_is_a_value.contains(name)).collect();
    let mut dataset = TableData {
        tag: tag.to_owned(),
        inputs: source.inputs.clone(),
        outputs: source.outputs.clone(),
        rows: Vec::new(),
        targets: Vec::new(),
        with_zeros: 0,
        no_numbers: 0,
        hash: String::new(),
    };
    for (path, mut connection) in readable(source, &mut Vec::new()).await? {
        let rows = sqlx::query(AssertSqlSafe(sql.as_str())).bind(tag).fetch_all(&mut connection).await;
        for row in rows.map_err(|e| Failure::data(e.to_string()).at(&path))? {
            let values: Option<Vec<f64>> =
                (0..columns.len()).map(|i| row.try_get::<Option<f64>, _>(i).ok().flatten()).collect();
            let Some(values) = values.filter(|values| values.iter().all(|x| x.is_finite())) else {
                dataset.no_numbers += 1;
                continue;
            };
            if values.iter().zip(&counts).any(|(x, counts)| *counts && *x == 0.0) {
                dataset.with_zeros += 1;
                if source.zeros == Zeros::Drop {
                    continue;
                }
            }
            dataset.rows.extend(&values[..source.inputs.len()]);
            dataset.targets.extend(&values[source.inputs.len()..]);
        }
    }
    if dataset.is_empty() {
        return Err(Failure::data(format!("no row of `{tag}` is left")).at(&source.folder));
    }
    let mut bytes = columns.iter().flat_map(|name| [name.as_bytes(), b"\0"].concat()).collect::<Vec<u8>>();
    bytes.extend(dataset.rows.iter().chain(&dataset.targets).flat_map(|x| x.to_le_bytes()));
    dataset.hash = shared::digest::sha256(&bytes);
    Ok(dataset)
}
