//! Rows of SQLite databases.

use super::data::TableData;
use futures_util::TryStreamExt;
use shared::failure::{Failure, Kind};
use shared::near::near;
use shared::text::{self, SignEvidence};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteRow};
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

/// A database that has the table and its columns.
struct Database {
    path: PathBuf,
    connection: SqliteConnection,
    /// What its rows are ordered by; nothing where they have no order of their own.
    order: String,
}

impl Database {
    fn failed(&self) -> impl Fn(sqlx::Error) -> Failure + use<> {
        let path = self.path.clone();
        move |e| Failure::from_error(Kind::Data, e).at(&path)
    }
}

async fn open(path: &Path, source: &Source) -> Result<Database, Failure> {
    let options = SqliteConnectOptions::new().filename(path).read_only(true).immutable(is_at_rest(path));
    let failed = |e: sqlx::Error| Failure::data(format!("cannot be read as a SQLite database: {e}")).at(path);
    let mut connection = SqliteConnection::connect_with(&options).await.map_err(failed)?;
    // Unlike table_info, table_xinfo lists generated columns; 1 marks those that a virtual table hides.
    let rows = sqlx::query("SELECT name, pk FROM pragma_table_xinfo($1) WHERE hidden <> 1").bind(source.table.as_str());
    let rows = rows.fetch_all(&mut connection).await.map_err(failed)?;
    let columns: Vec<(String, i64)> =
        rows.iter().filter_map(|row| Some((row.try_get("name").ok()?, row.try_get("pk").ok()?))).collect();
    let known: Vec<&str> = columns.iter().map(|(name, _)| name.as_str()).collect();
    if columns.is_empty() {
        let sql = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view') AND name NOT LIKE 'sqlite_%' ORDER BY name LIMIT 20";
        let rows = sqlx::query(sql).fetch_all(&mut connection).await.map_err(failed)?;
        let tables: Vec<String> = rows.iter().filter_map(|row| row.try_get("name").ok()).collect();
        let failure = Failure::data(format!("has no table or view `{}`", source.table)).at(path);
        return Err(match tables[..] {
            [] => failure,
            _ => failure.help(format!("name one by --table-name: it has {}", tables.join(", "))),
        });
    }
    let wanted = source.inputs.iter().chain(&source.outputs).chain(std::iter::once(&source.tag_column));
    // Names of columns have no upper and lower case in SQL.
    if let Some(name) = wanted.into_iter().find(|name| !known.iter().any(|k| k.eq_ignore_ascii_case(name))) {
        return Err(Failure::usage(format!("`{}` has no column `{name}`{}", source.table, near(name, &known))).at(path));
    }
    let order = order(&mut connection, source, &columns).await.map_err(failed)?;
    Ok(Database { path: path.to_owned(), connection, order })
}

/// The order of a table's rows: by rowid, or by the primary key where there is no rowid. Views and virtual tables give their rows in
/// an order of their own.
async fn order(
    connection: &mut SqliteConnection,
    source: &Source,
    columns: &[(String, i64)],
) -> Result<String, sqlx::Error> {
    let sql = "SELECT type, wr FROM pragma_table_list WHERE schema = 'main' AND name = $1 COLLATE NOCASE";
    let row = sqlx::query(sql).bind(source.table.as_str()).fetch_optional(connection).await?;
    let (kind, without_rowid) = match &row {
        Some(row) => (row.try_get::<String, _>("type")?, row.try_get::<i64, _>("wr")? != 0),
        None => (String::new(), false),
    };
    let is_column = |name: &&str| columns.iter().any(|(column, _)| column.eq_ignore_ascii_case(name));
    // A column of one of these names hides that name of the rowid.
    let rowid = ["rowid", "_rowid_", "oid"].into_iter().find(|name| !is_column(name));
    let mut key: Vec<&(String, i64)> = columns.iter().filter(|(_, place)| *place > 0).collect();
    key.sort_by_key(|(_, place)| *place);
    Ok(match (kind.as_str(), without_rowid, rowid) {
        ("table", false, Some(rowid)) => format!("ORDER BY {rowid}"),
        ("table", true, _) if !key.is_empty() => {
            format!("ORDER BY {}", key.iter().map(|(name, _)| quoted(name)).collect::<Vec<_>>().join(", "))
        }
        _ => String::new(),
    })
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
    for mut database in readable(source, notes).await? {
        let rows = sqlx::query(AssertSqlSafe(sql.as_str())).fetch_all(&mut database.connection).await;
        let rows = rows.map_err(database.failed())?;
        let read: Vec<String> = rows.iter().filter_map(|row| row.try_get("tag").ok()).collect();
        if read.len() < rows.len() {
            let (column, count) = (&source.tag_column, rows.len() - read.len());
            notes.push(format!(
                "{}: {count} values of `{column}` are not UTF-8 and are left out",
                database.path.display()
            ));
        }
        tags.extend(read);
    }
    Ok(tags.into_iter().collect())
}

