//! Statistics as tables.

use super::options::PowerKind;
use align::mapping::field;
use align::statistics::LayerStatistics;
use std::fmt::Write;

fn figure(value: Option<f64>) -> String {
    value.map_or_else(String::new, |v| format!("{v:?}"))
}

/// EdgeProfiler's statistics of power or run time: of the layers it has tables for, by name, with its columns.
#[must_use]
pub(crate) fn reference_table(layers: &[LayerStatistics], power: bool, kind: PowerKind) -> String {
    let mut layers: Vec<&LayerStatistics> = layers
        .iter()
        .filter(|l| matches!(l.layer_type.as_str(), "CaskConvolution" | "CaskPooling" | "CaskGemmConvolution"))
        .collect();
    layers.sort_by(|a, b| (&a.name, a.turn).cmp(&(&b.name, b.turn)));
    let mut text = String::from("layer_name,count,mean,std,min,25%,50%,75%,max\n");
    for layer in layers {
        let values = if power { kind.of(layer) } else { &layer.runtime };
        let _ = writeln!(
            text,
            "{},{:?},{},{},{},{},{},{},{}",
            field(&layer.name),
            values.count as f64,
            figure(values.mean),
            figure(values.deviation),
            figure(values.minimum),
            figure(values.lower_quartile),
            figure(values.median),
            figure(values.upper_quartile),
            figure(values.maximum)
        );
    }
    text
}

/// Statistics of every layer, in execution order.
#[must_use]
pub(crate) fn layer_table(layers: &[LayerStatistics]) -> String {
    let mut text = String::from(
        "layer_index,layer_name,layer_type,power_count,power_mean_micro_watt,power_std,net_power_mean_micro_watt,\
         runtime_count,runtime_mean_ms,runtime_std,runtime_median_ms,runtime_p95_ms,power_verdict,power_method\n",
    );
    for layer in layers {
        let (verdict, method) = layer.verdict.clone().unwrap_or_default();
        let _ = writeln!(
            text,
            "{},{},{},{},{},{},{},{},{},{},{},{},{verdict},{method}",
            layer.index.map_or_else(String::new, |i| i.to_string()),
            field(&layer.name),
            field(&layer.layer_type),
            layer.power.count,
            figure(layer.power.mean),
            figure(layer.power.deviation),
            figure(layer.net_power.mean),
            layer.runtime.count,
            figure(layer.runtime.mean),
            figure(layer.runtime.deviation),
            figure(layer.runtime.median),
            figure(layer.runtime.p95)
        );
    }
    text
}
