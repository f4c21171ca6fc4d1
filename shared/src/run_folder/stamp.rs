//! EdgeProfiler's time stamps, `YYYYMMDD-HH:MM:SS.ffffff`, as nanoseconds since 1970-01-01 UTC and back.
//!
//! EdgeProfiler writes local time without saying which zone. The agent writes UTC; readers compare stamps only with
//! stamps of the same run, so the zone cancels out.

/// Nanoseconds of a second.
pub const SECOND_NS: i64 = 1_000_000_000;
/// Nanoseconds of a day.
const DAY_NS: i64 = 86_400 * SECOND_NS;

/// Writes wall-clock time with microseconds: `20250128-13:38:25.982678`.
///
/// ```
/// use shared::run_folder::stamp::{format_stamp, parse_stamp};
///
/// let text = format_stamp(1_738_071_505_982_678_000);
/// assert_eq!(text, "20250128-13:38:25.982678");
/// assert_eq!(parse_stamp(&text), Some(1_738_071_505_982_678_000));
/// ```
#[must_use]
pub fn format_stamp(unix_ns: i64) -> String {
    let (year, month, day, of_day) = split(unix_ns);
    let seconds = of_day / SECOND_NS;
    let micros = of_day % SECOND_NS / 1000;
    format!(
        "{year:04}{month:02}{day:02}-{:02}:{:02}:{:02}.{micros:06}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Writes wall-clock time to the second, without colons, as EdgeProfiler stamps its JSON files: `20250128-133619`.
#[must_use]
pub fn format_compact(unix_ns: i64) -> String {
    let (year, month, day, of_day) = split(unix_ns);
    let seconds = of_day / SECOND_NS;
    format!("{year:04}{month:02}{day:02}-{:02}{:02}{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60)
}

/// Writes wall-clock time as RFC 3339 has it, to the millisecond, in UTC: `2025-01-28T13:38:25.982Z`. Such stamps sort as
/// their times do.
#[must_use]
pub fn format_rfc3339(unix_ns: i64) -> String {
    let (year, month, day, of_day) = split(unix_ns);
    let seconds = of_day / SECOND_NS;
    let millis = of_day % SECOND_NS / 1_000_000;
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{millis:03}Z",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Reads `YYYYMMDD-HH:MM:SS`, with up to nine digits of a fraction, of the years from 1900 to 2149. `None` for anything
/// else, a date that does not exist included.
#[must_use]
pub fn parse_stamp(text: &str) -> Option<i64> {
    StampParser::default().parse(text.as_bytes())
}

/// Parses stamps and remembers the last date, since neighbouring lines of a log nearly always share it.
#[derive(Debug, Clone, Default)]
pub struct StampParser {
    date: [u8; 8],
    day_ns: i64,
}

impl StampParser {
    /// Nanoseconds since 1970-01-01 of the wall clock that wrote the stamp; `None` when it is not one.
    ///
    /// The fraction may have one to nine digits or be missing.
    pub fn parse(&mut self, text: &[u8]) -> Option<i64> {
        if text.len() < 17 || text[8] != b'-' || text[11] != b':' || text[14] != b':' {
            return None;
        }
        if text[..8] != self.date {
            self.day_ns = day_ns(&text[..8])?;
            self.date.copy_from_slice(&text[..8]);
        }
        let (hour, minute, second) = (two(text, 9)?, two(text, 12)?, two(text, 15)?);
        // The 60th second is a leap second.
        if hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let fraction = match text.get(17) {
            None => 0,
            Some(b'.') => fraction_ns(&text[18..])?,
            Some(_) => return None,
        };
        Some(self.day_ns + (hour * 3600 + minute * 60 + second) * SECOND_NS + fraction)
    }
}

fn digit(byte: u8) -> Option<i64> {
    let value = byte.wrapping_sub(b'0');
    (value < 10).then_some(i64::from(value))
}

fn two(text: &[u8], at: usize) -> Option<i64> {
    Some(digit(text[at])? * 10 + digit(text[at + 1])?)
}

fn fraction_ns(digits: &[u8]) -> Option<i64> {
    const SCALE: [i64; 10] = [1_000_000_000, 100_000_000, 10_000_000, 1_000_000, 100_000, 10_000, 1_000, 100, 10, 1];
    if digits.is_empty() || digits.len() > 9 {
        return None;
    }
    let value = digits.iter().try_fold(0, |value, &byte| Some(value * 10 + digit(byte)?))?;
    Some(value * SCALE[digits.len()])
}

/// Years that a stamp may have: the difference of any two stamps then fits 64 bits of nanoseconds.
const YEARS: std::ops::Range<i64> = 1900..2150;

/// The start of a day `YYYYMMDD`; `None` for a date that does not exist or lies outside [`YEARS`].
fn day_ns(date: &[u8]) -> Option<i64> {
    let mut number = [0_i64; 3];
    for (part, range) in number.iter_mut().zip([0..4, 4..6, 6..8]) {
        for &byte in &date[range] {
            *part = *part * 10 + digit(byte)?;
        }
    }
    let [year, month, day] = number;
    midnight_ns(year, month, day)
}

/// The start of a day in ns since 1970; `None` for a date that does not exist or lies outside the years from 1900 to 2149.
#[must_use]
pub fn midnight_ns(year: i64, month: i64, day: i64) -> Option<i64> {
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let month_days = match month {
        2 => 28 + i64::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => return None,
    };
    (YEARS.contains(&year) && (1..=month_days).contains(&day)).then(|| days_from_civil(year, month, day) * DAY_NS)
}

fn split(unix_ns: i64) -> (i64, i64, i64, i64) {
    let (year, month, day) = civil_from_days(unix_ns.div_euclid(DAY_NS));
    (year, month, day, unix_ns.rem_euclid(DAY_NS))
}

/// Days from 1970-01-01 to a date of the proleptic Gregorian calendar.
#[must_use]
pub fn days_from_civil(year: i64, month: i64, day: i64) -> i64 {
    // Counting years from March puts the leap day last, so that month lengths need no table.
    let year = if month <= 2 { year - 1 } else { year };
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
}

fn civil_from_days(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        // EdgeProfiler's LeNet log and its latency file stamp the same moment both ways.
        let ns = 1_738_071_505_982_678_000;
        assert_eq!(format_stamp(ns), "20250128-13:38:25.982678");
        assert_eq!(parse_stamp("20250128-13:38:25.982678"), Some(ns));
        assert_eq!(format_compact(ns), "20250128-133825");
        assert_eq!(parse_stamp("19700101-00:00:00"), Some(0));
        assert_eq!(parse_stamp("20240229-00:00:00"), Some(1_709_164_800 * SECOND_NS));
    }

    #[test]
    fn fractions_of_any_length_and_none() {
        let mut parser = StampParser::default();
        let base = parser.parse(b"20241121-00:00:01").expect("no fraction");
        assert_eq!(parser.parse(b"20241121-00:00:01.50"), Some(base + 500_000_000));
        assert_eq!(parser.parse(b"20241121-00:00:01.500000"), Some(base + 500_000_000));
        assert_eq!(parser.parse(b"20241121-00:00:01.123456789"), Some(base + 123_456_789));
    }

    #[test]
    fn other_text_is_refused() {
        let mut parser = StampParser::default();
        for text in [
            "",
            "20241121",
            "20250128",
            "20250229-00:00:00",
            "20240230-00:00:00.0",
            "20251301-00:00:00",
            "20250128-24:00:00",
            "20250128 13:38:25",
            "2024112a-00:00:00",
            "20250128-13:38:25.",
            "20250128-13:38:25.1234567890",
            "20241121-00:00:01.12x",
            "20241121-00:00:01.1234567x",
            "2025012é-13:38:25",
            "21500101-00:00:00",
            "18991231-00:00:00",
        ] {
            assert_eq!(parser.parse(text.as_bytes()), None, "{text}");
            assert_eq!(parse_stamp(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_microseconds_survive(us in 0_i64..4_000_000_000_000_000) {
            prop_assert_eq!(parse_stamp(&format_stamp(us * 1000)), Some(us * 1000));
        }

        #[test]
        fn a_parser_that_remembers_the_date_reads_the_same(stamps in proptest::collection::vec(0_i64..5_000_000_000_000_000, 1..20)) {
            let mut parser = StampParser::default();
            for us in stamps {
                prop_assert_eq!(parser.parse(format_stamp(us * 1000).as_bytes()), Some(us * 1000));
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = StampParser::default().parse(&bytes);
        }
    }
}
