//! Rows of the training tables.

use super::options::Options;
use super::outcome::LeftOut;
use align::mapping::field;
use align::statistics::{LayerStatistics, Summary};
use learn::features::columns::{Shape, csv_header, extra_columns, reference_columns};
use learn::features::{Extraction, extract};
use shared::engine::{Engine, Table};
use std::collections::BTreeMap;
use std::fmt::Write;

/// Renders every table that has a row, and lists the layers that have none. A layer needs enough measurements of run time,
/// and of power too where the run has any of that power: a run that was only timed makes rows without power.
pub(crate) fn rows(
    measured: &[LayerStatistics],
    engine: &Engine,
    device: &str,
    options: &Options,
) -> (Vec<(Table, String)>, Vec<LeftOut>) {
    let mut texts: BTreeMap<Table, String> = BTreeMap::new();
    let mut left_out = Vec::new();
    let has_power = measured.iter().any(|layer| options.power.of(layer).count > 0);
    for layer in measured {
        let mut leave = |why: String, thin: bool| left_out.push(LeftOut { layer: layer.name.clone(), why, thin });
        let power: &Summary = options.power.of(layer);
        let Some(engine_layer) = layer.engine_index.and_then(|i| engine.layers.get(i)) else {
            leave("the engine info does not list it".into(), false);
            continue;
        };
        let how = Extraction { reference_compatible: options.reference_compatible };
        let shape = match extract(engine_layer, how) {
            Ok(shape) => shape,
            Err(why) => {
                leave(why.to_string(), false);
                continue;
            }
        };
        let needed = options.per_layer_measurements;
        if layer.runtime.count < needed || (has_power && power.count < needed) {
            leave(
                format!(
                    "has {} measurements of power and {} of run time, and {needed} are needed",
                    power.count, layer.runtime.count
                ),
                true,
            );
            continue;
        }
        let text = texts.entry(shape.table).or_insert_with(|| csv_header(shape.table).join(",") + "\n");
        push(text, &shape, layer, power, device);
    }
    (texts.into_iter().collect(), left_out)
}

fn push(text: &mut String, shape: &Shape, layer: &LayerStatistics, power: &Summary, device: &str) {
    let number = |v: f64| if v.is_finite() { format!("{v}") } else { String::new() };
    let reference = reference_columns(shape.table).len();
    let (first, further) = shape.values.split_at(reference);
    let extra: Vec<&str> = extra_columns(shape.table).iter().map(|(name, _)| *name).collect();
    let cells = csv_header(shape.table).into_iter().map(|column| match column {
        "power" => power.mean.map_or_else(String::new, |v| format!("{v:?}")),
        "runtime" => layer.runtime.mean.map_or_else(String::new, |v| format!("{v:?}")),
        "layer_name" => field(&layer.name),
        "precision" => shape.precision.map_or_else(String::new, |p| format!("{p:?}").to_lowercase()),
        "device" => field(device),
        other => {
            let stored = reference_columns(shape.table).iter().position(|c| *c == other).map(|i| first[i]);
            let ours = || extra.iter().position(|c| *c == other).map_or(f64::NAN, |i| further[i]);
            number(stored.unwrap_or_else(ours))
        }
    });
    let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(","));
}