/// The databases that can be read.
async fn readable(source: &Source, notes: &mut Vec<String>) -> Result<Vec<Database>, Failure> {
    let mut opened = Vec::new();
    let mut last = None;
    for path in files(&source.folder)? {
        match open(&path, source).await {
            Ok(database) => opened.push(database),
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

/// What becomes of a column's cells.
#[derive(Debug, Clone, Default)]
struct Cells {
    /// What its texts say of their decimal sign.
    signs: SignEvidence,
    /// The place of its texts in a row that is read; none where the database holds no text in it.
    text: Option<usize>,
    /// Cells that are no number, and the first of them that is a text.
    odd: usize,
    odd_text: Option<String>,
}

impl Cells {
    /// The number of a cell. Text is one if it reads as one, as an import of a CSV file stores it; what is no number is none, not
    /// zero.
    fn number(&mut self, row: &SqliteRow, place: usize) -> Option<f64> {
        if let Ok(Some(number)) = row.try_get::<Option<f64>, _>(place) {
            return Some(number).filter(|x| x.is_finite());
        }
        let text = self.text.and_then(|text| row.try_get::<Option<String>, _>(text).ok().flatten());
        let number = text.as_deref().and_then(|text| text::number(text, self.signs.sign()));
        if number.is_none() {
            self.odd += 1;
            self.odd_text = self.odd_text.take().or(text.filter(|text| !text.trim().is_empty()));
        }
        number
    }
}

/// The rows of one tag. Columns of text are read where the texts are numbers. Rows are taken one by one as the database gives them:
/// besides the numbers, memory does not grow with them.
///
/// # Errors
/// As [`tags`], and when no row is left: the columns that hold no numbers are named.
pub async fn read(source: &Source, tag: &str) -> Result<TableData, Failure> {
    let columns: Vec<&String> = source.inputs.iter().chain(&source.outputs).collect();
    let is_of_tag = format!("CAST({} AS TEXT) = $1", quoted(&source.tag_column));
    let from = format!("FROM {} WHERE {is_of_tag}", quoted(&source.table));
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
    let mut cells = vec![Cells::default(); columns.len()];
    let mut found = 0;
    let mut values = Vec::with_capacity(columns.len());
    for mut database in readable(source, &mut Vec::new()).await? {
        let failed = database.failed();
        let sql = select(&mut database, tag, &columns, &mut cells, &from).await.map_err(&failed)?;
        let mut rows = sqlx::query(AssertSqlSafe(sql.as_str())).bind(tag).fetch(&mut database.connection);
        while let Some(row) = rows.try_next().await.map_err(&failed)? {
            found += 1;
            // All columns are looked at, so that each that has no number is counted.
            values.clear();
            values.extend(cells.iter_mut().enumerate().filter_map(|(place, cells)| cells.number(&row, place)));
            if values.len() < columns.len() {
                dataset.no_numbers += 1;
                continue;
            }
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
        return Err(none_left(source, &dataset, &columns, &cells, found));
    }
    dataset.rows.shrink_to_fit();
    dataset.targets.shrink_to_fit();
    dataset.hash = dataset.digest();
    Ok(dataset)
}

/// The query for a tag's rows: the number of each column, then the text of each that holds texts. What these say of their decimal
/// sign is looked at first: a text such as 1,234 is read by what the others of its column say.
async fn select(
    database: &mut Database,
    tag: &str,
    columns: &[&String],
    cells: &mut [Cells],
    from: &str,
) -> Result<String, sqlx::Error> {
    let names: Vec<String> = columns.iter().map(|name| quoted(name)).collect();
    let is_text = |name: &String| format!("typeof({name}) = 'text'");
    let listed = |of: &dyn Fn(&String) -> String| names.iter().map(of).collect::<Vec<_>>().join(", ");
    let sql = format!("SELECT {} {from}", listed(&|name| format!("max({})", is_text(name))));
    let holds_text = sqlx::query(AssertSqlSafe(sql.as_str())).bind(tag).fetch_one(&mut database.connection).await?;
    let mut select =
        listed(&|name| format!("CASE WHEN typeof({name}) IN ('integer', 'real') THEN CAST({name} AS REAL) END"));
    let mut places = columns.len()..;
    for (place, (cells, name)) in cells.iter_mut().zip(&names).enumerate() {
        // Of no rows, the maximum is none.
        cells.text = match holds_text.try_get::<Option<i64>, _>(place)? {
            Some(1) => places.next(),
            _ => None,
        };
        if cells.text.is_none() {
            continue;
        }
        let is_text = is_text(name);
        select.push_str(&format!(", CASE WHEN {is_text} THEN {name} END"));
        let sql = format!("SELECT DISTINCT {name} {from} AND {is_text} LIMIT {MOST_ROWS}");
        let mut texts = sqlx::query(AssertSqlSafe(sql.as_str())).bind(tag).fetch(&mut database.connection);
        while let Some(row) = texts.try_next().await? {
            cells.signs.observe(&row.try_get::<String, _>(0).unwrap_or_default());
        }
    }
    Ok(format!("SELECT {select} {from} {} LIMIT {MOST_ROWS}", database.order))
}

/// Why no row of a tag is left.
fn none_left(source: &Source, dataset: &TableData, columns: &[&String], cells: &[Cells], found: usize) -> Failure {
    let tag = &dataset.tag;
    let failure = |message: String| Failure::data(message).at(&source.folder);
    if found == 0 {
        let help = format!("the tags stand in `{}`; without --func-tag all of them are fitted", source.tag_column);
        return failure(format!("no row has the tag `{tag}`")).help(help);
    }
    let odd = columns.iter().zip(cells).filter(|(_, cells)| cells.odd > 0).map(|(name, cells)| {
        let text = cells.odd_text.as_deref().map_or_else(String::new, |text| format!(", such as `{text}`"));
        format!("`{name}` holds no number in {} rows{text}", cells.odd)
    });
    let mut reasons: Vec<String> = odd.collect();
    if source.zeros == Zeros::Drop && dataset.with_zeros > 0 {
        reasons.push(format!("{} rows hold a zero and are dropped", dataset.with_zeros));
    }
    failure(format!("no row of `{tag}` is left of {found}: {}", reasons.join("; ")))
        .help("name columns of numbers by --input-cols and --output-cols")
}
