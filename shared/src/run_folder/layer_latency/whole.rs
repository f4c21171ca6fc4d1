//! A whole file in memory, where every entry has to be in order.

use super::cursor::LayerCursor;
use super::entry::LayerEntry;
use super::index::index_layers;
use crate::failure::{Failure, Kind};
use crate::fs::read_capped;
use crate::limits;
use crate::run_folder::diagnostics::Diagnostics;
use crate::text::decode;
use std::path::Path;

/// Layers in the file's order, each with its entries in the order in which they were taken.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerLatencies {
    /// Name and entries; names are unique, since the file is a JSON object.
    pub layers: Vec<(String, Vec<LayerEntry>)>,
}

/// Why a file's content is not layer latencies.
#[derive(Debug, thiserror::Error)]
pub enum LayerLatencyError {
    /// It does not begin as such a file does.
    #[error(transparent)]
    Shape(#[from] std::io::Error),
    /// A part of it could not be read.
    #[error("{}", .0.sentence().unwrap_or_default())]
    Unreadable(Diagnostics),
}

/// Reads such a file.
///
/// # Errors
/// When it cannot be read or does not have this shape in all its parts; the message names the layer and the entry.
pub fn read_layer_latencies(path: &Path) -> Result<LayerLatencies, Failure> {
    let content = read_capped(path, limits::LAYER_LATENCY_BYTES)?;
    parse_layer_latencies(&content).map_err(|e| {
        Failure::from_error(Kind::Data, e)
            .at(path)
            .help("expected {\"layer name\": [[milliseconds, \"YYYYMMDD-HH:MM:SS.ffffff\"], ...]}")
    })
}

/// Parses such a file's content.
///
/// # Errors
/// When it does not have this shape in all its parts.
pub fn parse_layer_latencies(content: &[u8]) -> Result<LayerLatencies, LayerLatencyError> {
    let text = decode(content).text;
    let content = text.as_bytes();
    let mut diagnostics = Diagnostics::default();
    let series = index_layers(content, &mut diagnostics)?;
    let mut layers = Vec::with_capacity(series.len());
    for layer in &series {
        let mut cursor = LayerCursor::new(content, layer);
        let mut entries = Vec::new();
        while let Some(entry) = cursor.next_entry()? {
            entries.push(entry);
        }
        diagnostics.merge(&cursor.diagnostics);
        layers.push((layer.name.clone(), entries));
    }
    if diagnostics.bad > 0 {
        return Err(LayerLatencyError::Unreadable(diagnostics));
    }
    Ok(LayerLatencies { layers })
}

#[cfg(test)]
mod tests {
    use super::super::index::split_shared_names;
    use super::super::write::write_layer_latencies;
    use super::*;
    use crate::units::Millis;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> (Vec<(String, Vec<LayerEntry>)>, Diagnostics) {
        let mut diagnostics = Diagnostics::default();
        let mut series = index_layers(text, &mut diagnostics).expect("a JSON object");
        split_shared_names(&mut series);
        let layers = series
            .iter()
            .map(|s| {
                let mut cursor = LayerCursor::new(text, s);
                let mut entries = Vec::new();
                while let Some(entry) = cursor.next_entry().expect("memory") {
                    entries.push(entry);
                }
                diagnostics.merge(&cursor.diagnostics);
                (s.name.clone(), entries)
            })
            .collect();
        (layers, diagnostics)
    }

    fn durations(entries: &[LayerEntry]) -> Vec<f64> {
        entries.iter().map(|e| e.duration.0).collect()
    }

    const TEXT: &str = r#"{
        "conv [a] \"x\"": [ [0.5, "20241121-00:00:01.50"], [ 0.25 , "20241121-00:00:02.50" ] ],
        "empty": [],
        "pool":[[1e-2,"20241121-00:00:01.75"],[0.0,"20241121-00:00:02.75"]]
    }"#;

    #[test]
    fn layers_and_entries() {
        let (layers, diagnostics) = read(TEXT.as_bytes());
        assert_eq!(diagnostics, Diagnostics::default());
        assert_eq!(layers.iter().map(|l| l.0.as_str()).collect::<Vec<_>>(), ["conv [a] \"x\"", "empty", "pool"]);
        assert_eq!(durations(&layers[0].1), [0.5, 0.25]);
        assert_eq!(layers[0].1[1].wall_ns - layers[0].1[0].wall_ns, 1_000_000_000);
        assert_eq!(layers[2].1[0].duration, Millis(0.01));
        assert_eq!(parse_layer_latencies(TEXT.as_bytes()).expect("reads").layers, layers);
    }

    #[test]
    fn bad_entries_are_counted_and_named() {
        let text =
            br#"{"a":[[1,"20241121-00:00:01"],[null,"x"],[-1,"20241121-00:00:01"],[2],[3,"20241121-00:00:02"]]}"#;
        let (layers, diagnostics) = read(text);
        assert_eq!(layers[0].1.len(), 2);
        assert_eq!(diagnostics.bad, 3);
        assert!(diagnostics.named[0].contains("layer `a`, measurement 2"), "{diagnostics:?}");
        let refused = parse_layer_latencies(text).expect_err("three are bad").to_string();
        assert!(refused.contains("3 unreadable") && refused.contains("measurement 2"), "{refused}");
    }

    #[test]
    fn a_list_twice_as_long_is_two_layers() {
        let text = br#"{"a":[[1,"20241121-00:00:01"],[2,"20241121-00:00:02"]],
            "b":[[3,"20241121-00:00:01"],[4,"20241121-00:00:01"],[5,"20241121-00:00:02"],[6,"20241121-00:00:02"]],
            "c":[[1,"20241121-00:00:01"],[2,"20241121-00:00:02"]]}"#;
        let (layers, _) = read(text);
        let of: Vec<_> = layers.iter().map(|l| durations(&l.1)).collect();
        assert_eq!(of, [vec![1.0, 2.0], vec![3.0, 5.0], vec![4.0, 6.0], vec![1.0, 2.0]]);
    }

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
        for bad in [
            "",
            "[]",
            "[1]",
            "{\"a\": [[1.0]]}",
            "{\"a\": [[-1.0, \"20250128-13:38:25.98\"]]}",
            "{\"a\": [[1, \"x\"]]}",
            "{\"a\": [[1, \"20250128-13:38:25.98\"]",
        ] {
            assert!(parse_layer_latencies(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_prefix_gives_its_whole_entries(cut in 1_usize..300) {
            let text = &TEXT.as_bytes()[..cut.min(TEXT.len())];
            let (layers, _) = read(text);
            let (whole, _) = read(TEXT.as_bytes());
            for (part, full) in layers.iter().zip(&whole) {
                prop_assert_eq!(&part.0, &full.0);
                prop_assert_eq!(part.1.as_slice(), &full.1[..part.1.len()]);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), tail in "[\\[\\],\"0-9a: {}]{0,80}") {
            let mut text = b"{\"a\":[".to_vec();
            text.extend_from_slice(tail.as_bytes());
            text.extend_from_slice(&bytes);
            let _ = read(&text);
        }
    }
}
