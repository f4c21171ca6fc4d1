//! A table that was read.

use crate::format::TableFormat;
use crate::{csv, parquet};
use polars_core::prelude::{ChunkFullNull, DataFrame, DataType, Float64Chunked, StringChunked};
use shared::failure::Failure;
use shared::limits;
use shared::text::{self, DecimalSign};
use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A table read from a file. Fields are found by row, from 0, and by the column's name. Names and text are trimmed of white
/// space; an empty field is `None`.
///
/// ```
/// use std::path::Path;
/// use tables::Frame;
///
/// let frame = Frame::from_csv(Path::new("dense.csv"), b"layer_name,power\nfc6,5.5\nfc7,\n")?;
/// assert_eq!(frame.text(0, "layer_name")?, Some("fc6"));
/// assert_eq!(frame.number(0, "power")?, Some(5.5));
/// assert_eq!(frame.number(1, "power")?, None);
/// # Ok::<(), shared::failure::Failure>(())
/// ```
#[derive(Debug)]
pub struct Frame {
    path: PathBuf,
    columns: HashMap<String, Cells>,
    rows: usize,
    /// Line of each row; nothing for a file without lines.
    lines: Option<Vec<u32>>,
    notes: Vec<String>,
}

/// The fields of a column.
#[derive(Debug)]
enum Cells {
    /// Text, and the decimal sign of the numbers in it.
    Text(StringChunked, Option<DecimalSign>),
    Number(Float64Chunked),
    /// Of a type that is neither, with that type's name.
    Other(String),
}

impl Frame {
    /// Reads a file's content, as Parquet if the path says so, and otherwise as CSV. Files that end in `.csv` and `.parquet`
    /// hold the same table in two formats.
    ///
    /// # Errors
    /// As [`Frame::from_csv`] and [`Frame::from_parquet`].
    pub fn parse(path: &Path, content: &[u8]) -> Result<Self, Failure> {
        match TableFormat::of(path) {
            TableFormat::Parquet => Self::from_parquet(path, content),
            TableFormat::Csv => Self::from_csv(path, content),
        }
    }

    /// Reads CSV: a header, fields separated by commas, semicolons or tabs, quoted with `"` where needed, numbers with decimal
    /// points or commas, in UTF-8 or UTF-16. Blank lines and comments (`#`) are skipped. The path is named in errors and not
    /// opened.
    ///
    /// ```
    /// use std::path::Path;
    /// use tables::Frame;
    ///
    /// let frame = Frame::from_csv(Path::new("dense.csv"), b"power\n5\nabc\n")?;
    /// let error = frame.number(1, "power").unwrap_err().to_string();
    /// assert!(error.starts_with("dense.csv: line 3: `power` is `abc`, not a finite number"));
    /// # Ok::<(), shared::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// An empty file, a row with more or fewer fields than the header, a quote that is not closed, and
    /// two columns of one name. Each names the file and the line.
    pub fn from_csv(path: &Path, content: &[u8]) -> Result<Self, Failure> {
        let table = csv::read(path, content)?;
        let frame = Self::new(path, &table.header, &table.data, &table.signs)?;
        Ok(Self { lines: Some(table.lines), notes: table.notes, ..frame })
    }

    /// Reads Parquet: columns of text and of numbers. Columns of other types can be there, and cannot be read from. The path
    /// is named in errors and not opened.
    ///
    /// # Errors
    /// Content that is not Parquet, or that would take more than
    /// [`TABLE_BYTES`](shared::limits::TABLE_BYTES) of memory.
    pub fn from_parquet(path: &Path, content: &[u8]) -> Result<Self, Failure> {
        let data = parquet::read(path, content, limits::TABLE_BYTES)?;
        let names: Vec<_> = data.get_column_names().into_iter().map(|name| name.trim().to_owned()).collect();
        Self::new(path, &names, &data, &[])
    }

    fn new(path: &Path, names: &[String], data: &DataFrame, signs: &[Option<DecimalSign>]) -> Result<Self, Failure> {
        let mut columns = HashMap::new();
        for (place, (column, name)) in data.columns().iter().zip(names).enumerate() {
            if name.is_empty() {
                continue;
            }
            let cells = Cells::of(column, signs.get(place).copied().flatten())
                .map_err(|e| Failure::data(format!("the column `{name}` cannot be read: {e}")).at(path))?;
            if columns.insert(name.clone(), cells).is_some() {
                let help = "rename or remove one of them";
                let failure = Failure::data(format!("the column `{name}` is there twice"));
                return Err(failure.at(path).place("header").help(help));
            }
        }
        Ok(Self { path: path.to_owned(), columns, rows: data.height(), lines: None, notes: Vec::new() })
    }

