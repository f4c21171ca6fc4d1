//! Time stamps of the reference's logs: `YYYYMMDD-HH:MM:SS.ffffff`, local wall-clock time without a zone.

use shared::run_folder::stamp::days_from_civil;

/// Microseconds of one day.
const DAY_US: i64 = 86_400_000_000;

/// Parses stamps by hand and remembers the last date, since neighbouring lines nearly always share it.
#[derive(Debug, Clone, Default)]
pub struct StampParser {
    date: [u8; 8],
    day_us: i64,
}

impl StampParser {
    /// Microseconds since 1970-01-01 of the wall clock that wrote the stamp; `None` when it is no stamp.
    ///
    /// The fraction may have one to nine digits or be missing; what lies below a microsecond is dropped.
    pub fn parse(&mut self, text: &[u8]) -> Option<i64> {
        if text.len() < 17 || text[8] != b'-' || text[11] != b':' || text[14] != b':' {
            return None;
        }
        if text[..8] != self.date {
            self.day_us = day_us(&text[..8])?;
            self.date.copy_from_slice(&text[..8]);
        }
        let (hour, minute, second) = (two(text, 9)?, two(text, 12)?, two(text, 15)?);
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let fraction = match text.get(17) {
            None => 0,
            Some(b'.') => micros(&text[18..])?,
            Some(_) => return None,
        };
        Some(self.day_us + (hour * 3600 + minute * 60 + second) * 1_000_000 + fraction)
    }
}

fn digit(byte: u8) -> Option<i64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(i64::from(value))
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    Some(digit(text[at])? * 10 + digit(text[at + 1])?)
}

fn micros(digits: &[u8]) -> Option<i64> {
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let mut value = 0;
    for i in 0..6 {
        value = value * 10 + digits.get(i).map_or(Some(0), |&b| digit(b))?;
    }
    digits.iter().skip(6).all(u8::is_ascii_digit).then_some(value)
}

fn day_us(date: &[u8]) -> Option<i64> {
    let mut number = [0_i64; 3];
    for (part, range) in number.iter_mut().zip([0..4, 4..6, 6..8]) {
        for &byte in &date[range] {
            *part = *part * 10 + digit(byte)?;
        }
    }
    let [year, month, day] = number;
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (year > 0 && (1..=month_days).contains(&day)).then(|| days_from_civil(year, month, day) * DAY_US)
}

/// The stamp of a moment in microseconds since 1970-01-01: what [`StampParser::parse`] reads back.
#[must_use]
pub fn format(us: i64) -> String {
    let days = us.div_euclid(DAY_US) + 719_468;
    let rest = us.rem_euclid(DAY_US);
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = era * 400 + year_of_era + i64::from(month <= 2);
    let seconds = rest / 1_000_000;
    format!(
        "{year:04}{month:02}{day:02}-{:02}:{:02}:{:02}.{:06}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60,
        rest % 1_000_000
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_known_moment() {
        // 1738071505.982678 s since 1970 is 2025-01-28 13:38:25.982678 UTC.
        let us = StampParser::default().parse(b"20250128-13:38:25.982678").expect("a stamp");
        assert_eq!(us, 1_738_071_505_982_678);
    }

    #[test]
    fn fractions_of_any_length_and_none() {
        let mut parser = StampParser::default();
        let base = parser.parse(b"20241121-00:00:01").expect("no fraction");
        assert_eq!(parser.parse(b"20241121-00:00:01.50"), Some(base + 500_000));
        assert_eq!(parser.parse(b"20241121-00:00:01.123456789"), Some(base + 123_456));
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        let mut parser = StampParser::default();
        for text in [
            "",
            "20241121",
            "20241321-00:00:01.0",
            "20240230-00:00:00.0",
            "20241121-24:00:00",
            "2024112a-00:00:00",
            "20241121-00:00:01.",
            "20241121-00:00:01.1234567890",
            "20241121-00:00:01.12x",
            "20241121-00:00:01.1234567x",
        ] {
            assert_eq!(parser.parse(text.as_bytes()), None, "{text}");
        }
        assert_eq!(parser.parse(b"20240229-00:00:00").map(format).as_deref(), Some("20240229-00:00:00.000000"));
    }

    proptest! {
        #[test]
        fn format_and_parse_are_inverse(us in 0_i64..250_000_000_000_000_000) {
            prop_assert_eq!(StampParser::default().parse(format(us).as_bytes()), Some(us));
        }

        #[test]
        fn parse_never_panics(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = StampParser::default().parse(&bytes);
        }
    }
}
