//! Numbers as people write them: with a decimal point or comma, and with thousands separated where that is certain.

use super::label::Unit;
use std::borrow::Cow;

/// What separates a number's whole part from its fraction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DecimalSign {
    /// `1.5`
    Point,
    /// `1,5`
    Comma,
}

/// What some fields say of their decimal sign, taken together. A single field such as `1,234` says nothing: it may have
/// thousands or thousandths.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct SignEvidence {
    points: u64,
    commas: u64,
}

impl SignEvidence {
    /// Takes a field into account.
    pub fn observe(&mut self, field: &str) {
        // Most fields have neither, and most files no comma at all.
        if !field.bytes().any(|byte| matches!(byte, b',' | b'.')) {
            return;
        }
        match certain_sign(field.trim()) {
            Some(DecimalSign::Point) => self.points += 1,
            Some(DecimalSign::Comma) => self.commas += 1,
            None => {}
        }
    }

    /// Adds what other fields say.
    pub fn merge(&mut self, other: Self) {
        self.points += other.points;
        self.commas += other.commas;
    }

    /// The sign; none where nothing says which, or where both are there.
    #[must_use]
    pub fn sign(self) -> Option<DecimalSign> {
        match (self.points, self.commas) {
            (1.., 0) => Some(DecimalSign::Point),
            (0, 1..) => Some(DecimalSign::Comma),
            _ => None,
        }
    }
}

/// A number's sign, whole digits with what separates them, and exponent.
struct Parts<'a> {
    negative: bool,
    mantissa: Cow<'a, str>,
    exponent: &'a str,
}

fn parts(field: &str) -> Option<Parts<'_>> {
    let (negative, rest) = match field.chars().next()? {
        '-' | '\u{2212}' => (true, &field[field.chars().next()?.len_utf8()..]),
        '+' => (false, &field[1..]),
        _ => (false, field),
    };
    let (mantissa, exponent) = match rest.find(['e', 'E']) {
        Some(at) => (&rest[..at], &rest[at + 1..]),
        None => (rest, ""),
    };
    let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
    let has_exponent = mantissa.len() < rest.len();
    if has_exponent && (digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let is_group = |c: char| matches!(c, ' ' | '\u{a0}' | '\u{2009}' | '\u{202f}' | '\'' | '\u{2019}');
    let known = |c: char| c.is_ascii_digit() || matches!(c, '.' | ',') || is_group(c);
    if !mantissa.chars().all(known) || !mantissa.bytes().any(|b| b.is_ascii_digit()) {
        return None;
    }
    // All blanks and apostrophes between thousands are one separator.
    let mantissa =
        if mantissa.contains(is_group) { Cow::Owned(mantissa.replace(is_group, " ")) } else { Cow::Borrowed(mantissa) };
    Some(Parts { negative, mantissa, exponent })
}

/// Whether digits stand in groups of three after the first: `1,234,567`.
fn is_grouped(whole: &str, separator: char) -> bool {
    let mut groups = whole.split(separator);
    let first = groups.next().unwrap_or_default();
    (1..=3).contains(&first.len())
        && !first.starts_with('0')
        && first.bytes().all(|b| b.is_ascii_digit())
        && groups.all(|group| group.len() == 3 && group.bytes().all(|b| b.is_ascii_digit()))
}

/// The decimal sign that a field must have, if it is a number that can be read in one way only.
fn certain_sign(field: &str) -> Option<DecimalSign> {
    let Parts { mantissa, exponent, .. } = parts(field)?;
    let other = |sign| if sign == DecimalSign::Point { DecimalSign::Comma } else { DecimalSign::Point };
    let last = mantissa.rfind(['.', ','])?;
    let sign = if mantissa.as_bytes()[last] == b'.' { DecimalSign::Point } else { DecimalSign::Comma };
    let reads = |sign| plain(&mantissa, sign).is_some();
    let fraction = mantissa.len() - last - 1;
    let may_be_thousands = reads(other(sign)) && exponent.is_empty() && fraction == 3;
    match (reads(sign), may_be_thousands) {
        (true, false) => Some(sign),
        (false, true) => Some(other(sign)),
        _ => None,
    }
}

