//! Metrics as columns of tables.

use crate::metrics::Metrics;
use shared::figures;

/// A metric as a column: its name in files, its title and its decimals in tables for people.
///
/// ```
/// use estimators::metric_columns::{MAPE, RMSPE};
/// use estimators::metrics::Metrics;
///
/// let metrics = Metrics::of(&[1.0, 2.0], &[1.1, 1.8]);
/// assert_eq!((MAPE.name, MAPE.title, MAPE.figure(Some(&metrics))), ("mape_percent", "MAPE %", "10.00".to_owned()));
/// assert_eq!(RMSPE.figure(None), "–");
/// ```
#[derive(Debug, Clone, Copy)]
pub struct MetricColumn {
    /// Its name in CSV and JSON, with its unit.
    pub name: &'static str,
    /// Its title in tables for people.
    pub title: &'static str,
    decimals: usize,
    value: fn(&Metrics) -> Option<f64>,
}

/// Number of pairs.
pub const COUNT: MetricColumn =
    MetricColumn { name: "n", title: "n", decimals: 0, value: |metrics| Some(metrics.n as f64) };
/// Mean absolute percentage error.
pub const MAPE: MetricColumn =
    MetricColumn { name: "mape_percent", title: "MAPE %", decimals: 2, value: |metrics| metrics.mape_percent };
/// Root of the mean squared percentage error.
pub const RMSPE: MetricColumn =
    MetricColumn { name: "rmspe_percent", title: "RMSPE %", decimals: 2, value: |metrics| metrics.rmspe_percent };
/// Share of predictions within ±10 % of the measurement.
pub const WITHIN_10: MetricColumn = MetricColumn {
    name: "within_10_percent",
    title: "within 10 %",
    decimals: 1,
    value: |metrics| metrics.within_10_percent,
};
/// Pairs without a relative error.
pub const EXCLUDED: MetricColumn =
    MetricColumn { name: "excluded", title: "excluded", decimals: 0, value: |metrics| Some(metrics.excluded as f64) };
/// Coefficient of determination.
pub const R2: MetricColumn = MetricColumn { name: "r2", title: "R²", decimals: 4, value: |metrics| metrics.r2 };
/// Mean absolute error.
pub const MAE: MetricColumn = MetricColumn { name: "mae", title: "MAE", decimals: 4, value: |metrics| metrics.mae };
/// Root of the mean squared error.
pub const RMSE: MetricColumn = MetricColumn { name: "rmse", title: "RMSE", decimals: 4, value: |metrics| metrics.rmse };
/// Predictions that are not positive.
pub const NON_POSITIVE: MetricColumn = MetricColumn {
    name: "non_positive",
    title: "non-positive",
    decimals: 0,
    value: |metrics| Some(metrics.non_positive as f64),
};

impl MetricColumn {
    /// The metric; counts are whole numbers.
    #[must_use]
    pub fn value(&self, metrics: &Metrics) -> Option<f64> {
        (self.value)(metrics)
    }

    /// The metric as people read it, with the decimals that it has everywhere.
    #[must_use]
    pub fn figure(&self, metrics: Option<&Metrics>) -> String {
        figures::figure(metrics.and_then(self.value), self.decimals)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_of_the_fields() {
        let metrics = Metrics::of(&[1.0, 2.0, 0.0], &[1.1, -1.8, 1.0]);
        let fields = serde_json::to_value(metrics).expect("JSON");
        let columns = [COUNT, MAPE, RMSPE, WITHIN_10, EXCLUDED, R2, MAE, RMSE, NON_POSITIVE];
        assert_eq!(fields.as_object().map(serde_json::Map::len), Some(columns.len()));
        for column in columns {
            assert_eq!(fields[column.name].as_f64(), column.value(&metrics), "{}", column.name);
        }
    }
}
