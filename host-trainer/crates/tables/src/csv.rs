//! CSV: where each row stands, and the fields as polars reads them.

use crate::signs;
use polars_core::prelude::{DataFrame, DataType, Field, PlSmallStr, Schema};
use polars_io::prelude::{CsvReadOptions, SerReader};
use shared::failure::Failure;
use shared::text::{DecimalSign, Decoded, Dialect, Separator, decode};
use std::borrow::Cow;
use std::io::Cursor;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

/// A CSV file's header and rows.
pub(crate) struct CsvTable {
    /// Names of the columns, trimmed; nothing for a column without a name.
    pub(crate) header: Vec<String>,
    /// One text column for each name.
    pub(crate) data: DataFrame,
    /// Line of the file on which each row starts, from 1.
    pub(crate) lines: Vec<u32>,
    /// The decimal sign of each column; none where no field says which.
    pub(crate) signs: Vec<Option<DecimalSign>>,
    /// What was found that is not in every such file.
    pub(crate) notes: Vec<String>,
}

/// Reads a CSV file's content, in any encoding and with any separator of [`shared::text`]. Blank lines and lines that begin with
/// `#` are skipped; lines may end in LF, CR LF or, throughout a file, in CR.
pub(crate) fn read(path: &Path, content: &[u8]) -> Result<CsvTable, Failure> {
    let Decoded { text, encoding, foreign } = decode(content);
    let mut notes: Vec<String> = foreign.sentence(encoding).into_iter().collect();
    let text = if text.contains('\n') { text } else { Cow::Owned(text.replace('\r', "\n")) };
    let dialect = Dialect::of(&text);
    let layout = scan(text.as_bytes(), dialect).map_err(|fault| fault.failure(path, dialect.separator))?;
    let Some(layout) = layout else {
        return Err(Failure::data("is empty").at(path).help("the first line of a table names its columns"));
    };
    let data = parse(&text, &layout, dialect.separator)
        .map_err(|e| Failure::data(format!("cannot be read as CSV: {e}")).at(path))?;
    if data.height() != layout.lines.len() {
        let (found, expected) = (data.height(), layout.lines.len());
        return Err(Failure::data(format!("was read as {found} rows where it has {expected}")).at(path));
    }
    // Between commas, only a field in quotes can hold one.
    let has_commas = dialect.separator != Separator::Comma || text.contains('"');
    let signs = if has_commas { signs::of(&data) } else { vec![None; layout.header.len()] };
    if signs.contains(&Some(DecimalSign::Comma)) {
        notes.push(format!("its fields are separated by {}, its numbers have decimal commas", dialect.separator));
    }
    Ok(CsvTable { header: layout.header, data, lines: layout.lines, signs, notes })
}

/// Every field as text. Columns are numbered, so that names which are empty or stand twice are told apart.
fn parse(text: &str, layout: &Layout, separator: Separator) -> Result<DataFrame, polars_core::error::PolarsError> {
    let fields = (0..layout.header.len()).map(|i| Field::new(PlSmallStr::from_string(i.to_string()), DataType::String));
    let schema: Schema = fields.collect();
    let content = layout.without_comments(text);
    let mut data = CsvReadOptions::default()
        .with_has_header(true)
        .with_infer_schema_length(Some(0))
        .with_raise_if_empty(false)
        .with_schema(Some(Arc::new(schema)))
        .map_parse_options(|options| options.with_separator(separator.byte()))
        // Not from the body: polars takes a file for compressed by its first bytes, which the first field could be.
        .into_reader_with_file_handle(Cursor::new(content.as_bytes()))
        .finish()?;
    if let Some(whole) = layout.mask() {
        data = data.filter(&whole)?;
    }
    data.rechunk_mut();
    Ok(data)
}

/// Where the rows of a CSV file stand.
#[derive(Debug, Default)]
struct Layout {
    header: Vec<String>,
    header_start: usize,
    lines: Vec<u32>,
    /// Numbers of the blank lines among the rows, counted as polars does, which makes a row of nulls of each.
    blank: Vec<usize>,
    /// Where comments stand among the rows.
    comments: Vec<Range<usize>>,
}

impl Layout {
    /// The text from the header on.
    fn without_comments<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.comments.is_empty() {
            return Cow::Borrowed(&text[self.header_start..]);
        }
        let mut whole = String::with_capacity(text.len() - self.header_start);
        let mut at = self.header_start;
        for comment in &self.comments {
            whole += &text[at..comment.start];
            at = comment.end;
        }
        Cow::Owned(whole + &text[at..])
    }

    fn mask(&self) -> Option<polars_core::prelude::BooleanChunked> {
        if self.blank.is_empty() {
            return None;
        }
        let mut whole = vec![true; self.lines.len() + self.blank.len()];
        for &row in &self.blank {
            whole[row] = false;
        }
        Some(whole.into_iter().collect())
    }
}

/// What is wrong with the text, and on which line.
#[derive(Debug, PartialEq)]
struct Fault {
    line: usize,
    message: String,
}

