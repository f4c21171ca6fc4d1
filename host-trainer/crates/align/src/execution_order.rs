//! The order in which layers run.

use super::batch::SAMPLE;
use shared::run_folder::{LayerCursor, LayerSeries, ReadAt};
use std::io;

/// Puts layers in execution order: by their stamps, for the order of names in a file means nothing. Equal stamps are
/// decided by the engine's order, then by name. Layers without any measurement come last.
///
/// `engine_position` gives a layer's place in the engine, if it is known there.
///
/// # Errors
/// When the source cannot be read.
pub fn sort_by_execution<S: ReadAt + ?Sized>(
    source: &S,
    layers: &mut Vec<LayerSeries>,
    engine_position: impl Fn(&LayerSeries) -> Option<usize>,
) -> io::Result<()> {
    let mut heads = Vec::with_capacity(layers.len());
    for series in layers.iter() {
        let mut cursor = LayerCursor::new(source, series);
        let mut stamps = Vec::with_capacity(SAMPLE);
        while stamps.len() < SAMPLE
            && let Some(entry) = cursor.next_entry()?
        {
            stamps.push(entry.wall_ns);
        }
        heads.push(stamps);
    }
    // Positions in the lists at which all layers belong to one inference are those that span least time; behind a
    // missing measurement they no longer do.
    let longest = heads.iter().map(Vec::len).max().unwrap_or(0);
    let span = |c: usize| -> Option<(i64, i64)> {
        let stamps = heads.iter().filter_map(|h| h.get(c)).copied();
        Some((stamps.clone().min()?, stamps.max()?))
    };
    let spans: Vec<(i64, i64)> = (0..longest).filter_map(span).collect();
    let least = spans.iter().map(|s| s.1.saturating_sub(s.0)).min().unwrap_or(0);
    let offset = |stamps: &[i64]| -> i64 {
        let whole = stamps.iter().zip(&spans).filter(|(_, s)| s.1.saturating_sub(s.0) <= least.saturating_mul(2));
        let mut offsets: Vec<i64> = whole.map(|(&at, s)| at.saturating_sub(s.0)).collect();
        offsets.sort_unstable();
        offsets.get(offsets.len() / 2).copied().unwrap_or(i64::MAX)
    };
    let mut keyed: Vec<_> = layers
        .drain(..)
        .zip(&heads)
        .map(|(series, stamps)| {
            let place = engine_position(&series).unwrap_or(usize::MAX);
            ((offset(stamps), place, series.turn), series)
        })
        .collect();
    keyed.sort_by(|a, b| a.0.cmp(&b.0).then_with(|| a.1.name.cmp(&b.1.name)));
    // A log that starts in the middle of an inference sees the first layers last. The engine knows where it begins.
    let place = |i: usize| keyed[i].0.1;
    if let Some(start) = (0..keyed.len()).min_by_key(|&i| place(i))
        && (1..keyed.len()).all(|i| place((start + i - 1) % keyed.len()) <= place((start + i) % keyed.len()))
    {
        keyed.rotate_left(start);
    }
    layers.extend(keyed.into_iter().map(|(_, series)| series));
    Ok(())
}
