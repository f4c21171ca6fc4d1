//! The reference's `trt_layer_latency.json`: `{layer name: [[ms, "YYYYMMDD-HH:MM:SS.ffffff"], …]}`.

use super::stamp::{format_stamp, parse_stamp};
use crate::failure::Failure;
use crate::fs::read_capped;
use crate::limits;
use crate::units::Millis;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use std::fmt;
use std::io::{self, Write};
use std::path::Path;

/// One run of a layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LayerEntry {
    /// Duration.
    pub duration: Millis,
    /// Its stamp, Unix ns in the file's own zone. In the reference's files, when the profiler's callback came.
    pub wall_ns: i64,
}

/// Layers in the file's order, each with its entries in the order in which they were taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerLatencies {
    /// Name and entries; names are unique, since the file is a JSON object.
    pub layers: Vec<(String, Vec<LayerEntry>)>,
}

/// Writes the file's content. Layers that share a name are written under it together, cycle by cycle in execution
/// order, as the reference's profiler collects them.
///
/// # Errors
/// Whatever the sink says.
pub fn write_layer_latencies(
    out: &mut dyn Write,
    names: &[String],
    entry: &dyn Fn(usize, usize) -> Option<LayerEntry>,
    cycles: usize,
) -> io::Result<()> {
    let mut groups: Vec<(&str, Vec<usize>)> = Vec::new();
    let mut seen = std::collections::HashMap::new();
    for (index, name) in names.iter().enumerate() {
        let at = *seen.entry(name.as_str()).or_insert_with(|| {
            groups.push((name, Vec::new()));
            groups.len() - 1
        });
        groups[at].1.push(index);
    }
    out.write_all(b"{")?;
    for (at, (name, indices)) in groups.iter().enumerate() {
        let key = serde_json::to_string(name).map_err(io::Error::other)?;
        write!(out, "{}\n    {key}: [", if at == 0 { "" } else { "," })?;
        let mut first = true;
        for cycle in 0..cycles {
            for &index in indices {
                if let Some(entry) = entry(cycle, index) {
                    let separator = if first { "" } else { ", " };
                    write!(out, "{separator}[{:?}, \"{}\"]", entry.duration.0, format_stamp(entry.wall_ns))?;
                    first = false;
                }
            }
        }
        out.write_all(b"]")?;
    }
    out.write_all(b"\n}\n")
}

/// Reads such a file.
///
/// # Errors
/// When it cannot be read or does not have this shape; the message names line and column.
pub fn read_layer_latencies(path: &Path) -> Result<LayerLatencies, Failure> {
    let content = read_capped(path, limits::LAYER_LATENCY_BYTES)?;
    parse_layer_latencies(&content).map_err(|e| {
        Failure::data(e.to_string())
            .at(path)
            .help("expected {\"layer name\": [[milliseconds, \"YYYYMMDD-HH:MM:SS.ffffff\"], ...]}")
    })
}

/// Parses such a file's content.
///
/// # Errors
/// When it does not have this shape.
pub fn parse_layer_latencies(content: &[u8]) -> Result<LayerLatencies, serde_json::Error> {
    serde_json::from_slice(content)
}

impl<'de> Deserialize<'de> for LayerEntry {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (ms, stamp) = <(f64, std::borrow::Cow<'de, str>)>::deserialize(deserializer)?;
        if !(ms >= 0.0 && ms.is_finite()) {
            return Err(serde::de::Error::custom(format!("`{ms}` is no duration in milliseconds")));
        }
        let wall_ns = parse_stamp(&stamp)
            .ok_or_else(|| serde::de::Error::custom(format!("`{stamp}` is not a time `YYYYMMDD-HH:MM:SS.ffffff`")))?;
        Ok(Self { duration: Millis(ms), wall_ns })
    }
}

impl<'de> Deserialize<'de> for LayerLatencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Layers;
        impl<'de> Visitor<'de> for Layers {
            type Value = LayerLatencies;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object of layer names")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                // A map would lose the order, which is the execution order.
                let mut layers = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    layers.push(entry);
                }
                Ok(LayerLatencies { layers })
            }
        }
        deserializer.deserialize_map(Layers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_in_execution_order() {
        let names: Vec<String> = ["b \"quoted\"", "a", "b \"quoted\""].map(str::to_owned).to_vec();
        let entry = |cycle: usize, index: usize| {
            Some(LayerEntry {
                duration: Millis(0.25 + index as f64),
                wall_ns: 1_738_071_505_000_000_000 + (cycle * 10 + index) as i64 * 1000,
            })
        };
        let mut out = Vec::new();
        write_layer_latencies(&mut out, &names, &entry, 2).expect("memory");
        let read = parse_layer_latencies(&out).expect("reads");
        assert_eq!(
            read.layers.iter().map(|(n, e)| (n.as_str(), e.len())).collect::<Vec<_>>(),
            [("b \"quoted\"", 4), ("a", 2)]
        );
        assert_eq!(read.layers[0].1[1], entry(0, 2).expect("some"));
    }

    #[test]
    fn the_empty_file_and_damage() {
        let mut out = Vec::new();
        write_layer_latencies(&mut out, &[], &|_, _| None, 0).expect("memory");
        assert_eq!(parse_layer_latencies(&out).expect("reads"), LayerLatencies::default());
        for bad in
            ["", "[]", "{\"a\": [[1.0]]}", "{\"a\": [[-1.0, \"20250128-13:38:25.98\"]]}", "{\"a\": [[1, \"x\"]]}"]
        {
            assert!(parse_layer_latencies(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