impl Fault {
    fn failure(self, path: &Path, separator: Separator) -> Failure {
        let help = format!(
            "fields are separated by {separator}; one that contains such a sign, as a number with a decimal comma may, is put \
             in quotes"
        );
        Failure::data(self.message).at(path).place(format!("line {}", self.line)).help(help)
    }
}

/// Finds every record; nothing where there is no header.
fn scan(content: &[u8], dialect: Dialect) -> Result<Option<Layout>, Fault> {
    let mut layout = Layout::default();
    let (mut position, mut line) = (dialect.start, dialect.line);
    let mut ends = Vec::new();
    while position < content.len() {
        let start = position;
        let line_of_start = line;
        ends.clear();
        let read = record(content, dialect.separator.byte(), &mut position, &mut line, &mut ends);
        // A comment has not as many fields as there are columns; a first field may well begin with its sign.
        if content[start] == b'#' && !layout.header.is_empty() && (read.is_err() || ends.len() != layout.header.len()) {
            position =
                start + content[start..].iter().position(|&b| b == b'\n').map_or(content.len() - start, |end| end + 1);
            line = line_of_start + 1;
            layout.comments.push(start..position);
            continue;
        }
        read?;
        let blank = ends.len() == 1 && ends[0] == start;
        if layout.header.is_empty() {
            if !blank {
                layout.header_start = start;
                layout.header = names(content, start, &ends);
            }
        } else if blank {
            layout.blank.push(layout.lines.len() + layout.blank.len());
        } else if ends.len() == layout.header.len() {
            let number = u32::try_from(line_of_start)
                .map_err(|_| Fault { line: line_of_start, message: "has too many lines".into() })?;
            layout.lines.push(number);
        } else {
            let message = format!("has {} fields where the header has {}", ends.len(), layout.header.len());
            return Err(Fault { line: line_of_start, message });
        }
    }
    Ok((!layout.header.is_empty()).then_some(layout))
}

/// Passes over one record: `ends` receives the end of each field, without the line's end.
fn record(
    content: &[u8],
    separator: u8,
    position: &mut usize,
    line: &mut usize,
    ends: &mut Vec<usize>,
) -> Result<(), Fault> {
    let start_line = *line;
    let fault = |message: &str| Err(Fault { line: start_line, message: message.into() });
    loop {
        if content.get(*position) == Some(&b'"') {
            *position += 1;
            loop {
                match content.get(*position) {
                    None => return fault("has a quote that is not closed"),
                    Some(b'"') if content.get(*position + 1) == Some(&b'"') => *position += 1,
                    Some(b'"') => break,
                    Some(b'\n') => *line += 1,
                    Some(_) => {}
                }
                *position += 1;
            }
            *position += 1;
        } else {
            let rest = &content[*position..];
            *position +=
                rest.iter().position(|&b| b == separator || matches!(b, b'\n' | b'\r' | b'"')).unwrap_or(rest.len());
        }
        ends.push(*position);
        match (content.get(*position), content.get(*position + 1)) {
            (Some(&byte), _) if byte == separator => *position += 1,
            (Some(b'\n'), _) => *position += 1,
            (Some(b'\r'), Some(b'\n')) => *position += 2,
            (None, _) | (Some(b'\r'), None) => {
                *position = content.len();
                return Ok(());
            }
            (Some(b'\r'), _) => return fault("has a carriage return that no line feed follows"),
            (Some(b'"'), _) => {
                return fault("has a quote inside a field; quote the whole field and double the quotes in it");
            }
            _ => return fault("has text after a closing quote"),
        }
        if content[*position - 1] == b'\n' {
            *line += 1;
            return Ok(());
        }
    }
}

