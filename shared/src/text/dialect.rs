//! How a table in text separates its fields, and where its rows begin.

use super::moment::Moment;
use super::number::{DecimalSign, SignEvidence, number_and_unit};
use std::fmt;

/// Rows that are looked at to find the separator.
const ROWS: usize = 50;
/// Longest beginning of a text that is looked at.
const HEAD: usize = 1 << 16;

/// What stands between two fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Separator {
    /// `,`
    #[default]
    Comma,
    /// `;`, where a comma is the decimal sign.
    Semicolon,
    /// A tab, as a spreadsheet saves text.
    Tab,
    /// `|`
    Bar,
}

impl Separator {
    /// All of them. Of two that fit equally well the earlier is meant: a comma is also a decimal sign.
    const ALL: [Self; 4] = [Self::Tab, Self::Semicolon, Self::Bar, Self::Comma];

    /// The byte.
    #[must_use]
    pub fn byte(self) -> u8 {
        match self {
            Self::Comma => b',',
            Self::Semicolon => b';',
            Self::Tab => b'\t',
            Self::Bar => b'|',
        }
    }
}

impl fmt::Display for Separator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Comma => "commas",
            Self::Semicolon => "semicolons",
            Self::Tab => "tabs",
            Self::Bar => "bars (`|`)",
        })
    }
}

/// How a table is written: comments in lines that begin with `#`, blank lines, a header, and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Dialect {
    /// What separates its fields.
    pub separator: Separator,
    /// Where its header begins, or the first row where it has none, in bytes; behind the `#` of a header that is a comment.
    pub start: usize,
    /// The line on which that is, from 1.
    pub line: usize,
    /// Whether the first line is a header: its first field is neither a number nor a moment.
    pub has_header: bool,
}

impl Dialect {
    /// Finds out how a table is written from its beginning. `sep=;`, as spreadsheets write it, is obeyed.
    ///
    /// ```
    /// use shared::text::{Dialect, Separator};
    ///
    /// let dialect = Dialect::of("# a meter\nt_ms;mV;mA\n0;5000,5;1200,0\n");
    /// assert_eq!((dialect.separator, dialect.start, dialect.line), (Separator::Semicolon, 10, 2));
    /// assert!(dialect.has_header);
    /// ```
    #[must_use]
    pub fn of(text: &str) -> Self {
        let mut lines = Lines { text, at: 0, line: 0 };
        let mut told = None;
        let mut comments = Vec::new();
        let mut first = None;
        while first.is_none()
            && let Some(line) = lines.next()
        {
            let trimmed = line.text.trim();
            if trimmed.starts_with('#') {
                comments.extend((comments.len() < ROWS).then(|| line.comment()));
            } else if let Some(separator) = told_separator(trimmed).filter(|_| told.is_none()) {
                told = Some(separator);
            } else if !line.text.is_empty() {
                first = Some(line);
            }
        }
        let found = |header: &str, rows: &str| told.unwrap_or_else(|| separator_of(header, rows));
        if let Some(first) = first {
            let rows = &text[first.start..];
            let separator = found(first.text, rows);
            let is_row = is_value(first_field(first.text, separator));
            let header = comments.iter().rev().filter(|_| is_row).filter_map(|&comment: &Line<'_>| {
                let separator = found(comment.text, rows);
                let names = count(comment.text, separator);
                let fits = names > 1 && names == count(first.text, separator) && !comment.has_value(separator);
                fits.then_some((comment, separator))
            });
            // Joulescope's longer form says which of its comments is the header; the units follow it.
            match header.max_by_key(|(comment, _)| comment.is_told_header(text)) {
                Some((header, separator)) => header.begins(separator, true),
                None => first.begins(separator, !is_row),
            }
        } else {
            // Comments alone are a header without rows, or nothing.
            let header = comments.into_iter().rfind(|comment| {
                let separator = separator_of(comment.text, comment.text);
                count(comment.text, separator) > 1 && !comment.has_value(separator)
            });
            let end = Line { text: "", start: text.len(), line: lines.line + 1 };
            let line = header.unwrap_or(end);
            line.begins(found(line.text, line.text), header.is_some())
        }
    }

    /// What the fields of some rows say of the decimal sign, together.
    #[must_use]
    pub fn signs(self, rows: &str) -> SignEvidence {
        let mut evidence = SignEvidence::default();
        for line in rows.lines() {
            line.split(char::from(self.separator.byte())).for_each(|field| evidence.observe(field.trim_matches('"')));
        }
        evidence
    }
}

/// A line with its place.
#[derive(Debug, Clone, Copy)]
struct Line<'a> {
    text: &'a str,
    start: usize,
    line: usize,
}

impl<'a> Line<'a> {
    /// What a comment says, behind its signs.
    fn comment(self) -> Self {
        let text = self.text.trim_end();
        let said = text.trim_start().trim_start_matches(['#', '=', ' ']);
        let said = said.strip_prefix("header=").unwrap_or(said).trim_start();
        Self { text: said, start: self.start + text.len() - said.len(), ..self }
    }

    fn is_told_header(self, whole: &str) -> bool {
        whole[..self.start].ends_with("header=")
    }

    fn has_value(self, separator: Separator) -> bool {
        is_value(first_field(self.text, separator))
    }

    fn begins(self, separator: Separator, has_header: bool) -> Dialect {
        Dialect { separator, start: self.start, line: self.line, has_header }
    }
}

struct Lines<'a> {
    text: &'a str,
    at: usize,
    line: usize,
}

