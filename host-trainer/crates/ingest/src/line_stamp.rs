//! The time of a line of a log: its own stamp, or one that a logger put before it.
//!
//! tegrastats writes `MM-DD-YYYY HH:MM:SS`. `journalctl`, syslog, `ts` and Python's logging put ISO 8601, `Mon DD HH:MM:SS`,
//! seconds since 1970 or since the start before it, and often a host and a program between the stamp and the line.

use shared::clock::Scale;
use shared::run_folder::stamp::{SECOND_NS, midnight_ns};
use shared::text::{Epoch, Moment, number, scaled_ns};

/// Words at the head of a line that are looked at.
pub(crate) const HEAD_WORDS: usize = 12;
const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const DAY_NS: i64 = 86_400 * SECOND_NS;
/// Dates without a year are days of this one, which has no leap day.
const YEARLESS: i64 = 1971;

/// A spelling of time, the most telling first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Spelling {
    /// `01-28-2025 13:38:25`, as tegrastats writes it.
    Tegrastats,
    /// `2025-01-28T13:38:25.5+01:00` and its relatives.
    Iso,
    /// `Tue Jan 28 13:38:25 2025`, as `date` and `ctime` write it.
    Dated,
    /// Seconds, milli-, micro- or nanoseconds since 1970.
    Epoch,
    /// `Jan 28 13:38:25`, as syslog writes it.
    Yearless,
    /// `[   12.345678]`: seconds since some moment.
    Seconds,
    /// `13:38:25`.
    TimeOfDay,
}

impl Spelling {
    pub(crate) const ALL: [Self; 7] =
        [Self::Tegrastats, Self::Iso, Self::Dated, Self::Epoch, Self::Yearless, Self::Seconds, Self::TimeOfDay];

    /// What its stamps stand for.
    pub(crate) fn scale(self) -> Scale {
        match self {
            Self::Tegrastats | Self::Iso | Self::Dated | Self::Epoch => Scale::Wall,
            Self::Yearless => Scale::Cyclic { range_ns: 365 * DAY_NS },
            Self::TimeOfDay => Scale::Cyclic { range_ns: DAY_NS },
            Self::Seconds => Scale::Counter { unit_ns: 1_000 },
        }
    }

    /// How it is called in messages.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Tegrastats => "MM-DD-YYYY HH:MM:SS",
            Self::Iso => "YYYY-MM-DD HH:MM:SS",
            Self::Dated => "Mon DD HH:MM:SS YYYY",
            Self::Epoch => "time since 1970",
            Self::Yearless => "Mon DD HH:MM:SS",
            Self::Seconds => "seconds since a start",
            Self::TimeOfDay => "HH:MM:SS",
        }
    }

    /// The time of a line in this spelling, in ns, from the words at its head.
    pub(crate) fn read(self, head: &[&str]) -> Option<i64> {
        let words = || head.iter().enumerate().map(|(i, word)| (i, bare(word)));
        let word = |i: usize| head.get(i).map(|word| bare(word));
        match self {
            Self::Tegrastats => words().find_map(|(i, date)| {
                let day = numbers(date, ['-', '/'])?;
                let [month, day, year] = day;
                (year.1 == 4).then_some(())?;
                Some(midnight_ns(year.0, month.0, day.0)? + time_of_day(word(i + 1)?)?)
            }),
            Self::Iso => words().find_map(|(i, text)| {
                let moment = Moment::of(text).or_else(|| Moment::of(&format!("{text} {}", word(i + 1)?)));
                moment.map(|moment| moment.unix_ns)
            }),
            Self::Dated => words().find_map(|(i, text)| {
                let (month, day, time) = month_day_time(text, word(i + 1)?, word(i + 2)?)?;
                let year = (3..=4)
                    .filter_map(|after| word(i + after))
                    .find_map(|text| (text.len() == 4).then(|| text.parse::<i64>().ok()).flatten())?;
                Some(midnight_ns(year, month, day)? + time)
            }),
            Self::Epoch => words().find_map(|(_, text)| {
                let unit = Epoch::of(number(text, None)?)?;
                scaled_ns(text, unit.exponent(), None)
            }),
            Self::Yearless => words().find_map(|(i, text)| {
                let (month, day, time) = month_day_time(text, word(i + 1)?, word(i + 2)?)?;
                // The leap day counts as the day behind it.
                let midnight = midnight_ns(YEARLESS, month, day).or_else(|| midnight_ns(YEARLESS, month + 1, 1))?;
                Some(midnight - midnight_ns(YEARLESS, 1, 1)? + time)
            }),
            Self::Seconds => {
                let first = word(0).filter(|word| !word.is_empty()).or_else(|| word(1))?;
                first.contains('.').then(|| scaled_ns(first, 9, None)).flatten()
            }
            Self::TimeOfDay => words().find_map(|(i, text)| {
                let time = time_of_day(text)?;
                let noon = 12 * 3600 * SECOND_NS;
                Some(match word(i + 1).map(str::to_ascii_lowercase).as_deref() {
                    Some("am") if time >= noon => time - noon,
                    Some("pm") if time < noon => time + noon,
                    _ => time,
                })
            }),
        }
    }
}