/// The digits with a decimal point and without separators of thousands; none where they do not stand in groups of three.
fn plain(mantissa: &str, sign: DecimalSign) -> Option<Cow<'_, str>> {
    let (decimal, group) = if sign == DecimalSign::Point { ('.', ',') } else { (',', '.') };
    let (whole, fraction) = mantissa.split_once(decimal).map_or((mantissa, None), |(w, f)| (w, Some(f)));
    if fraction.is_some_and(|f| !f.bytes().all(|b| b.is_ascii_digit())) {
        return None;
    }
    let separators: Vec<char> = [group, ' '].into_iter().filter(|&s| whole.contains(s)).collect();
    match separators[..] {
        [] if sign == DecimalSign::Point => Some(Cow::Borrowed(mantissa)),
        [] => Some(Cow::Owned(mantissa.replace(',', "."))),
        [separator] if is_grouped(whole, separator) => {
            let digits = whole.replace(separator, "");
            Some(Cow::Owned(fraction.map_or(digits.clone(), |fraction| format!("{digits}.{fraction}"))))
        }
        _ => None,
    }
}

/// Reads a finite number with a decimal sign. Without a known sign, a field with a comma is read only where it says itself what
/// it is; a point is then decimal.
///
/// ```
/// use shared::text::{DecimalSign, number};
///
/// assert_eq!(number("1.234,5", Some(DecimalSign::Comma)), Some(1234.5));
/// assert_eq!(number("6,5", None), Some(6.5));
/// assert_eq!(number("1,234", None), None, "1.234 or 1234");
/// assert_eq!(number("nan", None), None);
/// ```
#[must_use]
pub fn number(field: &str, sign: Option<DecimalSign>) -> Option<f64> {
    let field = field.trim();
    // What nearly every field is, as fast as it can be read.
    if sign != Some(DecimalSign::Comma)
        && let Ok(value) = field.parse::<f64>()
    {
        return Some(value).filter(|v| v.is_finite());
    }
    canonical(field, sign)?.parse::<f64>().ok().filter(|v| v.is_finite())
}

/// A number with a decimal point and nothing between its thousands.
pub(super) fn canonical(field: &str, sign: Option<DecimalSign>) -> Option<String> {
    let Parts { negative, mantissa, exponent } = parts(field.trim())?;
    let sign = match sign {
        Some(sign) => sign,
        None if mantissa.contains(',') => certain_sign(field.trim())?,
        None => DecimalSign::Point,
    };
    let digits = plain(&mantissa, sign)?;
    let minus = if negative { "-" } else { "" };
    Some(if exponent.is_empty() { format!("{minus}{digits}") } else { format!("{minus}{digits}e{exponent}") })
}

