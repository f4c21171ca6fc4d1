//! Values on the command line: durations, rates, shapes.

pub(super) use command_line::duration;

use std::time::Duration;

/// A time as people say it.
pub(super) fn in_words(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..120 => format!("about {} s", seconds.max(1)),
        seconds => format!("about {} min", seconds.div_ceil(60)),
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
    fn times_are_said_as_people_say_them() {
        assert_eq!(in_words(Duration::from_millis(10)), "about 1 s");
        assert_eq!(in_words(Duration::from_secs(90)), "about 90 s");
        assert_eq!(in_words(Duration::from_secs(121)), "about 3 min");
    }

    #[test]
    fn values_are_read_as_people_write_them() {
        assert_eq!(rate("max"), Ok(Rate(None)));
        assert_eq!(rate("1000"), Ok(Rate(Some(1000.0))));
        assert!(rate("0").is_err() && rate("fast").is_err());
        assert_eq!(shape("x:0:1x3"), Ok(("x:0".into(), vec![1, 3])));
        assert_eq!(shape("1x3x8x8"), Ok(("input".into(), vec![1, 3, 8, 8])));
        assert!(shape("x:1x-3").is_err() && shape("x:").is_err());
    }
}
