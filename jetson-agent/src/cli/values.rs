//! Values on the command line: durations, rates, shapes.

use std::time::Duration;

/// `120s`, `2m`, `1h`, `500ms`; a plain number is seconds.
pub(super) fn duration(text: &str) -> Result<Duration, String> {
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

/// Readings a second; `max` is back to back.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Rate(pub(super) Option<f64>);

pub(super) fn rate(text: &str) -> Result<Rate, String> {
    if text == "max" {
        return Ok(Rate(None));
    }
    match text.trim_end_matches("Hz").trim().parse::<f64>() {
        Ok(hz) if (0.01..=1e6).contains(&hz) => Ok(Rate(Some(hz))),
        _ => Err(format!("`{text}` is no rate: give readings a second, or `max`")),
    }
}

/// `input:1x3x224x224`, or `1x3x224x224` for a model's only input.
pub(super) fn shape(text: &str) -> Result<(String, Vec<i64>), String> {
    let (name, dims) = text.rsplit_once(':').unwrap_or(("input", text));
    let dims: Result<Vec<i64>, _> = dims.split(['x', ',', ' ']).map(str::parse).collect();
    match dims {
        Ok(dims) if !dims.is_empty() && dims.iter().all(|d| *d > 0) => Ok((name.to_owned(), dims)),
        _ => Err(format!("`{text}` is no shape such as input:1x3x224x224")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_read_as_people_write_them() {
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5"), Ok(Duration::from_millis(1500)));
        assert!(duration("5 days").is_err() && duration("").is_err() && duration("-1s").is_err());
        assert_eq!(rate("max"), Ok(Rate(None)));
        assert_eq!(rate("1000"), Ok(Rate(Some(1000.0))));
        assert!(rate("0").is_err() && rate("fast").is_err());
        assert_eq!(shape("x:0:1x3"), Ok(("x:0".into(), vec![1, 3])));
        assert_eq!(shape("1x3x8x8"), Ok(("input".into(), vec![1, 3, 8, 8])));
        assert!(shape("x:1x-3").is_err() && shape("x:").is_err());
    }
}
