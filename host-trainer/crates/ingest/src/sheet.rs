//! A flat CSV file: its header, and its rows one after the other.

use super::columns::Columns;
use super::timing::Times;
use csv::StringRecord;
use shared::failure::Failure;
use shared::run_folder::Diagnostics;
use shared::text::{DecimalSign, Decoded, Dialect, Encoding, Separator, SignEvidence, decode};
use std::borrow::Cow;
use std::fmt;

/// How a file is written.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Form {
    /// Its encoding.
    pub encoding: Encoding,
    /// What separates its fields.
    pub separator: Separator,
    /// Whether some of its numbers have decimal commas.
    pub decimal_commas: bool,
    /// The columns that are read.
    pub columns: Vec<String>,
}

impl fmt::Display for Form {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.encoding, self.separator)?;
        if self.decimal_commas {
            f.write_str(", decimal commas")?;
        }
        write!(f, "; columns `{}`", self.columns.join("`, `"))
    }
}

/// What was read of a file.
#[derive(Debug, Clone, PartialEq)]
pub struct Table<T> {
    /// What its rows hold.
    pub rows: Vec<T>,
    /// Rows that were not read.
    pub diagnostics: Diagnostics,
    /// How it is written.
    pub form: Form,
    /// What was found besides, in sentences.
    pub notes: Vec<String>,
    /// What was found about the times of its rows.
    pub times: Times,
}

/// A file's header and body.
pub(crate) struct Sheet<'a> {
    text: Cow<'a, str>,
    dialect: Dialect,
    pub(crate) columns: Columns,
    /// Where the body begins.
    body: usize,
    pub(crate) form: Form,
    pub(crate) notes: Vec<String>,
    pub(crate) has_header: bool,
}

impl<'a> Sheet<'a> {
    /// Finds out how a file is written and takes its header apart.
    pub(crate) fn new(content: &'a [u8]) -> Result<Self, Failure> {
        Self::below(content, 0)
    }

    /// As [`new`](Self::new), below some lines that are no table.
    pub(crate) fn below(content: &'a [u8], lines: usize) -> Result<Self, Failure> {
        let Decoded { text, encoding, foreign } = decode(content);
        let text = if text.contains('\n') { text } else { Cow::Owned(text.replace('\r', "\n")) };
        if text.bytes().take(64).any(|byte| byte == 0) {
            return Err(Failure::data("is not a text file").help("give the CSV file that the meter or logger exports"));
        }
        let skipped: usize = text.split_inclusive('\n').take(lines).map(str::len).sum();
        let found = Dialect::of(&text[skipped..]);
        let dialect = Dialect { start: found.start + skipped, line: found.line + lines, ..found };
        let form = Form { encoding, separator: dialect.separator, ..Form::default() };
        let mut notes: Vec<String> = foreign.sentence(encoding).into_iter().collect();
        if lines > 0 {
            notes.push(format!("its columns are named on line {}; what stands above is passed over", dialect.line));
        }
        let mut sheet = Self {
            text,
            dialect,
            columns: Columns::default(),
            body: dialect.start,
            form,
            notes,
            has_header: dialect.has_header,
        };
        let mut rows = sheet.reader(dialect.start);
        let mut first = StringRecord::new();
        if !rows.read_record(&mut first).map_err(|e| sheet.broken(&e))? {
            return Err(Failure::data("is empty").help("the first line of a table names its columns"));
        }
        if dialect.has_header {
            let mut columns = Columns::new(first.iter().map(str::to_owned).collect());
            let mut body = rows.position().byte();
            let mut second = StringRecord::new();
            if rows.read_record(&mut second).is_ok_and(|read| read)
                && columns.take_units(&second.iter().collect::<Vec<_>>())
            {
                body = rows.position().byte();
            }
            let start = dialect.start + usize::try_from(body).unwrap_or(usize::MAX);
            drop(rows);
            sheet.columns = columns;
            sheet.body = start.min(sheet.text.len());
        } else {
            let names = (1..=first.len()).map(|number| format!("column {number}")).collect();
            drop(rows);
            sheet.columns = Columns::new(names);
        }
        Ok(sheet)
    }

