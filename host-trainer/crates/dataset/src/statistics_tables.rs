//! Statistics as tables.

use super::text::filled;
use align::statistics::{LayerStatistics, Summary};
use shared::failure::Failure;
use std::path::Path;
use tables::{ColumnData, write_csv};

fn numbers<'a, T>(rows: &[T], value: impl Fn(&T) -> Option<f64>) -> ColumnData<'a> {
    ColumnData::Numbers(rows.iter().map(value).collect())
}

fn count(value: u64) -> Option<i64> {
    i64::try_from(value).ok()
}

/// Writes EdgeProfiler's statistics of power or run time: of the layers that it has tables for, by name, with its columns.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_reference(
    path: &Path,
    layers: &[LayerStatistics],
    values: impl Fn(&LayerStatistics) -> &Summary,
) -> Result<(), Failure> {
    let mut layers: Vec<&LayerStatistics> = layers
        .iter()
        .filter(|l| matches!(l.layer_type.as_str(), "CaskConvolution" | "CaskPooling" | "CaskGemmConvolution"))
        .collect();
    layers.sort_by(|a, b| (&a.name, a.turn).cmp(&(&b.name, b.turn)));
    let of = |value: fn(&Summary) -> Option<f64>| numbers(&layers, |layer| value(values(layer)));
    let columns = vec![
        ("layer_name", ColumnData::Texts(layers.iter().map(|layer| filled(&layer.name)).collect())),
        ("count", of(|summary| Some(summary.count as f64))),
        ("mean", of(|summary| summary.mean)),
        ("std", of(|summary| summary.deviation)),
        ("min", of(|summary| summary.minimum)),
        ("25%", of(|summary| summary.lower_quartile)),
        ("50%", of(|summary| summary.median)),
        ("75%", of(|summary| summary.upper_quartile)),
        ("max", of(|summary| summary.maximum)),
    ];
    write_csv(path, columns)
}

/// Writes statistics of every layer, in execution order.
///
/// # Errors
/// When the file cannot be written.
pub(crate) fn write_layers(path: &Path, layers: &[LayerStatistics]) -> Result<(), Failure> {
    let text = |value: fn(&LayerStatistics) -> &str| {
        ColumnData::Texts(layers.iter().map(|layer| filled(value(layer))).collect())
    };
    let whole = |value: fn(&LayerStatistics) -> Option<i64>| ColumnData::Integers(layers.iter().map(value).collect());
    let number = |value: fn(&LayerStatistics) -> Option<f64>| numbers(layers, value);
    let columns = vec![
        ("layer_index", whole(|layer| layer.index.and_then(|index| i64::try_from(index).ok()))),
        ("layer_name", text(|layer| &layer.name)),
        ("layer_type", text(|layer| &layer.layer_type)),
        ("power_count", whole(|layer| count(layer.power.count))),
        ("power_mean_micro_watt", number(|layer| layer.power.mean)),
        ("power_std", number(|layer| layer.power.deviation)),
        ("net_power_mean_micro_watt", number(|layer| layer.net_power.mean)),
        ("runtime_count", whole(|layer| count(layer.runtime.count))),
        ("runtime_mean_ms", number(|layer| layer.runtime.mean)),
        ("runtime_std", number(|layer| layer.runtime.deviation)),
        ("runtime_median_ms", number(|layer| layer.runtime.median)),
        ("runtime_p95_ms", number(|layer| layer.runtime.p95)),
        ("power_verdict", text(|layer| layer.verdict.as_ref().map_or("", |(verdict, _)| verdict))),
        ("power_method", text(|layer| layer.verdict.as_ref().map_or("", |(_, method)| method))),
    ];
    write_csv(path, columns)
}