/// The header's names, unquoted and trimmed.
fn names(content: &[u8], mut start: usize, ends: &[usize]) -> Vec<String> {
    let name = |&end: &usize| {
        let field = String::from_utf8_lossy(&content[start..end]);
        start = end + 1;
        match field.strip_prefix('"').and_then(|f| f.strip_suffix('"')) {
            Some(quoted) => quoted.replace("\"\"", "\"").trim().to_owned(),
            None => field.trim().to_owned(),
        }
    };
    ends.iter().map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(content: &str) -> Vec<Vec<Option<String>>> {
        let table = read(Path::new("a.csv"), content.as_bytes()).expect("a table");
        let row = |r: usize| table.data.columns().iter().map(move |c| c.str().expect("text").get(r).map(str::to_owned));
        (0..table.data.height()).map(|r| row(r).collect()).collect()
    }

    fn row(fields: &[&str]) -> Vec<Option<String>> {
        fields.iter().map(|f| (!f.is_empty()).then(|| (*f).to_owned())).collect()
    }

    #[test]
    fn quotes_blank_lines_and_line_ends_are_read() {
        let text = "\u{feff}\r\na,\"b \",\r\n1,\"x, \"\"y\"\"\n z\",2\r\n\r\n\n,,3\r\n4,5,6";
        assert_eq!(fields(text), [row(&["1", "x, \"y\"\n z", "2"]), row(&["", "", "3"]), row(&["4", "5", "6"])]);
        let table = read(Path::new("a.csv"), text.as_bytes()).expect("a table");
        assert_eq!(table.header, ["a", "b", ""]);
        assert_eq!(table.lines, [3, 7, 8]);
    }

    #[test]
    fn one_column_and_no_rows_are_tables() {
        assert_eq!(fields("a\n1\n\n2\n\n"), [row(&["1"]), row(&["2"])]);
        assert_eq!(fields("a,b\n"), Vec::<Vec<_>>::new());
        assert_eq!(fields("a,b"), Vec::<Vec<_>>::new());
        assert_eq!(fields("a,b\n\n\n"), Vec::<Vec<_>>::new());
        assert_eq!(fields("a\n\"\"\n1\n").len(), 2);
    }

    #[test]
    fn the_first_field_is_no_compressed_file() {
        assert_eq!(fields("a,b\nx^,1\n"), [row(&["x^", "1"])]);
    }

    #[test]
    fn what_cannot_be_read_is_named_with_its_line() {
        let cases: [(&[u8], &str); 10] = [
            (b"", "a.csv: is empty"),
            (b"\n\r\n", "a.csv: is empty"),
            (b"a,b\n1,2\n\n1\n", "line 4: has 1 fields where the header has 2"),
            (b"a,b\n\"1\n\",2\n1,2,3\n", "line 4: has 3 fields where the header has 2"),
            (b"a,b\n1,\"2\n3,4\n", "line 2: has a quote that is not closed"),
            (b"a,b\n1,\"2\"x\n", "line 2: has text after a closing quote"),
            (b"a,b\n1,2\"\n", "line 2: has a quote inside a field"),
            (b"a,b\n1,2\r3,4\n", "line 2: has a carriage return that no line feed follows"),
            (b"a;b\n1,5;2;\n", "line 2: has 3 fields where the header has 2"),
            (b"a,b\n#,\n#\n1,2,3\n", "line 4: has 3 fields where the header has 2"),
        ];
        for (content, expected) in cases {
            let failure = read(Path::new("a.csv"), content).err().expect(expected).to_string();
            assert!(failure.contains(expected), "{failure}");
        }
    }

    #[test]
    fn comments_are_skipped_and_foreign_bytes_are_noted() {
        let text = b"# a table\r\n\r\na,b\r\n# one, \"two, three\r\n1,2\r\n#3,\xb5\r\n#\r\n\r\n5,6\r\n# end";
        let table = read(Path::new("a.csv"), text).expect("a table");
        assert_eq!(table.lines, [5, 6, 9]);
        assert_eq!(table.notes, ["a byte on line 6 is not UTF-8 and is read as U+FFFD"]);
        let text = String::from_utf8_lossy(text);
        assert_eq!(fields(&text), [row(&["1", "2"]), row(&["#3", "\u{fffd}"]), row(&["5", "6"])]);
        assert_eq!(fields("#a,b\n1,2\n"), [row(&["1", "2"])]);
        assert_eq!(fields("a,b\r1,2\r\r3,4\r"), [row(&["1", "2"]), row(&["3", "4"])]);
    }

    /// Header, rows and line numbers.
    type Parsed = (Vec<String>, Vec<Vec<String>>, Vec<u64>);

    fn peer(content: &str) -> Option<Parsed> {
        let mut reader = ::csv::ReaderBuilder::new().trim(::csv::Trim::All).from_reader(content.as_bytes());
        let header = reader.headers().ok()?.iter().map(str::to_owned).collect();
        let (mut rows, mut lines) = (Vec::new(), Vec::new());
        for record in reader.records() {
            let record = record.ok()?;
            rows.push(record.iter().map(str::to_owned).collect());
            lines.push(record.position()?.line());
        }
        Some((header, rows, lines))
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig::with_cases(2000))]
        #[test]
        fn whatever_is_read_is_what_the_csv_crate_reads(content in "([ab,\"\n ]|\r\n|\"\"|\",\"|\"\n){1,40}") {
            // A text that has no line feed may end its lines in CR, which the csv crate has to be told.
            let Ok(table) = read(Path::new("a.csv"), content.as_bytes()) else { return Ok(()) };
            let (header, rows, lines) = peer(&content).expect("the csv crate reads it too");
            proptest::prop_assert_eq!(&table.header, &header);
            let field = |column: &polars_core::prelude::Column, row: usize| {
                column.str().expect("text").get(row).unwrap_or_default().trim().to_owned()
            };
            let found: Vec<Vec<String>> = (0..table.data.height())
                .map(|row| table.data.columns().iter().map(|column| field(column, row)).collect())
                .collect();
            proptest::prop_assert_eq!(found, rows);
            // Before CR LF and after a blank line, the csv crate counts a line too few.
            if content.contains('\r') || content.contains("\n\n") || content.starts_with('\n') {
                return Ok(());
            }
            proptest::prop_assert_eq!(table.lines.iter().map(|&line| u64::from(line)).collect::<Vec<_>>(), lines);
        }
    }
}
