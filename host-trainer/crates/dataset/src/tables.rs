//! Rows of the training tables.

use super::options::Options;
use super::outcome::LeftOut;
use align::mapping::field;
use align::statistics::{LayerStatistics, Summary};
use learn::features::columns::csv_header;
use learn::features::{Extraction, LayerSpec, extract};
use shared::engine::{Engine, Table};
use std::collections::{BTreeMap, HashMap};
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
        let spec = match extract(engine_layer, how) {
            Ok(spec) => spec,
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
        let table = spec.table();
        let text = texts.entry(table).or_insert_with(|| csv_header(table).join(",") + "\n");
        push(text, &spec, layer, power, device);
    }
    (texts.into_iter().collect(), left_out)
}

fn push(text: &mut String, spec: &LayerSpec, layer: &LayerStatistics, power: &Summary, device: &str) {
    let number = |v: f64| if v.is_finite() { format!("{v}") } else { String::new() };
    let stored: HashMap<&str, f64> = spec.stored().into_iter().collect();
    let cells = csv_header(spec.table()).into_iter().map(|column| match column {
        "power" => power.mean.map_or_else(String::new, |v| format!("{v:?}")),
        "runtime" => layer.runtime.mean.map_or_else(String::new, |v| format!("{v:?}")),
        "layer_name" => field(&layer.name),
        "precision" => spec.precision.map_or_else(String::new, |p| format!("{p:?}").to_lowercase()),
        "device" => field(device),
        other => number(stored.get(other).copied().unwrap_or(f64::NAN)),
    });
    let _ = writeln!(text, "{}", cells.collect::<Vec<_>>().join(","));
}