    /// Number of rows, without the header.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// What was found in the file that is not in every such file: foreign bytes, decimal commas.
    ///
    /// ```
    /// use std::path::Path;
    /// use tables::Frame;
    ///
    /// let frame = Frame::from_csv(Path::new("dense.csv"), b"layer_name;power\nfc\xb0;5,5\n")?;
    /// assert_eq!(frame.number(0, "power")?, Some(5.5));
    /// assert!(frame.notes()[0].contains("line 2"));
    /// # Ok::<(), shared::failure::Failure>(())
    /// ```
    #[must_use]
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// Path of the file, as it was given.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether there is a column of that name.
    #[must_use]
    pub fn has(&self, column: &str) -> bool {
        self.columns.contains_key(column)
    }

    /// Checks that a column is there.
    ///
    /// ```
    /// use std::path::Path;
    /// use tables::Frame;
    ///
    /// let frame = Frame::from_csv(Path::new("dense.csv"), b"Input_size,power\n")?;
    /// let error = frame.require("input_size").unwrap_err().report(false);
    /// assert!(error.contains("the column `input_size` is missing"));
    /// assert!(error.contains("`Input_size`"));
    /// # Ok::<(), shared::failure::Failure>(())
    /// ```
    ///
    /// # Errors
    /// The column is missing; the hint lists those that are there, and names one that is spelt nearly so.
    pub fn require(&self, column: &str) -> Result<(), Failure> {
        if self.has(column) {
            return Ok(());
        }
        let mut present: Vec<_> = self.columns.keys().map(String::as_str).collect();
        present.sort_unstable();
        let near = present.iter().find(|name| is_near(name, column));
        let question = near.map_or_else(String::new, |name| format!("is it `{name}`? "));
        Err(Failure::data(format!("the column `{column}` is missing"))
            .at(&self.path)
            .place("header")
            .help(format!("{question}it has {}", present.join(", "))))
    }

    /// Text of a field. `None` where the column or the field is missing.
    ///
    /// # Errors
    /// The column holds something other than text.
    pub fn text(&self, row: usize, column: &str) -> Result<Option<&str>, Failure> {
        match self.columns.get(column) {
            None => Ok(None),
            Some(Cells::Text(cells, _)) => Ok(cells.get(row).map(str::trim).filter(|field| !field.is_empty())),
            Some(Cells::Number(_)) => Err(self.wrong_type(column, "numbers", "text")),
            Some(Cells::Other(other)) => Err(self.wrong_type(column, other, "text")),
        }
    }

    /// Number in a field. `None` where the column or the field is missing.
    ///
    /// # Errors
    /// The field is something other than a finite number.
    pub fn number(&self, row: usize, column: &str) -> Result<Option<f64>, Failure> {
        let refused = |field: &str| self.error_in(row, format!("`{column}` is `{field}`, not a finite number"));
        match self.columns.get(column) {
            None => Ok(None),
            Some(Cells::Number(cells)) => match cells.get(row) {
                Some(number) if !number.is_finite() => Err(refused(&number.to_string())),
                number => Ok(number),
            },
            Some(Cells::Text(_, sign)) => match self.text(row, column)? {
                None => Ok(None),
                Some(field) => text::number(field, *sign).map(Some).ok_or_else(|| match sign {
                    None if field.contains(',') => refused(field)
                        .help("a comma may be a decimal sign or separate thousands: write a decimal point"),
                    Some(DecimalSign::Comma) => {
                        refused(field).help("the column has decimal commas; mend or remove that row")
                    }
                    _ => refused(field),
                }),
            },
            Some(Cells::Other(other)) => Err(self.wrong_type(column, other, "numbers")),
        }
    }

    /// Number in a field that must be filled.
    ///
    /// # Errors
    /// The field is empty, or something other than a finite number.
    pub fn required_number(&self, row: usize, column: &str) -> Result<f64, Failure> {
        self.number(row, column)?.ok_or_else(|| self.error_in(row, format!("`{column}` is empty")))
    }

