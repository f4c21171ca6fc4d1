//! Where to cut a network into prefixes.

use super::design::DESIGN_FOLDER;
use shared::run_folder::{Change, Design, DesignKind, DesignStep};
use shared::units::Millis;
use std::time::Duration;

/// Plans prefixes of a network whose layers take these times, as many as fit into `time` if each runs for at least as long again as the
/// sensor needs to settle.
///
/// The energy of the layers between two cuts is a difference of two energies per inference, whose error does not depend on
/// where the cuts are. So the largest relative error is least if all stretches between cuts take the same time, as far as
/// layers allow it. `can` says whether the network can be cut after a number of layers.
#[must_use]
pub fn plan_prefixes(
    times: &[Option<Millis>],
    can: &dyn Fn(usize) -> bool,
    period: Millis,
    gap: Millis,
    settled_after: Millis,
    time: Duration,
) -> Design {
    let mut sum = 0.0;
    let cumulative: Vec<f64> = times
        .iter()
        .map(|time| {
            sum += time.map_or(0.0, |time| time.0);
            sum
        })
        .collect();
    // A cut after a layer that takes no time is the cut before it.
    let mut open: Vec<usize> = (1..times.len())
        .filter(|first| times[first - 1].is_some_and(|time| time.0 > 0.0) && cumulative[first - 1] < sum && can(*first))
        .collect();
    let all = Millis(time.as_secs_f64() * 1e3);
    let fit = ((all / (settled_after * 2.0)) as usize).clamp(1, open.len().max(1));
    let length = settled_after + Millis((all.0 / fit as f64 - settled_after.0).max(settled_after.0));
    let mut chosen = Vec::new();
    for number in 1..=fit {
        let target = sum * number as f64 / (fit + 1) as f64;
        let distance = |first: &usize| (cumulative[first - 1] - target).abs();
        let Some(nearest) = open.iter().copied().min_by(|a, b| distance(a).total_cmp(&distance(b))) else { break };
        open.retain(|first| *first != nearest);
        chosen.push(nearest);
    }
    chosen.sort_unstable();
    let step = |first_layers: usize| {
        let network = Millis(cumulative[first_layers - 1]);
        let cycle = network + gap;
        let cycles = ((length / cycle).ceil() as u32).clamp(50, super::loops::MOST_CYCLES);
        DesignStep {
            folder: format!("{DESIGN_FOLDER}/prefix-{first_layers}"),
            status: None,
            cycles,
            expected: cycle * f64::from(cycles),
            settled_after,
            change: Change::Prefix { first_layers, network: Some(network), alone: None },
        }
    };
    Design { kind: DesignKind::Prefixes, period, steps: chosen.into_iter().map(step).collect(), outside: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cuts(times: &[f64], can: &dyn Fn(usize) -> bool, seconds: u64) -> Vec<usize> {
        let times: Vec<Option<Millis>> = times.iter().map(|time| Some(Millis(*time))).collect();
        let design =
            plan_prefixes(&times, can, Millis(2.0), Millis(0.1), Millis(2_000.0), Duration::from_secs(seconds));
        let first =
            |step: &DesignStep| if let Change::Prefix { first_layers, .. } = step.change { first_layers } else { 0 };
        design.steps.iter().map(first).collect()
    }

    #[test]
    fn stretches_between_cuts_take_the_same_time_as_far_as_layers_allow_it() {
        let even = [0.1; 12];
        // Twelve seconds are three prefixes of twice two seconds.
        assert_eq!(cuts(&even, &|_| true, 12), [3, 6, 9]);
        assert_eq!(cuts(&even, &|first| first != 6, 4).len(), 1);
        // One long layer: no cut falls into it.
        assert_eq!(cuts(&[0.1, 0.1, 5.0, 0.1, 0.1], &|_| true, 8), [2, 3]);
        // With time for all, every layer has its own prefix but the last; one that takes no time has none.
        assert_eq!(cuts(&[0.1, 0.0, 0.1, 0.1], &|_| true, 1_000), [1, 3]);
        assert!(cuts(&[0.1, 0.1], &|_| false, 1_000).is_empty());
    }
}
