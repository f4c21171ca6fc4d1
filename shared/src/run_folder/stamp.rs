//! The reference's time stamps, `YYYYMMDD-HH:MM:SS.ffffff`, as nanoseconds since 1970-01-01 UTC and back.
//!
//! The reference writes local time without saying which zone. We write UTC; readers compare stamps only with stamps of
//! the same run, so the zone cancels out.

/// Nanoseconds a second.
pub const SECOND_NS: i64 = 1_000_000_000;

/// Writes wall-clock time with microseconds: `20250128-13:38:25.982678`.
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

/// Writes wall-clock time to the second, without colons, as the reference stamps its JSON files: `20250128-133619`.
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

/// Reads `YYYYMMDD-HH:MM:SS`, with up to nine digits of a fraction. `None` for anything else, a date that does not
/// exist included.
#[must_use]
pub fn parse_stamp(text: &str) -> Option<i64> {
    let bytes = text.as_bytes();
    if bytes.len() < 17 || bytes[8] != b'-' || bytes[11] != b':' || bytes[14] != b':' {
        return None;
    }
    let (year, month, day) = (digits(&bytes[0..4])?, digits(&bytes[4..6])?, digits(&bytes[6..8])?);
    let (hour, minute, second) = (digits(&bytes[9..11])?, digits(&bytes[12..14])?, digits(&bytes[15..17])?);
    if !(1..=12).contains(&month) || day < 1 || day > days_in(year, month) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let fraction_ns = match &bytes[17..] {
        [] => 0,
        [b'.', fraction @ ..] if (1..=9).contains(&fraction.len()) => {
            digits(fraction)? * 10_i64.pow(9 - fraction.len() as u32)
        }
        _ => return None,
    };
    let seconds = days_from_civil(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    seconds.checked_mul(SECOND_NS)?.checked_add(fraction_ns)
}

fn digits(bytes: &[u8]) -> Option<i64> {
    bytes.iter().try_fold(0_i64, |value, b| b.is_ascii_digit().then(|| value * 10 + i64::from(b - b'0')))
}

fn split(unix_ns: i64) -> (i64, i64, i64, i64) {
    let day_ns = 86_400 * SECOND_NS;
    let (year, month, day) = civil_from_days(unix_ns.div_euclid(day_ns));
    (year, month, day, unix_ns.rem_euclid(day_ns))
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
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
        // The reference's LeNet log and its latency file stamp the same moment both ways.
        let ns = 1_738_071_505_982_678_000;
        assert_eq!(format_stamp(ns), "20250128-13:38:25.982678");
        assert_eq!(parse_stamp("20250128-13:38:25.982678"), Some(ns));
        assert_eq!(format_compact(ns), "20250128-133825");
        assert_eq!(parse_stamp("20241121-00:00:01.50"), parse_stamp("20241121-00:00:01.500000"));
        assert_eq!(parse_stamp("19700101-00:00:00"), Some(0));
        assert_eq!(parse_stamp("20240229-00:00:00"), Some(1_709_164_800 * SECOND_NS));
    }

    #[test]
    fn what_is_no_stamp_is_refused() {
        for text in [
            "",
            "20250128",
            "20250229-00:00:00",
            "20251301-00:00:00",
            "20250128-24:00:00",
            "20250128 13:38:25",
            "20250128-13:38:25.",
            "20250128-13:38:25.1234567890",
            "2025012é-13:38:25",
        ] {
            assert_eq!(parse_stamp(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn whole_microseconds_survive(us in 0_i64..4_000_000_000_000_000) {
            prop_assert_eq!(parse_stamp(&format_stamp(us * 1000)), Some(us * 1000));
        }
    }
}