impl<'a> Iterator for Lines<'a> {
    type Item = Line<'a>;

    fn next(&mut self) -> Option<Line<'a>> {
        let rest = self.text.get(self.at..).filter(|rest| !rest.is_empty())?;
        let length = rest.find('\n').map_or(rest.len(), |end| end + 1);
        let start = self.at;
        self.at += length;
        self.line += 1;
        Some(Line { text: rest[..length].trim_end_matches(['\r', '\n']), start, line: self.line })
    }
}

/// `sep=;`
fn told_separator(line: &str) -> Option<Separator> {
    let told = line.get(..4).is_some_and(|start| start.eq_ignore_ascii_case("sep=")) && line.len() == 5;
    Separator::ALL.into_iter().find(|separator| told && line.as_bytes()[4] == separator.byte())
}

/// The separator by which the most rows have as many fields as the header, and more than one.
fn separator_of(header: &str, rows: &str) -> Separator {
    let end = rows.floor_char_boundary(rows.len().min(HEAD));
    let is_row = |line: &&str| !line.trim().is_empty() && !line.starts_with('#');
    let sample: Vec<&str> = rows[..end].lines().filter(is_row).take(ROWS).collect();
    let agreeing = |separator: Separator| {
        let names = count(header, separator);
        if names > 1 { sample.iter().filter(|row| count(row, separator) == names).count() } else { 0 }
    };
    let mut best = (Separator::Comma, 0);
    for separator in Separator::ALL {
        let rows = agreeing(separator);
        if rows > best.1 {
            best = (separator, rows);
        }
    }
    best.0
}

/// Fields of a line, with separators in quotes left alone.
fn count(line: &str, separator: Separator) -> usize {
    let mut quoted = false;
    let is_end = |&byte: &u8| {
        quoted ^= byte == b'"';
        byte == separator.byte() && !quoted
    };
    1 + line.as_bytes().iter().copied().filter(is_end).count()
}

fn first_field(line: &str, separator: Separator) -> &str {
    line.split(char::from(separator.byte())).next().unwrap_or_default().trim().trim_matches('"')
}

/// Whether a field is a value and no column's name.
fn is_value(field: &str) -> bool {
    let signs = [DecimalSign::Point, DecimalSign::Comma];
    field.parse::<f64>().is_ok()
        || signs.into_iter().any(|sign| number_and_unit(field, Some(sign)).is_some())
        || Moment::of(field).is_some()
        || Moment::of_day(field).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn separators_and_headers_are_found() {
        use Separator::{Bar, Comma, Semicolon, Tab};
        for (text, separator, start, has_header) in [
            ("", Comma, 0, false),
            ("a,b\n1,2\n", Comma, 0, true),
            ("a\n1\n", Comma, 0, true),
            ("t;V;A\n0;5,0;1,2\n", Semicolon, 0, true),
            ("0;5,0;1,2\n1;5,0;1,2\n", Semicolon, 0, false),
            ("\nsep=;\na;b\n1;2\n", Semicolon, 7, true),
            ("t\tmW\n0\t1,5\n", Tab, 0, true),
            ("a|b\n1|2\n", Bar, 0, true),
            ("name,x\n\"a;b;c\",1\n", Comma, 0, true),
            ("a;b,c\n1,2\n3,4\n", Comma, 0, true),
            ("a,b\n1;2\n", Comma, 0, true),
            ("a;b\n", Semicolon, 0, true),
            ("#time,power\n0.0,1\n", Comma, 1, true),
            ("# made by x, y and z\n# 2024,1\nt,p\n0,1\n", Comma, 30, true),
            ("# made by x\n0,1\n", Comma, 12, false),
            ("#= header=time,current\n#= units=s,A\n0,1\n", Comma, 10, true),
            ("#a;b\n", Semicolon, 1, true),
            ("2024-05-01T10:00:00Z,5,1\n", Comma, 0, false),
            ("1,234;5\n2,345;6\n", Semicolon, 0, false),
            ("-1e-3,5\n", Comma, 0, false),
            ("5V rail,x\n1,2\n", Comma, 0, true),
        ] {
            let dialect = Dialect::of(text);
            let found = (dialect.separator, dialect.start, dialect.has_header);
            assert_eq!(found, (separator, start, has_header), "{text:?}");
            let before = text[..dialect.start].matches('\n').count() + 1;
            assert_eq!(dialect.line, before, "{text:?}");
        }
    }

    proptest! {
        #[test]
        fn a_table_is_the_same_with_each_separator(columns in 2_usize..6, rows in 1_usize..8, seed in 0_u32..1000) {
            for (separator, decimal) in
                [(Separator::Comma, '.'), (Separator::Semicolon, ','), (Separator::Tab, ','), (Separator::Bar, '.')]
            {
                let join = |fields: Vec<String>| fields.join(&char::from(separator.byte()).to_string()) + "\n";
                let mut text = join((0..columns).map(|c| format!("column{c}")).collect());
                for row in 0..rows {
                    let field = |c| format!("{row}{decimal}{}", (seed + c as u32) % 97);
                    text += &join((0..columns).map(field).collect());
                }
                let dialect = Dialect::of(&text);
                prop_assert_eq!(dialect, Dialect { separator, start: 0, line: 1, has_header: true });
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[#;,|\t\n\"a1é= .-]{0,60}") {
            let dialect = Dialect::of(&text);
            prop_assert!(text.is_char_boundary(dialect.start));
            let _ = dialect.signs(&text);
        }
    }
}