/// As [`number`], of a field that may carry a unit behind the number: `45.3 W`.
#[must_use]
pub fn number_and_unit(field: &str, sign: Option<DecimalSign>) -> Option<(f64, Option<Unit>)> {
    let field = field.trim();
    if let Some(value) = number(field, sign) {
        return Some((value, None));
    }
    let end = field.rfind(|c: char| c.is_ascii_digit() || matches!(c, '.' | ','))? + 1;
    let unit = Unit::of(field[end..].trim())?;
    Some((number(&field[..end], sign)?, Some(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sign_of(fields: &[&str]) -> Option<DecimalSign> {
        let mut evidence = SignEvidence::default();
        fields.iter().for_each(|field| evidence.observe(field));
        evidence.sign()
    }

    #[test]
    fn a_sign_is_known_only_where_a_field_can_be_read_in_one_way() {
        use DecimalSign::{Comma, Point};
        for (field, expected) in [
            ("0,5", Some(Comma)),
            ("5000,5", Some(Comma)),
            ("1.234,5", Some(Comma)),
            ("1.234.567", Some(Comma)),
            ("0,123", Some(Comma)),
            ("1 234,567", Some(Comma)),
            ("1,5e3", Some(Comma)),
            ("0.5", Some(Point)),
            ("1,234.5", Some(Point)),
            ("1,234,567", Some(Point)),
            ("12345.678", Some(Point)),
            ("-1'234.5", Some(Point)),
            ("1,234", None),
            ("1.234", None),
            ("1234", None),
            ("01.05.2024", None),
            ("1.2.3", None),
            ("fc1.0", None),
            ("1,2,3", None),
        ] {
            assert_eq!(sign_of(&[field]), expected, "{field}");
        }
        assert_eq!(sign_of(&["1,234", "0,5"]), Some(Comma));
        assert_eq!(sign_of(&["1,5", "1.5"]), None);
    }

    #[test]
    fn thousands_are_read_where_they_stand_in_groups_of_three() {
        use DecimalSign::{Comma, Point};
        for (field, sign, expected) in [
            ("1.234", Some(Comma), Some(1234.0)),
            ("1,234", Some(Point), Some(1234.0)),
            ("1,234", Some(Comma), Some(1.234)),
            ("1\u{202f}234,5", Some(Comma), Some(1234.5)),
            ("-12'345.5", Some(Point), Some(-12345.5)),
            ("\u{2212}5,5", Some(Comma), Some(-5.5)),
            ("1,2345", Some(Point), None),
            ("1.2345", Some(Comma), None),
            ("12.34,5", Some(Comma), None),
            ("1,234,56", None, None),
            ("1.234", None, Some(1.234)),
            ("0x1", None, None),
            ("1_0", None, None),
            ("inf", None, None),
            ("1e400", None, None),
            ("2,5E-3", Some(Comma), Some(0.0025)),
            ("", None, None),
            ("-", None, None),
            (".", None, None),
            ("e5", None, None),
            (",5", Some(Comma), Some(0.5)),
        ] {
            assert_eq!(number(field, sign), expected, "{field} {sign:?}");
        }
    }

    #[test]
    fn a_unit_may_stand_behind_the_number() {
        let (value, unit) = number_and_unit(" 45.32 W ", None).expect("a number");
        assert_eq!((value, unit), (45.32, Unit::of("W")));
        assert_eq!(number_and_unit("45.32", None), Some((45.32, None)));
        for other in ["[N/A]", "W", "45 %", "4 5x"] {
            assert_eq!(number_and_unit(other, None), None, "{other}");
        }
    }

    /// A number as a country writes it.
    fn written(value: f64, decimals: usize, decimal: char, group: Option<char>) -> String {
        let text = format!("{:.decimals$}", value.abs());
        let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
        let mut out = String::new();
        for (at, digit) in whole.chars().enumerate() {
            if at > 0 && (whole.len() - at) % 3 == 0 {
                out.extend(group);
            }
            out.push(digit);
        }
        let sign = if value < 0.0 { "-" } else { "" };
        if fraction.is_empty() { format!("{sign}{out}") } else { format!("{sign}{out}{decimal}{fraction}") }
    }

    proptest! {
        #[test]
        fn a_column_reads_equal_in_every_country(values in proptest::collection::vec((-1e7_f64..1e7, 0_usize..7), 1..20)) {
            let plain: Vec<f64> = values.iter().map(|(v, d)| format!("{v:.d$}").parse().expect("a number")).collect();
            for (decimal, group) in [('.', None), ('.', Some(',')), (',', None), (',', Some('.')), (',', Some(' ')), ('.', Some('\''))] {
                let texts: Vec<String> = values.iter().map(|(v, d)| written(*v, *d, decimal, group)).collect();
                let mut evidence = SignEvidence::default();
                texts.iter().for_each(|text| evidence.observe(text));
                let truth = if decimal == '.' { DecimalSign::Point } else { DecimalSign::Comma };
                // The evidence is the truth or silent, and with it each number is what it was.
                prop_assert!(evidence.sign().is_none_or(|sign| sign == truth), "{texts:?}");
                for (text, value) in texts.iter().zip(&plain) {
                    prop_assert_eq!(number(text, Some(truth)), Some(*value), "{}", text);
                }
            }
        }

        #[test]
        fn what_rust_reads_is_read_as_rust_does(value in proptest::num::f64::NORMAL) {
            prop_assert_eq!(number(&format!("{value:?}"), Some(DecimalSign::Point)), Some(value));
            prop_assert_eq!(number(&format!("{value:e}"), None), Some(value));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9.,' eE\u{a0}\u{2212}Wm]{0,12}|\\PC{0,12}") {
            for sign in [None, Some(DecimalSign::Point), Some(DecimalSign::Comma)] {
                let _ = number_and_unit(&text, sign);
            }
            sign_of(&[&text]);
        }
    }
}
