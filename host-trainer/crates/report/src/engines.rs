//! Engines, layer by layer.

use super::choice;
use super::energy::{place, roofline_plot};
use super::input::{EngineView, Report};
use super::names::slug;
use super::table::table;
use charts::{Axis, Breakdown, Column, Columns, LOOKS, Point, Share};
use learn::predict::LayerPrediction;
use maud::{Markup, html};
use shared::figures::figure;
use std::collections::BTreeMap;

/// Layers listed in a table at most.
const LISTED: usize = 1_000;

fn kind(layer: &LayerPrediction) -> String {
    layer.kind.table().map_or_else(|| layer.layer_type.clone(), |table| table.name().to_owned())
}

pub(super) fn section(report: &Report<'_>) -> Option<Markup> {
    if report.engines.is_empty() {
        return None;
    }
    Some(html! {
        p { "Predicted, not measured: an engine info says what runs, not how long it took." }
        @for (number, engine) in report.engines.iter().enumerate() { (one(number, engine, report)) }
    })
}

fn one(number: usize, engine: &EngineView, report: &Report<'_>) -> Markup {
    let (totals, layers) = (&engine.prediction.totals, &engine.prediction.layers);
    let has_energy = totals.energy.at_least().is_some();
    let (what, unit) = if has_energy { ("Energy", "mJ") } else { ("Run time", "ms") };
    let amount = |layer: &LayerPrediction| {
        if has_energy { layer.row.energy_prediction.map(|e| e.0) } else { layer.row.runtime_prediction.map(|t| t.0) }
    };
    // The kinds that cost most have a look of their own, the rest share the last.
    let mut kinds: BTreeMap<String, f64> = BTreeMap::new();
    for (layer, amount) in layers.iter().filter_map(|layer| Some((layer, amount(layer)?))) {
        *kinds.entry(kind(layer)).or_default() += amount;
    }
    let missing = layers.iter().filter(|layer| amount(layer).is_none()).count();
    let lacks =
        (missing > 0).then(|| format!("Not shown: {missing} layers whose {} is not known.", what.to_lowercase()));
    let shares: Vec<Share> = kinds.iter().map(|(name, amount)| Share { name: name.clone(), amount: *amount }).collect();
    let mut order: Vec<(&String, &f64)> = kinds.iter().filter(|(_, amount)| **amount > 0.0).collect();
    order.sort_by(|a, b| b.1.total_cmp(a.1).then_with(|| a.0.cmp(b.0)));
    let alone = if order.len() > LOOKS { LOOKS - 1 } else { order.len() };
    let look = |name: &str| order.iter().position(|(kind, _)| *kind == name).unwrap_or(alone).min(alone);
    let id = format!("engine-{number}-{}", slug(&engine.name).chars().take(30).collect::<String>());
    let mut columns = Columns::new(
        &format!("{id}-layers"),
        &format!("{what} of each layer of {}", engine.name),
        &format!("Predicted {} of {} layers in execution order, by kind", what.to_lowercase(), layers.len()),
        Axis::linear(format!("{}, {unit}", what.to_lowercase())),
        "layer, in execution order",
    );
    for (name, _) in &order[..alone] {
        columns = columns.series(name);
    }
    if order.len() > alone {
        columns = columns.series("other kinds");
    }
    let bars = layers.iter().filter_map(|layer| {
        Some(Column { name: layer.layer_name.clone(), parts: vec![(look(&kind(layer)), amount(layer)?)] })
    });
    let mut columns = columns.columns(bars.collect());
    let about = format!("Predicted {} by layer kind", what.to_lowercase());
    let mut by_kind = Breakdown::new(&format!("{id}-kinds"), &format!("{what} by layer kind"), &about, unit, shares);
    if let Some(lacks) = lacks {
        columns = columns.note(lacks.clone());
        by_kind = by_kind.lacking(lacks);
    }
    let dots: Vec<Point> = layers
        .iter()
        .filter_map(|layer| {
            let (work, ms) = (engine.work.get(&layer.index)?, layer.row.runtime_prediction?.0);
            let (x, y) = place(work, ms)?;
            Some(Point::named(&layer.layer_name, x, y))
        })
        .collect();
    html! {
        h3 id=(id) { (shared::failure::printable(&engine.name)) }
        p {
            "Run time " (totals.runtime.shown(|t| format!("{:.3} ms", t.0))) ", energy " (totals.energy.shown(|e| format!("{:.2} mJ", e.0)))
            @if let Some(power) = totals.average_power() { ", " (figure(Some(power.0), 2)) " W on average" }
            ". Models predict " (figure(totals.runtime_modelled_percent, 1)) " % of the "
            (if totals.runtime.is_whole() { "run time" } else { "predicted run time" }) "; "
            (totals.layers_outside_training_range) " of " (totals.layers) " layers lie outside the range that training saw."
        }
        (columns.render())
        div class="grid" {
            (by_kind.render())
            @if !dots.is_empty() {
                (roofline_plot(&format!("{id}-roofline"), "Roofline, predicted run times", vec![("layer".to_owned(), dots)], report.device.roofline.as_ref()))
            }
        }
        @if let Some(modes) = &engine.modes { (choice::section(&id, modes)) }
        details {
            summary { "All layers of " (shared::failure::printable(&engine.name)) " as a table" }
            (layer_table(layers))
        }
        @if !engine.prediction.warnings.is_empty() {
            details {
                summary { "What to know before trusting these numbers" }
                ul { @for warning in &engine.prediction.warnings { li { (shared::failure::printable(warning)) } } }
            }
        }
    }
}

fn layer_table(layers: &[LayerPrediction]) -> Markup {
    let rows: Vec<Vec<String>> = layers
        .iter()
        .take(LISTED)
        .enumerate()
        .map(|(i, layer)| {
            let outside = if layer.row.outside_training_range.is_empty() { "" } else { "outside" };
            vec![
                format!("{}. {}", i + 1, layer.layer_name),
                layer.layer_type.clone(),
                layer.row.runtime_source.name().to_owned(),
                outside.to_owned(),
                figure(layer.row.runtime_prediction.map(|t| t.0), 4),
                figure(layer.row.power_prediction.map(|p| p.0), 2),
                figure(layer.row.energy_prediction.map(|e| e.0), 4),
            ]
        })
        .collect();
    let caption = if layers.len() > LISTED {
        format!("The first {LISTED} of {} layers", layers.len())
    } else {
        "Layers".to_owned()
    };
    table(&caption, &["layer", "type", "source", "training range", "ms", "W", "mJ"], 4, &rows)
}
