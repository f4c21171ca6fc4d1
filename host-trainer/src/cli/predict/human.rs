//! A prediction for people: the heaviest layers, the totals, and how far to trust them.

use crate::output::{figure, known, percent, render, shorten};
use learn::predict::{Bounds, Footprint, LayerPrediction, Prediction, Source};
use memory::{Bytes, Memory};
use std::path::Path;

/// The table of an engine's `top` heaviest layers, or of all in execution order for 0, and its totals.
pub(super) fn human(file: &Path, prediction: &Prediction, top: usize, footprint: Option<&Footprint>) -> String {
    let mut order: Vec<&LayerPrediction> = prediction.layers.iter().collect();
    if top > 0 {
        let weight = |l: &LayerPrediction| l.row.runtime_prediction.map_or(0.0, |t| t.0);
        order.sort_by(|a, b| weight(b).total_cmp(&weight(a)));
        order.truncate(top);
    }
    let total = prediction.totals.runtime.whole().map(|t| t.0).filter(|total| *total > 0.0);
    let row = |layer: &&LayerPrediction| {
        let runtime = layer.row.runtime_prediction.map(|t| t.0);
        vec![
            layer.index.to_string(),
            shorten(&layer.layer_name, 48),
            layer.layer_type.clone(),
            layer.row.runtime_source.name().to_owned()
                + if layer.row.outside_training_range.is_empty() { "" } else { " *" },
            figure(runtime, 4),
            figure(runtime.zip(total).map(|(t, total)| 100.0 * t / total), 1),
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
    text.push_str(&memory(&prediction.memory));
    for line in footprint.iter().flat_map(|footprint| footprint.lines()) {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Device memory and the engine file, each as a lower bound and an estimate.
fn memory(memory: &Memory) -> String {
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / f64::from(1 << 20));
    let range = |bytes: Bytes| match bytes.estimate {
        Some(estimate) => format!("at least {} MiB, estimated {} MiB", mib(bytes.at_least), mib(estimate)),
        None => format!("at least {} MiB", mib(bytes.at_least)),
    };
    let device = known(memory.device, |device| {
        let (weights, activations) = (known(memory.weights_bytes, mib), known(memory.activations_bytes, mib));
        format!("{}  (weights {weights}, live activations {activations})", range(device))
    });
    let why: String = memory.notes.iter().map(|note| format!("  ({note})")).collect();
    format!("device memory  {device}{why}\nengine file    {}\n", known(memory.engine_file, range))
}

fn totals(prediction: &Prediction) -> String {
    let totals = &prediction.totals;
    let bounds = |bounds: Option<Bounds>, is_whole: bool, unit: &str| match bounds {
        Some(b) => format!("  ({:.0} %: {:.3} to {:.3} {unit})", 100.0 * b.level, b.lower, b.upper),
        None if is_whole => "  (no interval: the models come without one)".to_owned(),
        None => String::new(),
    };
    let lacks = |missing: usize| match missing {
        0 => String::new(),
        1 => "  (1 layer is not predicted)".to_owned(),
        n => format!("  ({n} layers are not predicted)"),
    };
    let (runtime, energy) = (&totals.runtime, &totals.energy);
    let mut text = format!(
        "run time       {}{}{}\n",
        runtime.shown(|t| format!("{:.3} ms", t.0)),
        bounds(totals.runtime_bounds, runtime.is_whole(), "ms"),
        lacks(runtime.missing_layers())
    );
    text.push_str(&format!(
        "energy         {}{}{}\n",
        energy.shown(|e| format!("{:.3} mJ", e.0)),
        bounds(totals.energy_bounds, energy.is_whole(), "mJ"),
        lacks(energy.missing_layers())
    ));
    let power = known(totals.average_power(), |power| format!("{:.3} W", power.0));
    text.push_str(&format!("average power  {power}\n"));
    let sources: Vec<String> = [Source::Model, Source::Roofline, Source::Free, Source::Unmodelled]
        .iter()
        .filter_map(|source| totals.layers_by_source.get(source.name()).map(|n| format!("{n} {}", source.name())))
        .collect();
    text.push_str(&format!(
        "coverage       models predict {} of the layers that cost anything and {} of the {}run time\n",
        percent(totals.layers_modelled_percent, 1),
        percent(totals.runtime_modelled_percent, 1),
        if runtime.is_whole() { "" } else { "predicted " }
    ));
    text.push_str(&format!("layers         {}: {}\n", totals.layers, sources.join(", ")));
    for (place, correction) in prediction.corrections.iter().enumerate() {
        let label = if place == 0 { "not in totals" } else { "" };
        text.push_str(&format!("{label:15}{}\n", correction.sentence()));
    }
    text
}
