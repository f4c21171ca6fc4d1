//! Groups of layers that the readings tell of together and not one by one.

use super::evidence::Evidence;
use super::quality::{LayerGroup, LayerReport, Verdict};
use super::solve::half_width;
use shared::units::{Millijoules, Millis, Watts};

/// A measured power has an interval of less than this to either side.
pub(crate) const MEASURED_WITHIN: f64 = 0.15;

/// Puts neighbours that are not measured each into the smallest groups that are. What is left over is a group that is not.
pub(crate) fn group(layers: &[LayerReport], found: &Evidence) -> Vec<LayerGroup> {
    let mut groups: Vec<LayerGroup> = Vec::new();
    let open = |l: usize| layers[l].verdict != Verdict::Measured && layers[l].runtime.is_some_and(|t| t.0 > 0.0);
    let mut first = 0;
    while first < layers.len() {
        if !open(first) {
            first += 1;
            continue;
        }
        let end = (first..layers.len()).find(|&l| layers[l].verdict == Verdict::Measured).unwrap_or(layers.len());
        let before = groups.len();
        let mut from = first;
        for last in first..end {
            let group = together(layers, found, from, last);
            if group.verdict == Verdict::Measured {
                groups.push(group);
                from = last + 1;
            }
        }
        if from < end {
            // What is left joins the group before it, or else the layers next to it.
            let joined = if groups.len() > before { groups.pop().map(|g| g.first) } else { None };
            let widest = (joined.unwrap_or(from).saturating_sub(1), end.min(layers.len() - 1));
            let tried =
                [(joined.unwrap_or(from), end - 1), (joined.unwrap_or(from), widest.1), (widest.0, end - 1), widest];
            let tried = tried.map(|(first, last)| together(layers, found, first, last));
            let best = tried.iter().find(|g| g.verdict == Verdict::Measured).unwrap_or(&tried[0]);
            groups.push(best.clone());
        }
        first = end + 1;
    }
    groups.retain(|g| g.last > g.first);
    groups
}

fn together(layers: &[LayerReport], found: &Evidence, first: usize, last: usize) -> LayerGroup {
    let part = &layers[first..=last];
    let runtime: Millis = part.iter().filter_map(|l| l.runtime).sum();
    let energy = part.iter().map(|l| l.energy).sum::<Option<Millijoules>>();
    let power = energy.filter(|_| runtime.0 > 0.0).map(|energy| energy / runtime);
    let (deviation, prior) = found.deviation_together(first, last).unwrap_or((f64::INFINITY, f64::INFINITY));
    let half = Watts(half_width(deviation));
    let measured = power.is_some_and(|p| half.0 < MEASURED_WITHIN * p.0) && deviation < 0.5 * prior;
    let known = power.filter(|_| deviation.is_finite());
    LayerGroup {
        first,
        last,
        runtime,
        power,
        power_low: known.map(|p| Watts((p - half).0.max(0.0))),
        power_high: known.map(|p| p + half),
        energy,
        energy_half: known.map(|_| half * runtime),
        verdict: if measured { Verdict::Measured } else { Verdict::NotIdentifiable },
    }
}
