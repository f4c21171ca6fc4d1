//! Durations as people write them.

use std::time::Duration;

/// Reads a duration: `120s`, `2m`, `1h`, `500ms`; a plain number is seconds.
///
/// ```
/// use command_line::duration;
/// use std::time::Duration;
///
/// assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
/// assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
/// assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
/// assert!(duration("5 days").is_err() && duration("").is_err() && duration("-1s").is_err());
/// ```
///
/// # Errors
/// Anything else, and more than a hundred days: a sentence that says what is expected.
pub fn duration(text: &str) -> Result<Duration, String> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let scale = match unit.trim() {
        "ms" => 1e-3,
        "" | "s" => 1.0,
        "m" | "min" => 60.0,
        "h" => 3600.0,
        other => return Err(format!("`{other}` is no unit of time; write ms, s, m or h")),
    };
    let seconds = number.parse::<f64>().map_err(|_| format!("`{text}` is no duration such as 120s"))? * scale;
    if (0.0..=1e7).contains(&seconds) {
        Ok(Duration::from_secs_f64(seconds))
    } else {
        Err(format!("`{text}` is too long"))
    }
}