/// A word without the brackets and marks around it.
fn bare(word: &str) -> &str {
    word.trim_start_matches(['[', '(', '<', '"', '\'', '{'])
        .trim_end_matches([']', ')', '>', '"', '\'', '}', ',', ':', '|', ';'])
}

/// Three numbers, with how many digits each has.
fn numbers(text: &str, separators: [char; 2]) -> Option<[(i64, usize); 3]> {
    let separator = text.chars().find(|c| separators.contains(c))?;
    let mut parts = text.split(separator).map(|part| {
        let digits = !part.is_empty() && part.len() <= 4 && part.bytes().all(|b| b.is_ascii_digit());
        digits.then(|| part.parse().ok().map(|number| (number, part.len()))).flatten()
    });
    let three = [parts.next()??, parts.next()??, parts.next()??];
    parts.next().is_none().then_some(three)
}

/// `HH:MM:SS` with a fraction behind a point or a comma, or without.
fn time_of_day(text: &str) -> Option<i64> {
    (text.matches(':').count() == 2).then(|| Moment::of_day(text)).flatten()
}

fn month_day_time(month: &str, day: &str, time: &str) -> Option<(i64, i64, i64)> {
    let month = MONTHS.iter().position(|name| month.eq_ignore_ascii_case(name))? as i64 + 1;
    let day = day.parse::<i64>().ok().filter(|day| (1..=31).contains(day))?;
    Some((month, day, time_of_day(time)?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::stamp::parse_stamp;

    fn read(spelling: Spelling, line: &str) -> Option<i64> {
        let words: Vec<&str> = line.split_ascii_whitespace().collect();
        spelling.read(&words)
    }

    #[test]
    fn one_moment_in_every_spelling() {
        let moment = parse_stamp("20230914-10:00:05.25");
        let whole = parse_stamp("20230914-10:00:05");
        for (spelling, line, expected) in [
            (Spelling::Tegrastats, "09-14-2023 10:00:05", whole),
            (Spelling::Tegrastats, "board1: 09-14-2023 10:00:05", whole),
            (Spelling::Iso, "2023-09-14T10:00:05.25Z tegrastats[811]:", moment),
            (Spelling::Iso, "2023-09-14T12:00:05.250+02:00 host tegrastats:", moment),
            (Spelling::Iso, "2023-09-14T03:00:05.25-0700", moment),
            (Spelling::Iso, "[2023-09-14 10:00:05,250] INFO:", moment),
            (Spelling::Iso, "2023/09/14 10:00:05.25 |", moment),
            (Spelling::Iso, "20230914-10:00:05.250000", moment),
            (Spelling::Iso, "<165>1 2023-09-14T10:00:05.25Z host", moment),
            (Spelling::Dated, "Thu Sep 14 10:00:05 2023", whole),
            (Spelling::Dated, "Thu Sep 14 10:00:05 UTC 2023", whole),
            (Spelling::Epoch, "1694685605.25 host", moment),
            (Spelling::Epoch, "[1694685605250]", moment),
            (Spelling::Epoch, "1694685605250000000", moment),
            (Spelling::Yearless, "Sep 14 10:00:05 host tegrastats[811]:", parse_stamp("19700914-10:00:05")),
            (Spelling::Yearless, "Sep  4 10:00:05.25", parse_stamp("19700904-10:00:05.25")),
            (Spelling::Seconds, "[   12.250000] tegrastats:", Some(12_250_000_000)),
            (Spelling::Seconds, "12.250000 host", Some(12_250_000_000)),
            (Spelling::TimeOfDay, "14 Sep 2023 10:00:05.25 CEST", Some(36_005_250_000_000)),
            (Spelling::TimeOfDay, "14/09/2023 10:00:05 PM", Some(79_205_000_000_000)),
            (Spelling::TimeOfDay, "12:00:05 AM", Some(5_000_000_000)),
        ] {
            assert_eq!(read(spelling, line), expected, "{spelling:?}: {line}");
        }
    }

    #[test]
    fn other_words_are_no_time() {
        for line in [
            "",
            "board1:",
            "tegrastats[811]:",
            "13-32-2023 99:00:05",
            "2023-02-30T10:00:00Z",
            "99:00:00",
            "1.2.3",
            "é:é:é",
        ] {
            for spelling in Spelling::ALL {
                assert_eq!(read(spelling, line), None, "{spelling:?}: {line}");
            }
        }
    }
}
