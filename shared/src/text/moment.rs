//! Dates with times, epochs, and exact times of counters.

use super::number::{DecimalSign, canonical, number};
use crate::run_folder::stamp::{SECOND_NS, parse_stamp};

/// A moment that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Nanoseconds since 1970-01-01 of the clock that wrote it; of UTC where it names its zone.
    pub unix_ns: i64,
    /// Whether it names its zone.
    pub zoned: bool,
}

impl Moment {
    /// Reads a date and a time of day: ISO 8601 in its long and short forms, the same with slashes, with the day first where
    /// points separate it (`31.12.2024`), and EdgeProfiler's stamps. A fraction has up to nine digits that count. A date
    /// such as `05/01/2024` is none: it has two meanings.
    ///
    /// ```
    /// use shared::text::Moment;
    ///
    /// let utc = Moment::of("2024-05-01T10:00:00.250Z").expect("a moment");
    /// assert_eq!((utc.unix_ns, utc.zoned), (1_714_557_600_250_000_000, true));
    /// for same in ["2024-05-01 12:00:00,25+02:00", "2024/05/01 10:00:00.25 UTC", "20240501T100000.25Z"] {
    ///     assert_eq!(Moment::of(same), Some(utc), "{same}");
    /// }
    /// assert_eq!(Moment::of("01.05.2024 10:00:00.25").map(|m| m.unix_ns), Some(utc.unix_ns));
    /// assert_eq!(Moment::of("05/01/2024 10:00:00"), None);
    /// ```
    #[must_use]
    pub fn of(text: &str) -> Option<Self> {
        let text = text.trim();
        if !text.is_ascii() {
            return None;
        }
        let (date, rest) = date(text)?;
        let rest = rest.strip_prefix(['T', 't', ' ', '-', '_'])?.trim_start();
        let (time, zone) = time_of_day(rest)?;
        let zone_ns = zone_ns(zone.trim())?;
        let local = parse_stamp(&format!("{date}-{time}"))?;
        Some(Self { unix_ns: local.checked_sub(zone_ns.unwrap_or(0))?, zoned: zone_ns.is_some() })
    }

    /// Reads a time of day alone, as nanoseconds since midnight.
    #[must_use]
    pub fn of_day(text: &str) -> Option<i64> {
        let text = text.trim();
        let (time, zone) = time_of_day(text).filter(|_| text.is_ascii() && text.contains(':'))?;
        zone.is_empty().then(|| parse_stamp(&format!("19700101-{time}")))?
    }
}

/// `YYYYMMDD` of a date at the start of a text, and the rest.
fn date(text: &str) -> Option<(String, &str)> {
    let digits = |from: usize, to: usize| text.get(from..to).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
    let sign = |at: usize| text.as_bytes().get(at).copied();
    if let Some(compact) = digits(0, 8) {
        return Some((compact.to_owned(), &text[8..]));
    }
    if let (Some(year), Some(month), Some(day)) = (digits(0, 4), digits(5, 7), digits(8, 10))
        && sign(4) == sign(7)
        && matches!(sign(4), Some(b'-' | b'/' | b'.'))
    {
        return Some((format!("{year}{month}{day}"), &text[10..]));
    }
    if let (Some(day), Some(month), Some(year)) = (digits(0, 2), digits(3, 5), digits(6, 10))
        && (sign(2), sign(5)) == (Some(b'.'), Some(b'.'))
    {
        return Some((format!("{year}{month}{day}"), &text[10..]));
    }
    None
}

/// `HH:MM:SS.fffffffff` of a time at the start of a text, and the rest.
fn time_of_day(text: &str) -> Option<(String, &str)> {
    let digits = |from: usize, to: usize| text.get(from..to).filter(|d| d.bytes().all(|b| b.is_ascii_digit()));
    let colon = |at: usize| text.as_bytes().get(at) == Some(&b':');
    let (clock, rest) = if let Some(compact) = digits(0, 6) {
        (format!("{}:{}:{}", &compact[..2], &compact[2..4], &compact[4..]), &text[6..])
    } else {
        let (hour, minute) = digits(0, 2).zip(digits(3, 5)).filter(|_| colon(2))?;
        match digits(6, 8).filter(|_| colon(5)) {
            Some(second) => (format!("{hour}:{minute}:{second}"), &text[8..]),
            None if colon(5) => return None,
            None => (format!("{hour}:{minute}:00"), &text[5..]),
        }
    };
    let Some(fraction) = rest.strip_prefix(['.', ',']) else { return Some((clock, rest)) };
    let length = fraction.bytes().take_while(u8::is_ascii_digit).count();
    (length > 0).then(|| (format!("{clock}.{}", &fraction[..length.min(9)]), &fraction[length..]))
}

