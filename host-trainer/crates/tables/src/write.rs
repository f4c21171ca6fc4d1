//! Writing a table whole.

use crate::column::{ColumnData, as_io, assemble};
use crate::format::TableFormat;
use crate::parquet;
use shared::failure::{Failure, Kind};
use shared::fs::write_atomic_with;
use std::collections::HashSet;
use std::path::Path;

/// Writes a table as CSV: a header, lines that end in LF, fields quoted where they must be. A reader sees the old file or the
/// new, never a part of it. Numbers are written with the fewest digits that give them back exactly.
///
/// ```
/// use tables::{ColumnData, write_csv};
///
/// let folder = tempfile::tempdir()?;
/// let path = folder.path().join("dense.csv");
/// let layers = ColumnData::Texts(vec![Some("fc6"), Some("fc7, last")]);
/// write_csv(&path, vec![("layer_name", layers), ("power", ColumnData::Numbers(vec![Some(5.5), None]))])?;
/// assert_eq!(std::fs::read_to_string(path)?, "layer_name,power\nfc6,5.5\n\"fc7, last\",\n");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// Columns of different lengths, two of one name, and a file that cannot be written.
pub fn write_csv<'a>(path: &Path, columns: Vec<(&'a str, ColumnData<'a>)>) -> Result<(), Failure> {
    let rows = height(&columns).map_err(|e| e.at(path))?;
    // Not by polars, which starts threads and takes 8 MiB of buffers for a table of any size.
    write_atomic_with(path, |out| {
        let mut line = String::new();
        for (name, _) in &columns {
            push_text(&mut line, name);
            line.push(',');
        }
        line.pop();
        line.push('\n');
        out.write_all(line.as_bytes())?;
        for row in 0..rows {
            line.clear();
            for (_, data) in &columns {
                push_field(&mut line, data, row);
                line.push(',');
            }
            line.pop();
            line.push('\n');
            out.write_all(line.as_bytes())?;
        }
        Ok(())
    })
}

