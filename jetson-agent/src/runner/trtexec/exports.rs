//! What `trtexec` exports: per-layer profile and times of inferences.

use serde::Deserialize;
use shared::text::json;

/// One layer of `--exportProfile`.
#[derive(Debug, Clone, PartialEq)]
pub struct ProfileEntry {
    /// Layer name.
    pub name: String,
    /// Mean over the profiled cycles, ms.
    pub average_ms: f64,
    /// Median, ms, where this version writes it.
    pub median_ms: Option<f64>,
}

/// One inference of `--exportTimes`, in ms since inference began.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Trace {
    /// Its start: of the input's copy, where data are transferred.
    pub start_ms: f64,
    /// Its end.
    pub end_ms: f64,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum ProfileItem {
    Count {
        count: u32,
    },
    Layer {
        name: String,
        #[serde(rename = "averageMs", deserialize_with = "json::finite")]
        average_ms: Option<f64>,
        #[serde(rename = "medianMs", default, deserialize_with = "json::finite")]
        median_ms: Option<f64>,
    },
}

/// Parses `--exportProfile`: `[{"count": n}, {"name": …, "timeMs": …, "averageMs": …}, …]`. Returns the cycles profiled
/// and the layers.
///
/// # Errors
/// When it is not of this shape.
pub fn parse_profile(content: &[u8]) -> Result<(u32, Vec<ProfileEntry>), String> {
    let items: Vec<ProfileItem> = json::from_slice(content).map_err(|e| format!("is no profile: {e}"))?;
    let (mut cycles, mut layers) = (0, Vec::new());
    for item in items {
        match item {
            ProfileItem::Count { count } => cycles = count,
            ProfileItem::Layer { name, average_ms, median_ms } => match average_ms {
                Some(average_ms) if average_ms >= 0.0 => layers.push(ProfileEntry { name, average_ms, median_ms }),
                Some(average_ms) => return Err(format!("layer `{name}` took {average_ms} ms")),
                None => return Err(format!("layer `{name}` has an `averageMs` that is not a number")),
            },
        }
    }
    if layers.is_empty() { Err("names no layer".into()) } else { Ok((cycles.max(1), layers)) }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TraceItem {
    #[serde(default, deserialize_with = "json::finite")]
    start_h2d_ms: Option<f64>,
    start_compute_ms: f64,
    end_compute_ms: f64,
    #[serde(default, deserialize_with = "json::finite")]
    end_d2h_ms: Option<f64>,
}

/// Parses `--exportTimes`: `[{"startComputeMs": …, "endComputeMs": …, …}, …]`.
///
/// # Errors
/// When it is not of this shape or time runs backwards in it.
pub fn parse_times(content: &[u8]) -> Result<Vec<Trace>, String> {
    let items: Vec<TraceItem> = json::from_slice(content).map_err(|e| format!("holds no times: {e}"))?;
    items
        .into_iter()
        .enumerate()
        .map(|(index, item)| {
            // Without transfers those columns are there and zero.
            let start_ms = item.start_h2d_ms.filter(|ms| *ms > 0.0).unwrap_or(item.start_compute_ms);
            let end_ms = item.end_d2h_ms.unwrap_or(0.0).max(item.end_compute_ms);
            let trace = Trace { start_ms: start_ms.min(item.start_compute_ms), end_ms };
            if trace.start_ms.is_finite() && trace.end_ms.is_finite() && trace.end_ms >= trace.start_ms {
                Ok(trace)
            } else {
                Err(format!("inference {index} ends before it starts"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_several_versions() {
        let profile = br#"[ {"count" : 3}, {"name" : "conv", "timeMs" : 0.3, "averageMs" : 0.1, "percentage" : 100} ]"#;
        let (count, layers) = parse_profile(profile).expect("reads");
        assert_eq!((count, layers.len(), layers[0].median_ms), (3, 1, None));
        let times = br#"[{"startH2dMs": 0, "endH2dMs": 0, "startComputeMs": 1.5, "endComputeMs": 2.5, "startD2hMs": 0, "endD2hMs": 0, "latencyMs": 1.0}]"#;
        assert_eq!(parse_times(times).expect("reads"), [Trace { start_ms: 1.5, end_ms: 2.5 }]);
        let odd = b"\xef\xbb\xbf[{\"count\": 1}, {\"name\": \"a\x1eb\", \"averageMs\": 0.5, \"medianMs\": -nan}]";
        let (_, layers) = parse_profile(odd).expect("reads");
        assert_eq!((layers[0].name.as_str(), layers[0].median_ms), ("a\u{1e}b", None));
        assert!(parse_profile(br#"[{"name": "a", "averageMs": nan}]"#).expect_err("no mean").contains("layer `a`"));
        for bad in [&b""[..], b"{}", b"[{}]", br#"[{"count": 1}]"#] {
            assert!(parse_profile(bad).is_err());
        }
        assert!(parse_times(br#"[{"startComputeMs": 2, "endComputeMs": 1}]"#).is_err());
    }
}