/// Nanoseconds by which a zone is ahead of UTC: nothing where no zone is named.
#[allow(clippy::option_option)]
fn zone_ns(zone: &str) -> Option<Option<i64>> {
    if zone.is_empty() {
        return Some(None);
    }
    if ["Z", "UTC", "GMT"].iter().any(|name| zone.eq_ignore_ascii_case(name)) {
        return Some(Some(0));
    }
    let (sign, digits) = match zone.as_bytes()[0] {
        b'+' => (1, &zone[1..]),
        b'-' => (-1, &zone[1..]),
        _ => return None,
    };
    let digits = digits.replace(':', "");
    if !matches!(digits.len(), 2 | 4) || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let part = |from: usize| digits.get(from..from + 2).map_or(Some(0), |text| text.parse::<i64>().ok());
    let (hours, minutes) = (part(0)?, part(2)?);
    (hours <= 15 && minutes < 60).then(|| Some(sign * (hours * 3600 + minutes * 60) * SECOND_NS))
}

/// The unit of a number that counts from 1970.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Epoch {
    /// Seconds.
    Seconds,
    /// Milliseconds.
    Millis,
    /// Microseconds.
    Micros,
    /// Nanoseconds.
    Nanos,
}

impl Epoch {
    /// The unit in which a number is a moment between 1986 and 2096. No number is one in two units; one that is none in any
    /// counts from something else.
    ///
    /// ```
    /// use shared::text::Epoch;
    ///
    /// assert_eq!(Epoch::of(1_700_000_000.5), Some(Epoch::Seconds));
    /// assert_eq!(Epoch::of(1_714_557_600_000_000.0), Some(Epoch::Micros));
    /// assert_eq!(Epoch::of(100.0), None);
    /// ```
    #[must_use]
    pub fn of(value: f64) -> Option<Self> {
        let units = [Self::Seconds, Self::Millis, Self::Micros, Self::Nanos];
        units.into_iter().find(|unit| (5e8..4e9).contains(&(value / 10_f64.powi(9 - unit.exponent()))))
    }

    /// The unit as a power of ten of nanoseconds.
    #[must_use]
    pub fn exponent(self) -> i32 {
        match self {
            Self::Seconds => 9,
            Self::Millis => 6,
            Self::Micros => 3,
            Self::Nanos => 0,
        }
    }
}

/// A number of a unit that is `10^exponent` ns, in whole nanoseconds. Digits are moved, not multiplied: a double has not
/// enough of them for nanoseconds since 1970.
///
/// ```
/// use shared::text::scaled_ns;
///
/// assert_eq!(scaled_ns("1700000000.123456789", 9, None), Some(1_700_000_000_123_456_789));
/// assert_eq!(scaled_ns("1,5e3", 3, None), Some(1_500_000));
/// ```
#[must_use]
pub fn scaled_ns(field: &str, exponent: i32, sign: Option<DecimalSign>) -> Option<i64> {
    let field = field.trim();
    let value = number(field, sign)?;
    // Within 64 bits of nanoseconds, with room for differences.
    let limit = 8e18;
    let rounded = value * 10_f64.powi(exponent);
    if rounded.abs() > limit {
        return None;
    }
    Some(canonical(field, sign).and_then(|digits| exact(&digits, exponent)).unwrap_or(rounded.round() as i64))
}

