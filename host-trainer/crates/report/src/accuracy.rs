//! Predicted against measured, and what is left between them.

use super::input::Report;
use super::names::{slug, target_name, unit};
use super::table::table;
use charts::{Axis, Plot, Point, histogram};
use estimators::metric_columns::{MAPE, R2, RMSPE, WITHIN_10};
use learn::evaluate::{Measurand, Pair};
use maud::{Markup, html};
use shared::figures::figure;

/// Relative errors beyond this stand in a histogram's outermost columns, in percent.
const WILD_PERCENT: f64 = 50.0;

/// Kinds and targets in the order of the figures' lines.
pub(super) fn cells<'a>(report: &'a Report<'_>) -> Vec<(&'static str, Measurand, Vec<&'a Pair>)> {
    let mut cells: Vec<(&'static str, Measurand, Vec<&Pair>)> = Vec::new();
    for line in report.lines.iter().filter(|line| line.network.is_none()) {
        let pairs = report.pairs.iter().filter(|p| p.kind() == line.kind && p.target == line.target).collect();
        cells.push((line.kind, line.target, pairs));
    }
    cells
}

pub(super) fn section(report: &Report<'_>) -> Option<Markup> {
    let lines: Vec<_> = report.lines.iter().filter(|line| line.network.is_none()).collect();
    if lines.is_empty() {
        return None;
    }
    let rows: Vec<Vec<String>> = lines
        .iter()
        .map(|line| {
            let metrics = &line.metrics;
            let pairs = || report.pairs.iter().filter(|p| p.kind() == line.kind && p.target == line.target);
            vec![
                line.kind.to_owned(),
                target_name(line.target).to_owned(),
                metrics.n.to_string(),
                pairs().filter(|p| p.seen).count().to_string(),
                MAPE.figure(Some(metrics)),
                RMSPE.figure(Some(metrics)),
                WITHIN_10.figure(Some(metrics)),
                R2.figure(Some(metrics)),
                metrics.non_positive.to_string(),
                figure(line.interval_90_coverage_percent, 1),
                line.without_model.to_string(),
            ]
        })
        .collect();
    let charts = cells(report).into_iter().map(|(kind, target, pairs)| scatter(kind, target, &pairs));
    Some(html! {
        (table(
            "Errors on these data",
            &["kind", "target", "n", "of seen networks", "MAPE %", "RMSPE %", "within ±10 %", "R²", "non-positive", "in 90 % interval", "no model"],
            2,
            &rows,
        ))
        p { "“Of seen networks”: measurements of networks that training saw. “No model”: predicted by the roofline or the median power." }
        div class="grid" { @for chart in charts { (chart) } }
    })
}

fn scatter(kind: &str, target: Measurand, pairs: &[&Pair]) -> Markup {
    let (name, unit) = (target_name(target), unit(target));
    let axis = |what: &str| Axis::log(format!("{what}, {unit}"));
    let mut plot = Plot::new(
        &format!("scatter-{}-{}", slug(kind), slug(name)),
        &format!("{kind}: {name}"),
        &format!(
            "Predicted against measured {name} of {} {kind} layers or networks on logarithmic axes, with a band of ten percent either way",
            pairs.len()
        ),
        axis("measured"),
        axis("predicted"),
    );
    for (seen, series) in [(false, "network not seen in training"), (true, "network seen in training")] {
        let points: Vec<Point> =
            pairs.iter().filter(|p| p.seen == seen).map(|p| Point::named(p.name(), p.measured, p.predicted)).collect();
        // A series keeps its look whether the other is there or not.
        if !points.is_empty() || !seen {
            plot = plot.points(series, points);
        }
    }
    plot.equality().render()
}

pub(super) fn residuals(report: &Report<'_>) -> Option<Markup> {
    let mut charts: Vec<Markup> = Vec::new();
    for target in [Measurand::Runtime, Measurand::Power, Measurand::Energy] {
        let pairs: Vec<&Pair> = report
            .pairs
            .iter()
            .filter(|p| p.target == target && p.measured > estimators::metrics::NEARLY_ZERO)
            .collect();
        if pairs.is_empty() {
            continue;
        }
        let error = |p: &Pair| 100.0 * (p.predicted / p.measured - 1.0);
        let name = target_name(target);
        let with_work: Vec<&&Pair> = pairs.iter().filter(|p| p.macs > 0.0).collect();
        if !with_work.is_empty() {
            let mut plot = Plot::new(
                &format!("residuals-{}", slug(name)),
                &format!("Error of {name} over work"),
                "Relative error of each prediction over the layer's multiply-accumulates, by layer kind",
                Axis::log("multiply-accumulates"),
                Axis::linear("predicted / measured − 1, %").including(10.0).including(-10.0),
            );
            let mut kinds: Vec<&'static str> = Vec::new();
            with_work.iter().map(|p| p.kind()).for_each(|kind| {
                if !kinds.contains(&kind) {
                    kinds.push(kind)
                }
            });
            for kind in kinds {
                let of_kind = with_work.iter().filter(|p| p.kind() == kind);
                plot = plot.points(kind, of_kind.map(|p| Point::named(p.name(), p.macs, error(p))).collect());
            }
            let span =
                with_work.iter().fold((f64::INFINITY, 0.0f64), |(low, high), p| (low.min(p.macs), high.max(p.macs)));
            for level in [-10.0, 10.0] {
                let words = if level < 0.0 { "±10 %" } else { "" };
                plot = plot.guide(words, vec![(span.0, level), (span.1, level)]);
            }
            let without = pairs.len() - with_work.len();
            if without > 0 {
                plot = plot.note(format!("{without} layers without multiply-accumulates are not shown."));
            }
            charts.push(plot.render());
        }
        let errors: Vec<f64> = pairs.iter().filter(|p| p.table.is_some()).map(|p| error(p)).collect();
        if !errors.is_empty() {
            charts.push(histogram(
                &format!("histogram-{}", slug(name)),
                &format!("Errors of {name}, layers"),
                "How often relative errors of layers occur",
                "predicted / measured − 1, %",
                &errors,
                Some(WILD_PERCENT),
            ));
        }
    }
    (!charts.is_empty()).then(|| html! { div class="grid" { @for chart in charts { (chart) } } })
}
