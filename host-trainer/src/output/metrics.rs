//! Metrics in rows of tables.

use super::number;
use estimators::metric_columns::MetricColumn;
use estimators::metrics::Metrics;

/// The names of columns in CSV.
pub(crate) fn names(columns: &[MetricColumn]) -> impl Iterator<Item = &str> {
    columns.iter().map(|column| column.name)
}

/// The titles of columns in tables for people.
pub(crate) fn titles(columns: &[MetricColumn]) -> impl Iterator<Item = &str> {
    columns.iter().map(|column| column.title)
}

/// Metrics with all their digits, for CSV.
pub(crate) fn numbers(columns: &[MetricColumn], metrics: &Metrics) -> impl Iterator<Item = String> {
    columns.iter().map(|column| number(column.value(metrics)))
}

/// Metrics for people.
pub(crate) fn figures(columns: &[MetricColumn], metrics: &Metrics) -> impl Iterator<Item = String> {
    columns.iter().map(|column| column.figure(Some(metrics)))
}
