//! Where energy and time go, and how near layers come to the device's rates.

use super::input::Report;
use charts::{Axis, Breakdown, Plot, Point, Share};
use learn::evaluate::{Measurand, Pair};
use learn::model::Roofline;
use maud::{Markup, html};
use shared::engine::Work;
use std::collections::BTreeMap;

pub(super) fn section(report: &Report<'_>) -> Option<Markup> {
    let of = |target: Measurand| report.pairs.iter().filter(move |p| p.target == target && p.table.is_some());
    let target = if of(Measurand::Energy).next().is_some() { Measurand::Energy } else { Measurand::Runtime };
    of(target).next()?;
    let shares = |value: fn(&Pair) -> f64| {
        let mut kinds: BTreeMap<&'static str, f64> = BTreeMap::new();
        of(target).for_each(|p| *kinds.entry(p.kind()).or_default() += value(p));
        kinds.into_iter().map(|(name, amount)| Share { name: name.to_owned(), amount }).collect::<Vec<_>>()
    };
    let (what, unit) = if target == Measurand::Energy { ("Energy", "mJ") } else { ("Run time", "ms") };
    let chart = |id: &str, how: &str, shares: Vec<Share>| {
        let title = format!("{what} by layer kind, {how}");
        Breakdown::new(id, &title, &format!("{what} of all layers of the data, added up by kind"), unit, shares)
            .render()
    };
    Some(html! {
        @if target == Measurand::Runtime {
            p { "No layer of these data has both power and run time: what is added up is run time." }
        }
        div class="grid" {
            (chart("breakdown-measured", "measured", shares(|p| p.measured)))
            (chart("breakdown-predicted", "predicted", shares(|p| p.predicted)))
        }
    })
}

/// A layer's place in a roofline: operations per byte, and 10⁹ operations per second; none for a layer without
/// multiply-accumulates, each of which is two operations.
pub(super) fn place(work: &Work<f64>, ms: f64) -> Option<(f64, f64)> {
    let (gmacs, megabytes) = (work.macs? * 1e-9, work.bytes_moved * 1e-6);
    (gmacs > 0.0 && ms > 0.0).then_some((2e3 * gmacs / megabytes, 2e3 * gmacs / ms))
}

/// The roof of each precision, from a few operations a byte to many.
pub(super) fn with_roofs(mut plot: Plot, roofline: Option<&Roofline>, intensities: (f64, f64)) -> Plot {
    let Some(roofline) = roofline.filter(|r| r.ms_per_megabyte > 0.0) else { return plot };
    let gigabytes_per_second = 1.0 / roofline.ms_per_megabyte;
    for (bits, ms_per_gmac) in roofline.ms_per_gmac.iter().filter(|(_, rate)| **rate > 0.0) {
        let peak = 2e3 / ms_per_gmac;
        let ridge = peak / gigabytes_per_second;
        let (low, high) = (intensities.0.min(ridge / 4.0), intensities.1.max(ridge * 4.0));
        let roof = vec![(low, low * gigabytes_per_second), (ridge, peak), (high, peak)];
        let name =
            format!("{bits} bit: {} GFLOP/s, {} GB/s", charts::number(peak), charts::number(gigabytes_per_second));
        plot = plot.guide(&name, roof);
    }
    plot
}

pub(super) fn roofline_plot(
    id: &str,
    title: &str,
    series: Vec<(String, Vec<Point>)>,
    roofline: Option<&Roofline>,
) -> Markup {
    let plot = Plot::new(
        id,
        title,
        "Arithmetic rate of each layer over its operations per byte, under the rates fitted to the training layers",
        Axis::log("operations per byte moved, FLOP/B"),
        Axis::log("rate, GFLOP/s"),
    );
    let all = || series.iter().flat_map(|(_, points)| points).map(|p| p.x).filter(|x| *x > 0.0 && x.is_finite());
    let span = all().fold((f64::INFINITY, 0.0f64), |(low, high), x| (low.min(x), high.max(x)));
    let mut plot = with_roofs(plot, roofline, span);
    for (name, points) in series {
        plot = plot.points(&name, points);
    }
    plot.render()
}

/// Layers of the data by their measured run times.
pub(super) fn roofline(report: &Report<'_>) -> Option<Markup> {
    let mut series: Vec<(String, Vec<Point>)> = Vec::new();
    let mut launch_bound = (0, 0);
    for (table, rows) in &report.data.tables {
        let points: Vec<Point> = rows
            .iter()
            .filter_map(|row| {
                let ms = row.runtime?.0;
                let launch = report.device.roofline.as_ref().map_or(0.0, |r| r.launch_ms);
                launch_bound.1 += 1;
                launch_bound.0 += usize::from(launch > 0.5 * ms);
                let (x, y) = place(&row.spec.work(), ms)?;
                Some(Point::named(format!("{} · {}", row.network, row.layer), x, y))
            })
            .collect();
        if !points.is_empty() {
            series.push((table.name().to_owned(), points));
        }
    }
    if series.is_empty() {
        return None;
    }
    let (bound, of) = launch_bound;
    Some(html! {
        p {
            "Measured run times. Layers far below the roof wait for something else: " (bound) " of " (of)
            " layers take less than twice what a launch alone takes."
        }
        div class="grid" { (roofline_plot("roofline-data", "Layers of these data", series, report.device.roofline.as_ref())) }
    })
}
