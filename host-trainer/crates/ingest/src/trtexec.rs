//! `trtexec`'s exported files.

use super::layer_runs::LayerRuns;
use serde_json::Value;
use shared::failure::Failure;
use shared::text::json;

/// Parses `--exportProfile`: `[{"count": n}, {"name": …, "averageMs": …}, …]`. Returns the layers, each with its mean, and
/// the number of inferences the means are over.
///
/// ```
/// let text = br#"[{"count": 100}, {"name": "conv1", "averageMs": 0.5}]"#;
/// let (layers, inferences) = ingest::trtexec::profile(text)?;
/// assert_eq!((layers[0].name.as_str(), layers[0].runs[0].0, inferences), ("conv1", 0.5, 100));
/// # Ok::<(), shared::failure::Failure>(())
/// ```
///
/// Medians and percentages may be `nan`, as TensorRT writes those of too few runs; the file may be in any form of
/// [`shared::text::json`].
///
/// # Errors
/// What is not such a file: the entry is named.
pub fn profile(content: &[u8]) -> Result<(Vec<LayerRuns>, u32), Failure> {
    let entries = array(content, "a profile is the list that `trtexec --exportProfile` writes")?;
    let mut count = 0;
    let mut layers = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        if let Some(n) = entry.get("count").and_then(Value::as_u64) {
            count =
                u32::try_from(n).map_err(|_| entry_fault(i, "has a `count` of more inferences than can be counted"))?;
            continue;
        }
        let Some(name) = entry.get("name").and_then(Value::as_str) else {
            return Err(entry_fault(i, "has neither `name` nor `count`"));
        };
        let mean = entry.get("averageMs").and_then(Value::as_f64);
        let total = entry.get("timeMs").and_then(Value::as_f64).filter(|_| count > 0);
        let ms = mean.or(total.map(|t| t / f64::from(count))).filter(|ms| ms.is_finite() && *ms >= 0.0);
        let ms = ms.ok_or_else(|| entry_fault(i, &format!("layer `{name}` {}", found(entry, "averageMs"))))?;
        layers.push(LayerRuns { name: name.into(), runs: vec![(ms, None)] });
    }
    if layers.is_empty() {
        return Err(Failure::data("lists no layer")
            .help("run trtexec with --dumpProfile or --exportProfile, and --profilingVerbosity=detailed"));
    }
    Ok((layers, count))
}

/// Parses `--exportTimes`: `[{"startComputeMs": …, "endComputeMs": …, "computeMs": …, "latencyMs": …}, …]`. Returns each
/// inference's compute time in s: copies to and from the device are no part of the engine.
///
/// # Errors
/// What is not such a file: the entry is named.
pub fn times(content: &[u8]) -> Result<Vec<f64>, Failure> {
    let entries = array(content, "times are the list that `trtexec --exportTimes` writes")?;
    let mut times = Vec::with_capacity(entries.len());
    for (i, entry) in entries.iter().enumerate() {
        let field = |name: &str| entry.get(name).and_then(Value::as_f64);
        let span = field("endComputeMs").zip(field("startComputeMs")).map(|(end, start)| end - start);
        let ms = field("computeMs").or(span).or_else(|| field("latencyMs"));
        let ms = ms.filter(|ms| ms.is_finite() && *ms >= 0.0);
        times.push(ms.ok_or_else(|| entry_fault(i, &found(entry, "computeMs")))? * 1e-3);
    }
    Ok(times)
}

/// What stands where a number should.
fn found(entry: &Value, field: &str) -> String {
    match entry.get(field) {
        None => format!("has no `{field}`"),
        Some(other) => format!("has {other} as `{field}`, which is not a time of 0 or more"),
    }
}

fn entry_fault(index: usize, what: &str) -> Failure {
    Failure::data(what).place(format!("entry {}", index + 1)).help("export the file again, or remove the entry")
}

fn array(content: &[u8], expected: &str) -> Result<Vec<Value>, Failure> {
    match json::from_slice(content) {
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(Value::Object(object)) if object.contains_key("Layers") => {
            Err(Failure::data("is an engine info").help("give it by --layer-info"))
        }
        Ok(_) => Err(Failure::data("is not a JSON list").help(expected)),
        Err(e) if e.is_eof() => {
            Err(Failure::data(format!("is cut off: {e}")).help("copy or export the file again").caused_by(e))
        }
        Err(e) => Err(Failure::data(format!("is not JSON: {e}")).help(expected).caused_by(e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_and_times() {
        let text =
            br#"[{"count": 100}, {"name": "conv", "timeMs": 50.0, "averageMs": 0.5, "medianMs": 0.5, "percentage": 80},
            {"name": "pool", "timeMs": 12.5, "percentage": 20}]"#;
        let (layers, count) = profile(text).expect("a profile");
        assert_eq!((count, layers[0].runs[0].0, layers[1].runs[0].0), (100, 0.5, 0.125));
        assert!(profile(b"[]").is_err() && profile(b"{}").is_err() && profile(br#"[{"x": 1}]"#).is_err());
        let text = br#"[{"startComputeMs": 1.0, "endComputeMs": 3.0, "latencyMs": 9}, {"computeMs": 4.0}]"#;
        assert_eq!(times(text).expect("times"), [0.002, 0.004]);
        assert!(times(br#"[{"a": 1}]"#).is_err());
    }

    #[test]
    fn what_tensorrt_and_shells_write_is_read() {
        let text = "[{\"count\": 200}, {\"name\": \"a\u{1e}b\", \"averageMs\": 4, \"medianMs\": nan, \"percentage\": -nan},\n\
             {\"name\": \"C:\\models\\x\", \"timeMs\": 200, \"averageMs\": nan}]";
        let utf16: Vec<u8> = format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        for content in [text.as_bytes().to_vec(), format!("\u{feff}{text}").into_bytes(), utf16] {
            let (layers, count) = profile(&content).expect("a profile");
            let found: Vec<(&str, f64)> = layers.iter().map(|l| (l.name.as_str(), l.runs[0].0)).collect();
            assert_eq!((found.as_slice(), count), ([("a\u{1e}b", 4.0), ("C:\\models\\x", 1.0)].as_slice(), 200));
        }
        for (text, expected) in [
            ("[{\"name\": \"a\", \"averageMs\": nan}]", "entry 1: layer `a` has \"nan\" as `averageMs`"),
            ("[{\"count\": 1}, {\"name\"", "is cut off"),
            ("{\"Layers\": []}", "--layer-info"),
            ("count: 1", "--exportProfile"),
        ] {
            let report = profile(text.as_bytes()).expect_err(text).report(false);
            assert!(report.contains(expected), "{report}");
        }
    }
}
