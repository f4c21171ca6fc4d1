//! A prediction for people: the heaviest layers, the totals, and how far to trust them.

use crate::output::{figure, render, shorten};
use learn::predict::{Bounds, LayerPrediction, Prediction, Source};
use std::path::Path;

/// The table of an engine's `top` heaviest layers, or of all in execution order for 0, and its totals.
pub(super) fn human(file: &Path, prediction: &Prediction, top: usize) -> String {
    let mut order: Vec<&LayerPrediction> = prediction.layers.iter().collect();
    if top > 0 {
        let weight = |l: &LayerPrediction| l.row.runtime_prediction.map_or(0.0, |t| t.0);
        order.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        order.truncate(top);
    }
    let total = prediction.totals.runtime_ms.0;
    let row = |layer: &&LayerPrediction| {
        let runtime = layer.row.runtime_prediction.map(|t| t.0);
        vec![
            layer.index.to_string(),
            shorten(&layer.layer_name, 48),
            layer.layer_type.clone(),
            layer.row.runtime_source.name().to_owned()
                + if layer.row.outside_training_range.is_empty() { "" } else { " *" },
            figure(runtime, 4),
            figure(runtime.filter(|_| total > 0.0).map(|t| 100.0 * t / total), 1),
            figure(layer.row.power_prediction.map(|p| p.0), 2),
            figure(layer.row.energy_prediction.map(|e| e.0), 4),
        ]
    };
    let header = ["#", "layer", "type", "source", "runtime ms", "share %", "power W", "energy mJ"];
    let mut text = format!("{} on {}\n\n", file.display(), prediction.device);
    text.push_str(&render(&header, order.iter().map(row).collect(), 4));
    if order.len() < prediction.layers.len() {
        text.push_str(&format!(
            "the {} heaviest of {} layers; all with --top 0\n",
            order.len(),
            prediction.layers.len()
        ));
    }
    if order.iter().any(|layer| !layer.row.outside_training_range.is_empty()) {
        text.push_str("* outside the range that training saw\n");
    }
    text.push('\n');
    text.push_str(&totals(prediction));
    text
}

fn totals(prediction: &Prediction) -> String {
    let totals = &prediction.totals;
    let bounds = |bounds: Option<Bounds>, unit: &str| match bounds {
        Some(b) => format!("  ({:.0} %: {:.3} to {:.3} {unit})", 100.0 * b.level, b.lower, b.upper),
        None => "  (no interval: the training data are too thin for one)".to_owned(),
    };
    let mut text = format!("run time       {:.3} ms{}\n", totals.runtime_ms.0, bounds(totals.runtime_bounds, "ms"));
    if let Some(power) = totals.average_power_w {
        text.push_str(&format!("energy         {:.3} mJ{}\n", totals.energy_mj.0, bounds(totals.energy_bounds, "mJ")));
        text.push_str(&format!("average power  {:.3} W\n", power.0));
    }
    let sources: Vec<String> = [Source::Model, Source::Roofline, Source::Free, Source::Unmodelled]
        .iter()
        .filter_map(|source| totals.layers_by_source.get(source.name()).map(|n| format!("{n} {}", source.name())))
        .collect();
    text.push_str(&format!(
        "coverage       models predict {:.1} % of the layers that cost anything and {:.1} % of the run time\n",
        totals.layers_modelled_percent, totals.runtime_modelled_percent
    ));
    text.push_str(&format!("layers         {}: {}\n", totals.layers, sources.join(", ")));
    text
}
