//! Whether intervals hold what they promise.

use super::accuracy::cells;
use super::input::Report;
use super::names::target_name;
use charts::{Axis, Coverage, CoverageRow, LOOKS, Plot, Point};
use learn::evaluate::Pair;
use learn::model::Interval;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Levels of the calibration curve.
const LEVELS: [f64; 7] = [0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99];
/// Pairs that a half needs for a curve.
const FEWEST: usize = 20;

pub(super) fn section(report: &Report<'_>) -> Option<Markup> {
    let cells = cells(report);
    let rows: Vec<CoverageRow> = cells
        .iter()
        .filter_map(|(kind, target, pairs)| {
            let of: Vec<bool> = pairs.iter().filter_map(|pair| pair.is_inside()).collect();
            let held = of.iter().filter(|held| **held).count();
            (!of.is_empty()).then(|| CoverageRow {
                name: format!("{kind} {}", target_name(*target)),
                held,
                of: of.len(),
            })
        })
        .collect();
    let mut curves: Vec<(String, usize, Vec<Point>)> = cells
        .iter()
        .filter_map(|(kind, target, pairs)| {
            Some((format!("{kind} {}", target_name(*target)), pairs.len(), calibration(pairs)?))
        })
        .collect();
    if rows.is_empty() && curves.is_empty() {
        return None;
    }
    // The largest sets say most.
    curves.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    curves.truncate(LOOKS);
    let calibration = (!curves.is_empty()).then(|| {
        let mut plot = Plot::new(
            "calibration",
            "Promised against held, at every level",
            "Share of measurements within intervals of each level, where the interval was drawn from half of the networks and \
             tried on the other half; the dashed line is where the two are equal",
            Axis::linear("promised, %").including(50.0).including(100.0),
            Axis::linear("held, %").including(100.0),
        )
        .guide("held = promised", vec![(50.0, 50.0), (100.0, 100.0)]);
        for (name, _, points) in curves {
            plot = plot.line(&name, points, true);
        }
        plot.note("Drawn from one half of the networks, tried on the other, and the other way round.").render()
    });
    let seen = report.pairs.iter().any(|pair| pair.seen);
    Some(html! {
        @if seen {
            p { "Some of these measurements were seen in training; intervals look wider than they are on those." }
        }
        div class="grid" {
            @if !rows.is_empty() {
                (Coverage::new("coverage", "90 % intervals of the models", "Share of measurements within their 90 % interval, by kind and target", 90.0, rows).render())
            }
            @if let Some(calibration) = calibration { (calibration) }
        }
    })
}

/// Held shares by level, cross-wise between two halves of the networks, or of the rows where there is one network only.
fn calibration(pairs: &[&Pair]) -> Option<Vec<Point>> {
    let networks: Vec<&str> = pairs.iter().map(|p| p.network.as_str()).collect::<BTreeSet<_>>().into_iter().collect();
    let half = |i: usize, pair: &Pair| {
        let place = if networks.len() > 1 { networks.binary_search(&pair.network.as_str()).unwrap_or(0) } else { i };
        place % 2
    };
    let mut halves: [Vec<&Pair>; 2] = [Vec::new(), Vec::new()];
    for (i, pair) in pairs.iter().enumerate().filter(|(_, p)| p.measured > 0.0 && p.predicted > 0.0) {
        halves[half(i, pair)].push(pair);
    }
    if halves.iter().any(|half| half.len() < FEWEST) {
        return None;
    }
    let points = LEVELS.iter().filter_map(|&level| {
        let (mut held, mut of) = (0, 0);
        for (drawn, tried) in [(&halves[0], &halves[1]), (&halves[1], &halves[0])] {
            let (measured, predicted): (Vec<f64>, Vec<f64>) = drawn.iter().map(|p| (p.measured, p.predicted)).unzip();
            // How many networks there are decides what is told of a model; here only how the shares compare.
            let interval = Interval::conformal(level, &measured, &predicted, usize::MAX)?;
            held += tried.iter().filter(|p| interval.holds(p.measured, p.predicted)).count();
            of += tried.len();
        }
        let share = 100.0 * held as f64 / of as f64;
        Some(Point::named(format!("{held} of {of}"), 100.0 * level, share))
    });
    let points: Vec<Point> = points.collect();
    (!points.is_empty()).then_some(points)
}