    /// The first row's fields.
    pub(crate) fn first_row(&self) -> Vec<String> {
        let mut record = StringRecord::new();
        let read = self.reader(self.body).read_record(&mut record).unwrap_or_default();
        if read { record.iter().map(str::to_owned).collect() } else { Vec::new() }
    }

    fn reader(&self, start: usize) -> csv::Reader<&[u8]> {
        csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .trim(csv::Trim::All)
            .delimiter(self.dialect.separator.byte())
            .from_reader(&self.text.as_bytes()[start..])
    }

    fn broken(&self, error: &csv::Error) -> Failure {
        Failure::data(format!("cannot be read as CSV with {}: {error}", self.dialect.separator))
    }

    /// The decimal signs of some columns: what their fields say, or what those of the others say.
    pub(crate) fn signs(&mut self, places: &[usize]) -> Vec<Option<DecimalSign>> {
        let mut evidence = vec![SignEvidence::default(); places.len()];
        // Between commas, only a field in quotes can hold one.
        if self.dialect.separator != Separator::Comma || self.text.contains('"') {
            let mut rows = self.reader(self.body);
            let mut record = StringRecord::new();
            while rows.read_record(&mut record).unwrap_or(false) {
                for (evidence, place) in evidence.iter_mut().zip(places) {
                    evidence.observe(record.get(*place).unwrap_or_default());
                }
            }
        }
        let mut all = SignEvidence::default();
        evidence.iter().for_each(|one| all.merge(*one));
        let sign = |one: &SignEvidence| if *one == SignEvidence::default() { all.sign() } else { one.sign() };
        let signs: Vec<_> = evidence.iter().map(sign).collect();
        self.form.decimal_commas = signs.contains(&Some(DecimalSign::Comma));
        signs
    }

    /// Hands each row on; `read` says what is wrong with one that it cannot read. A row with more fields than the header is one,
    /// unless they follow a last column that is not read, as a remark may.
    pub(crate) fn for_each(
        &self,
        read_places: &[usize],
        mut read: impl FnMut(&StringRecord) -> Result<(), String>,
    ) -> Result<Diagnostics, Failure> {
        let mut rows = self.reader(self.body);
        let mut diagnostics = Diagnostics::default();
        let mut record = StringRecord::new();
        let width = self.columns.len();
        let remark = !read_places.contains(&(width - 1));
        while rows.read_record(&mut record).map_err(|e| self.broken(&e))? {
            let too_wide = record.len() > width && !remark && record.iter().skip(width).any(|field| !field.is_empty());
            let outcome = if too_wide {
                Err(format!(
                    "has {} fields where the header has {width}; a decimal comma needs another separator, or quotes",
                    record.len()
                ))
            } else {
                read(&record)
            };
            // A remark among the rows; a first field may well begin with its sign.
            let is_comment = record.get(0).is_some_and(|field| field.starts_with('#'));
            if let Err(why) = outcome
                && !is_comment
            {
                diagnostics.note(|| format!("line {} {why}", self.line_of(&record)));
            }
        }
        Ok(diagnostics)
    }

    /// The line on which a record of the body begins.
    fn line_of(&self, record: &StringRecord) -> usize {
        self.line_at(record.position().map_or(0, csv::Position::byte))
    }

    /// The line of a record by its place in the body.
    pub(crate) fn line_at(&self, byte: u64) -> usize {
        let mut at = (self.body + usize::try_from(byte).unwrap_or_default()).min(self.text.len());
        // The reader counts what it skips to the record.
        let bytes = self.text.as_bytes();
        while matches!(bytes.get(at), Some(b'\n' | b'\r')) {
            at += 1;
        }
        1 + bytes[..at].iter().filter(|byte| **byte == b'\n').count()
    }

    /// A refusal that names the columns found, the separator and the encoding.
    pub(crate) fn refuse(&self, what: &str, help: impl Into<String>) -> Failure {
        let mut help = help.into();
        if self.columns.len() == 1 && self.columns.header(0).contains(' ') {
            help = format!("fields are separated by commas, semicolons, tabs or bars, not by blanks; {help}");
        }
        let found = if self.has_header {
            format!("its columns are {}", self.columns.list())
        } else {
            format!("it has no header and {} columns", self.columns.len())
        };
        Failure::data(format!("{what}; {found} ({}, separated by {})", self.form.encoding, self.form.separator))
            .help(help)
    }
}
