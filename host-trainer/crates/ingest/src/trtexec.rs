//! `trtexec`'s exported files.

use super::layer_runs::LayerRuns;
use serde_json::Value;

/// Parses `--exportProfile`: `[{"count": n}, {"name": …, "averageMs": …}, …]`. Returns the layers, each with its mean, and
/// the number of inferences the means are over.
///
/// ```
/// let text = br#"[{"count": 100}, {"name": "conv1", "averageMs": 0.5}]"#;
/// let (layers, inferences) = ingest::trtexec::profile(text)?;
/// assert_eq!((layers[0].name.as_str(), layers[0].runs[0].0, inferences), ("conv1", 0.5, 100));
/// # Ok::<(), String>(())
/// ```
///
/// # Errors
/// What is wrong, in words.
pub fn profile(content: &[u8]) -> Result<(Vec<LayerRuns>, u32), String> {
    let entries = array(content)?;
    let mut count = 0;
    let mut layers = Vec::new();
    for (i, entry) in entries.iter().enumerate() {
        if let Some(n) = entry.get("count").and_then(Value::as_u64) {
            count = u32::try_from(n).unwrap_or(u32::MAX);
            continue;
        }
        let Some(name) = entry.get("name").and_then(Value::as_str) else {
            return Err(format!("entry {} has neither `name` nor `count`", i + 1));
        };
        let mean = entry.get("averageMs").and_then(Value::as_f64);
        let total = entry.get("timeMs").and_then(Value::as_f64).filter(|_| count > 0);
        let ms = mean.or(total.map(|t| t / f64::from(count))).filter(|ms| ms.is_finite() && *ms >= 0.0);
        let ms = ms.ok_or_else(|| format!("layer `{name}` has no `averageMs`"))?;
        layers.push(LayerRuns { name: name.into(), runs: vec![(ms, None)] });
    }
    if layers.is_empty() {
        return Err(
            "lists no layer: run trtexec with --dumpProfile or --exportProfile, and --profilingVerbosity=detailed"
                .into(),
        );
    }
    Ok((layers, count))
}

/// Parses `--exportTimes`: `[{"startComputeMs": …, "endComputeMs": …, "computeMs": …, "latencyMs": …}, …]`. Returns each
/// inference's compute time in s: copies to and from the device are no part of the engine.
///
/// # Errors
/// What is wrong, in words.
pub fn times(content: &[u8]) -> Result<Vec<f64>, String> {
    let entries = array(content)?;
    let mut times = Vec::with_capacity(entries.len());
    for (i, entry) in entries.iter().enumerate() {
        let field = |name: &str| entry.get(name).and_then(Value::as_f64);
        let span = field("endComputeMs").zip(field("startComputeMs")).map(|(end, start)| end - start);
        let ms = field("computeMs").or(span).or_else(|| field("latencyMs"));
        let ms = ms.filter(|ms| ms.is_finite() && *ms >= 0.0);
        times.push(ms.ok_or_else(|| format!("entry {} tells no compute time", i + 1))? * 1e-3);
    }
    Ok(times)
}

fn array(content: &[u8]) -> Result<Vec<Value>, String> {
    match serde_json::from_slice(content) {
        Ok(Value::Array(entries)) => Ok(entries),
        Ok(_) => Err("is no JSON list".into()),
        Err(e) => Err(e.to_string()),
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
}