/// The number of rows of columns that make a table.
fn height(columns: &[(&str, ColumnData<'_>)]) -> Result<usize, Failure> {
    let rows = columns.first().map_or(0, |(_, data)| data.len());
    let mut names = HashSet::new();
    for (name, data) in columns {
        if data.len() != rows {
            let first = columns[0].0;
            return Err(Failure::data(format!("`{name}` has {} rows where `{first}` has {rows}", data.len())));
        }
        if !names.insert(name) {
            return Err(Failure::data(format!("has two columns `{name}`")));
        }
    }
    Ok(rows)
}

fn push_field(line: &mut String, data: &ColumnData<'_>, row: usize) {
    match data {
        ColumnData::Integers(values) => values[row].iter().for_each(|value| line.push_str(&value.to_string())),
        ColumnData::Numbers(values) => {
            values[row].iter().for_each(|value| line.push_str(zmij::Buffer::new().format(*value)));
        }
        ColumnData::Texts(values) => values[row].iter().for_each(|value| push_text(line, value)),
    }
}

/// Appends a text, in quotes if it has a sign that separates fields or lines. An empty one is in quotes too: without them, it is not known.
fn push_text(line: &mut String, text: &str) {
    if !text.is_empty() && !text.contains([',', '"', '\n', '\r']) {
        line.push_str(text);
        return;
    }
    line.push('"');
    text.split('"').enumerate().for_each(|(index, part)| {
        line.push_str(if index > 0 { "\"\"" } else { "" });
        line.push_str(part);
    });
    line.push('"');
}

/// Writes a table as Parquet, with the types of its columns. A reader sees the old file or the new, never a part of it.
///
/// # Errors
/// As [`write_csv`].
pub fn write_parquet<'a>(path: &Path, columns: Vec<(&'a str, ColumnData<'a>)>) -> Result<(), Failure> {
    let mut data = assemble(columns).map_err(|e| Failure::from_error(Kind::Data, e).at(path))?;
    write_atomic_with(path, |out| parquet::options(out).finish(&mut data).map(|_| ()).map_err(as_io))
}

/// Writes a table in the format of the file's name, CSV or Parquet.
///
/// ```
/// use tables::{ColumnData, Frame, write_table};
///
/// let folder = tempfile::tempdir()?;
/// for name in ["dense.csv", "dense.parquet"] {
///     let path = folder.path().join(name);
///     let layers = ColumnData::Texts(vec![Some("fc6"), Some("fc7")]);
///     write_table(&path, vec![("layer_name", layers), ("power", ColumnData::Numbers(vec![Some(5.5), None]))])?;
///     let frame = Frame::parse(&path, &std::fs::read(&path)?)?;
///     assert_eq!((frame.text(1, "layer_name")?, frame.number(1, "power")?), (Some("fc7"), None));
/// }
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// As [`write_csv`].
pub fn write_table<'a>(path: &Path, columns: Vec<(&'a str, ColumnData<'a>)>) -> Result<(), Failure> {
    match TableFormat::of(path) {
        TableFormat::Csv => write_csv(path, columns),
        TableFormat::Parquet => write_parquet(path, columns),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Frame;
    use polars_io::prelude::{CsvWriter, SerWriter};
    use proptest::prelude::*;
    use std::fs;

    type Rows = Vec<(Option<i64>, Option<f64>, Option<String>)>;

    fn columns(rows: &Rows) -> Vec<(&str, ColumnData<'_>)> {
        vec![
            ("count", ColumnData::Integers(rows.iter().map(|r| r.0).collect())),
            ("power, W", ColumnData::Numbers(rows.iter().map(|r| r.1).collect())),
            ("name", ColumnData::Texts(rows.iter().map(|r| r.2.as_deref()).collect())),
        ]
    }

    fn read_back(path: &Path) -> Rows {
        let frame = Frame::parse(path, &fs::read(path).expect("file")).expect("a table");
        let number = |row, column| frame.number(row, column).expect("a number");
        let text = |row| frame.text(row, "name").expect("text").map(str::to_owned);
        (0..frame.rows()).map(|r| (number(r, "count").map(|n| n as i64), number(r, "power, W"), text(r))).collect()
    }

    #[test]
    fn fields_are_quoted_where_they_must_be() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.csv");
        let text = |text: &str| Some(text.to_owned());
        let rows =
            vec![(Some(1), Some(5.0), text("a \"b\"")), (None, None, text("x\ny")), (Some(-3), Some(0.1 + 0.2), None)];
        write_csv(&path, columns(&rows)).expect("written");
        let expected = "count,\"power, W\",name\n1,5.0,\"a \"\"b\"\"\"\n,,\"x\ny\"\n-3,0.30000000000000004,\n";
        assert_eq!(fs::read_to_string(&path).expect("text"), expected);
    }

    #[test]
    fn columns_that_make_no_table_leave_the_file_as_it_was() {
        let folder = tempfile::tempdir().expect("temporary folder");
        let path = folder.path().join("a.csv");
        fs::write(&path, "old").expect("file");
        let uneven =
            vec![("a", ColumnData::Integers(vec![Some(1)])), ("b", ColumnData::Integers(vec![Some(1), Some(2)]))];
        let twice = vec![("a", ColumnData::Integers(vec![])), ("a", ColumnData::Integers(vec![]))];
        for columns in [uneven, twice] {
            assert!(write_csv(&path, columns.clone()).expect_err("no table").to_string().contains("a.csv"));
            assert!(write_parquet(&path, columns).is_err());
        }
        assert_eq!(fs::read_to_string(&path).expect("text"), "old");
    }

    /// What polars writes, which reads our tables.
    fn by_polars(rows: &Rows) -> Vec<u8> {
        let mut data = assemble(columns(rows)).expect("a table");
        let mut out = Vec::new();
        CsvWriter::new(&mut out).n_threads(1).finish(&mut data).expect("written");
        out
    }

    fn finite() -> impl Strategy<Value = f64> {
        proptest::num::f64::ANY.prop_filter("finite", |number| number.is_finite())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn what_is_written_is_read_back(
            rows in proptest::collection::vec(
                (
                    proptest::option::of(-(1_i64 << 53)..1 << 53),
                    proptest::option::of(finite()),
                    proptest::option::of("[a-z\",\n\u{e9}][a-z \",\r\n\u{e9}]{0,6}[a-z\",]"),
                ),
                0..20,
            ),
        ) {
            // Text is trimmed when it is read.
            let rows: Rows = rows.into_iter().map(|(a, b, c)| (a, b, c.map(|c| c.trim().to_owned()))).collect();
            let folder = tempfile::tempdir().expect("temporary folder");
            for (name, parquet) in [("a.csv", false), ("a.parquet", true)] {
                let path = folder.path().join(name);
                write_table(&path, columns(&rows)).expect("written");
                prop_assert_eq!(fs::read(&path).expect("a file").starts_with(b"PAR1"), parquet);
                prop_assert_eq!(read_back(&path), rows.clone());
            }
        }

        #[test]
        fn csv_is_what_polars_writes(
            rows in proptest::collection::vec(
                (
                    any::<Option<i64>>(),
                    proptest::option::of(proptest::num::f64::ANY),
                    proptest::option::of("[a-c\",;#'\r\n\u{e9} ]{0,6}"),
                ),
                0..20,
            ),
        ) {
            let folder = tempfile::tempdir().expect("temporary folder");
            let path = folder.path().join("a.csv");
            write_csv(&path, columns(&rows)).expect("written");
            prop_assert_eq!(fs::read(&path).expect("a file"), by_polars(&rows));
        }

        #[test]
        fn numbers_are_written_as_shortly_as_rust_writes_them(number in prop_oneof![1e-4..1e12_f64, 1e-4..1e3_f64, -1e12..-1e-4]) {
            let folder = tempfile::tempdir().expect("temporary folder");
            let path = folder.path().join("a.csv");
            write_csv(&path, vec![("a", ColumnData::Numbers(vec![Some(number)]))]).expect("written");
            let (text, by_rust) = (fs::read_to_string(&path).expect("text"), format!("a\n{number:?}\n"));
            // Of two numbers of the same length, both as near, either may stand: 628226303839.40625 ends in 4062 or 4063.
            prop_assert_eq!(text.len(), by_rust.len());
            prop_assert_eq!(text.trim_start_matches("a\n").trim_end().parse(), Ok(number));
        }
    }
}
