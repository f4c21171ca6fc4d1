//! Writing the file.

use super::entry::LayerEntry;
use crate::run_folder::stamp::format_stamp;
use std::io::{self, Write};

/// Writes the file's content. Layers that share a name are written under it together, cycle by cycle in execution
/// order, as EdgeProfiler collects them.
///
/// # Errors
/// When the sink cannot be written to.
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
