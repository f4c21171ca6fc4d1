//! Where in time a cycle's layers lie.

use shared::run_folder::{LayerRun, LayerStamp};

/// Start and end of each layer of a cycle, monotonic ns.
///
/// A stamp at a layer's end gives both. Any other stamp says nothing about single layers (a callback comes after the whole inference),
/// so that the layers follow each other from the inference's start; where that is not known, they end at the first callback.
pub(crate) fn place(runs: &[LayerRun], stamp: LayerStamp, inference_start_ns: Option<u64>) -> Vec<(u64, u64)> {
    let ns = |run: &LayerRun| (f64::from(run.ms.max(0.0)) * 1e6).round() as u64;
    if stamp == LayerStamp::LayerEnd {
        return runs.iter().map(|run| (run.stamp_ns.saturating_sub(ns(run)), run.stamp_ns)).collect();
    }
    let whole: u64 = runs.iter().map(ns).sum();
    let first = runs.first().map_or(0, |run| run.stamp_ns);
    let mut at = inference_start_ns.unwrap_or_else(|| first.saturating_sub(whole));
    let mut places = Vec::with_capacity(runs.len());
    for run in runs {
        places.push((at, at + ns(run)));
        at += ns(run);
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_at_the_end_are_taken_and_callbacks_are_not() {
        let runs = [LayerRun { ms: 0.002, stamp_ns: 12_000 }, LayerRun { ms: 0.001, stamp_ns: 13_500 }];
        assert_eq!(place(&runs, LayerStamp::LayerEnd, Some(0)), [(10_000, 12_000), (12_500, 13_500)]);
        assert_eq!(place(&runs, LayerStamp::Callback, Some(5_000)), [(5_000, 7_000), (7_000, 8_000)]);
        assert_eq!(place(&runs, LayerStamp::Callback, None), [(9_000, 11_000), (11_000, 12_000)]);
        assert!(place(&[], LayerStamp::PassAverage, None).is_empty());
    }
}