    /// An error in a row, with the file and the row's line.
    #[must_use]
    pub fn error_in(&self, row: usize, message: impl Into<String>) -> Failure {
        let place = match self.lines.as_ref().map(|lines| lines.get(row).copied().unwrap_or_default()) {
            Some(line) => format!("line {line}"),
            None => format!("row {}", row + 1),
        };
        Failure::data(message).at(&self.path).place(place).help("mend or remove that row")
    }

    fn wrong_type(&self, column: &str, found: &str, expected: &str) -> Failure {
        Failure::data(format!("the column `{column}` holds {found}, not {expected}")).at(&self.path)
    }
}

impl Cells {
    fn of(
        column: &polars_core::prelude::Column,
        sign: Option<DecimalSign>,
    ) -> Result<Self, polars_core::error::PolarsError> {
        Ok(match column.dtype() {
            DataType::String => Self::Text(column.str()?.rechunk().into_owned(), sign),
            // A column of nulls alone.
            DataType::Null => Self::Text(StringChunked::full_null(column.name().clone(), column.len()), sign),
            numeric if numeric.is_primitive_numeric() => {
                Self::Number(column.cast(&DataType::Float64)?.f64()?.rechunk().into_owned())
            }
            other => Self::Other(format!("values of the type {other}")),
        })
    }
}

fn is_near(name: &str, wanted: &str) -> bool {
    name.eq_ignore_ascii_case(wanted) || strsim::osa_distance(name, wanted) <= wanted.len().min(8) / 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(content: &str) -> Result<Frame, Failure> {
        Frame::from_csv(Path::new("a.csv"), content.as_bytes())
    }

    #[test]
    fn fields_are_trimmed_and_empty_ones_are_none() {
        let frame = frame("a , b,,\n  x , 1.5e3 ,,\n\" \",,3,4\n").expect("a table");
        assert_eq!(frame.rows(), 2);
        assert_eq!(frame.text(0, "a").expect("text"), Some("x"));
        assert_eq!(frame.number(0, "b").expect("number"), Some(1500.0));
        assert_eq!(frame.text(1, "a").expect("text"), None);
        assert_eq!(frame.number(1, "b").expect("number"), None);
        assert_eq!(frame.number(1, "c").expect("number"), None);
        assert!(frame.required_number(1, "b").expect_err("empty").to_string().contains("line 3: `b` is empty"));
    }

    #[test]
    fn what_is_no_finite_number_is_named_with_its_line() {
        let frame = frame("a,b\n1,2\n\nnan,inf\n0x1,1_0\n").expect("a table");
        for (row, column, expected) in [
            (1, "a", "a.csv: line 4: `a` is `nan`, not a finite number"),
            (1, "b", "a.csv: line 4: `b` is `inf`, not a finite number"),
            (2, "a", "a.csv: line 5: `a` is `0x1`, not a finite number"),
            (2, "b", "a.csv: line 5: `b` is `1_0`, not a finite number"),
        ] {
            let failure = frame.number(row, column).expect_err(expected).to_string();
            assert!(failure.contains(expected), "{failure}");
        }
    }

    #[test]
    fn a_column_twice_is_refused_and_a_near_name_is_offered() {
        let failure = frame("a,b,a\n1,2,3\n").expect_err("twice").to_string();
        assert!(failure.contains("a.csv: header: the column `a` is there twice"), "{failure}");
        let frame = frame("kernel0,output_size\n1,2\n").expect("a table");
        assert!(
            frame.require("kernel_0").expect_err("missing").report(false).contains("is it `kernel0`? it has kernel0")
        );
        let far = frame.require("input_size").expect_err("missing").report(false);
        assert!(far.contains("hint: it has kernel0, output_size"), "{far}");
    }

    #[test]
    fn a_comma_with_two_meanings_is_named() {
        let failure = frame("a;b\n1,234;x\n").expect("a table").number(0, "a").expect_err("two meanings").report(false);
        assert!(failure.contains("`a` is `1,234`") && failure.contains("separate thousands"), "{failure}");
        assert_eq!(frame("a;b\n1,234;0,5\n").expect("a table").number(0, "a").expect("a number"), Some(1.234));
        assert_eq!(frame("a,b\n\"1,234\",0.5\n").expect("a table").number(0, "a").expect("a number"), Some(1234.0));
    }
}