/// Plain digits with at most one decimal point; none for a number with an exponent.
fn exact(digits: &str, exponent: i32) -> Option<i64> {
    let (negative, digits) = digits.strip_prefix('-').map_or((false, digits), |rest| (true, rest));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    if !whole.bytes().chain(fraction.bytes()).all(|b| b.is_ascii_digit()) {
        return None;
    }
    let room = usize::try_from(exponent).ok()?;
    let mut ns = whole.parse::<i64>().ok()?.checked_mul(10_i64.checked_pow(exponent.unsigned_abs())?)?;
    let kept = &fraction[..fraction.len().min(room)];
    if !kept.is_empty() {
        ns = ns.checked_add(kept.parse::<i64>().ok()?.checked_mul(10_i64.pow((room - kept.len()) as u32))?)?;
    }
    // The first digit that is not kept rounds.
    ns = ns.checked_add(i64::from(fraction.as_bytes().get(room).is_some_and(|&digit| digit >= b'5')))?;
    Some(if negative { -ns } else { ns })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run_folder::stamp::{format_rfc3339, format_stamp};
    use proptest::prelude::*;

    #[test]
    fn what_is_no_moment_is_none() {
        for text in [
            "",
            "2024-05-01",
            "10:00:00",
            "2024-05-01T25:00:00Z",
            "2024-02-30 10:00:00",
            "2024-05/01 10:00:00",
            "2024-05-01T10:00:00.Z",
            "2024-05-01T10:00:00+99:00",
            "2024-05-01T10:00:00 CEST",
            "2024-05-01T10:00:0",
            "1700000000.000",
            "1 day, 3:22:11",
            "2024-05-01T10:00:00é",
        ] {
            assert_eq!(Moment::of(text), None, "{text}");
        }
    }

    #[test]
    fn zones_and_days_are_read() {
        let ns = |text: &str| Moment::of(text).expect(text).unix_ns;
        assert_eq!(ns("2024-05-01T10:00-0530"), ns("2024-05-01T15:30Z"));
        assert_eq!(ns("2024-05-01 10:00:00.1234567891"), ns("2024-05-01 10:00:00.123456789"));
        assert!(!Moment::of("2024-05-01 10:00:00").expect("local").zoned);
        assert_eq!(Moment::of_day("00:00:01.5"), Some(1_500_000_000));
        assert_eq!(Moment::of_day("2024-05-01 00:00:01"), None);
        assert_eq!(Moment::of_day("100000"), None);
    }

    #[test]
    fn counters_and_epochs_are_exact() {
        assert_eq!(scaled_ns("1714557600123456789", 0, None), Some(1_714_557_600_123_456_789));
        assert_eq!(scaled_ns("-0.5", 9, None), Some(-500_000_000));
        assert_eq!(scaled_ns("0,1234567899", 9, Some(DecimalSign::Comma)), Some(123_456_790));
        assert_eq!(scaled_ns("1.5e1", 0, None), Some(15));
        for other in ["1e30", "9000000000000000000", "x", "", "-", "."] {
            assert_eq!(scaled_ns(other, 9, None), None, "{other}");
        }
        for (unit, exponent) in [(Epoch::Seconds, 9), (Epoch::Millis, 6), (Epoch::Micros, 3), (Epoch::Nanos, 0)] {
            assert_eq!(Epoch::of(1.7e18 / 10_f64.powi(exponent)), Some(unit));
        }
        for other in [0.0, -1.7e9, 1e8, 1e11, 1e14, 1e20, f64::NAN] {
            assert_eq!(Epoch::of(other), None, "{other}");
        }
    }

    proptest! {
        #[test]
        fn every_form_names_the_same_moment(ms in 0_i64..4_000_000_000_000, hours in -12_i64..=14) {
            let ns = ms * 1_000_000;
            let utc = format_rfc3339(ns);
            let read = |text: &str| Moment::of(text).map(|m| m.unix_ns);
            prop_assert_eq!(read(&utc), Some(ns));
            prop_assert_eq!(read(&utc.replace('T', " ").replace('.', ",")), Some(ns));
            prop_assert_eq!(read(&utc.replace('-', "/").replace('Z', "")), Some(ns));
            prop_assert_eq!(read(&utc.replace(['-', ':'], "")), Some(ns));
            prop_assert_eq!(read(&format_stamp(ns)), Some(ns));
            let sign = if hours < 0 { '-' } else { '+' };
            let shifted = format_rfc3339(ns + hours * 3600 * SECOND_NS).replace('Z', &format!("{sign}{:02}:00", hours.abs()));
            if ns + hours * 3600 * SECOND_NS >= 0 {
                prop_assert_eq!(read(&shifted), Some(ns));
            }
            for (unit, exponent) in [(1_000_000_000, 9), (1_000_000, 6), (1_000, 3), (1, 0)] {
                let text = format!("{}.{:09}", ns / unit, (ns % unit) * (SECOND_NS / unit));
                prop_assert_eq!(scaled_ns(&text, exponent, None), Some(ns), "{}", text);
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "[-+0-9:./, TZé]{0,30}") {
            let _ = (Moment::of(&text), Moment::of_day(&text), scaled_ns(&text, 9, None));
        }
    }
}
