//! Predicts rows of training tables, as an engine's layers would be.

use super::models::Said;
use super::{Bounds, Models, Source};
use crate::features::LayerSpec;
use crate::model::{Interval, Target};
use serde::Serialize;
use shared::engine::Table;
use shared::failure::Failure;
use shared::units::{Millijoules, Millis, Watts};
use std::collections::BTreeSet;
use utoipa::ToSchema;

/// The prediction of one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct ShapePrediction {
    /// W or ms.
    pub value: f64,
    /// Bounds as ratios, where a model gives any.
    pub interval: Option<Interval>,
    /// Where the number came from.
    pub source: Source,
}

impl Models {
    /// Predicts one target of some layers of a table: by its model, else run time by the roofline and power by the median.
    /// None where nothing speaks for the table.
    ///
    /// # Errors
    /// A model that cannot be loaded or run.
    pub fn predict_shapes(
        &self,
        table: Table,
        target: Target,
        shapes: &[&LayerSpec],
    ) -> Result<Option<Vec<ShapePrediction>>, Failure> {
        self.load(&BTreeSet::from([table]))?;
        if let Some(loaded) = self.get(table, target) {
            let interval = loaded.interval();
            let (said, _) = loaded.predict(shapes)?;
            let prediction =
                |said: Said| ShapePrediction { value: f64::from(said.value), interval, source: Source::Model };
            return Ok(Some(said.into_iter().map(prediction).collect()));
        }
        let fallback = |value| ShapePrediction { value, interval: None, source: Source::Roofline };
        Ok(match target {
            Target::Runtime => self.device().roofline.as_ref().map(|roofline| {
                let runtime = |shape: &&LayerSpec| fallback(roofline.runtime(&shape.work(), shape.bits()).0);
                shapes.iter().map(runtime).collect()
            }),
            Target::Power => self.device().median_power_w.map(|median| vec![fallback(median); shapes.len()]),
        })
    }

    /// Predicts one target from rows of features in the order of the model's card, whatever layers they may describe.
    ///
    /// # Errors
    /// No model of that table and target, one that cannot be loaded or run, or rows of another width.
    pub fn predict_features(&self, table: Table, target: Target, rows: &[f64]) -> Result<Vec<f64>, Failure> {
        self.load(&BTreeSet::from([table]))?;
        let loaded = self
            .get(table, target)
            .ok_or_else(|| Failure::data(format!("there is no {} model of {} layers", target.name(), table.name())))?;
        loaded.run(rows)
    }

    /// Predicts rows of a table, power and run time, with the fallbacks that [`Models::predict_shapes`] has.
    ///
    /// # Errors
    /// A model that cannot be loaded or run.
    pub fn predict_rows(&self, table: Table, shapes: &[&LayerSpec]) -> Result<(Vec<RowPrediction>, usize), Failure> {
        self.load(&BTreeSet::from([table]))?;
        let mut rows = vec![RowPrediction::default(); shapes.len()];
        let mut rows_run = 0;
        for target in Target::ALL {
            let Some(loaded) = self.get(table, target) else {
                for (row, fallback) in
                    rows.iter_mut().zip(self.predict_shapes(table, target, shapes)?.unwrap_or_default())
                {
                    row.set(target, fallback.value, None, fallback.source);
                }
                continue;
            };
            let (said, run) = loaded.predict(shapes)?;
            rows_run += run;
            for (row, said) in rows.iter_mut().zip(said) {
                let value = f64::from(said.value);
                row.set(target, value, Bounds::around(value, loaded.interval()), Source::Model);
                let new = said.outside.iter().filter(|name| !row.outside_training_range.contains(name)).cloned();
                let new: Vec<String> = new.collect();
                row.outside_training_range.extend(new);
            }
        }
        for row in &mut rows {
            row.energy_prediction = row.power_prediction.zip(row.runtime_prediction).map(|(power, time)| power * time);
        }
        Ok((rows, rows_run))
    }
}

/// The prediction of one row, both targets.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
pub struct RowPrediction {
    /// Mean power, W.
    #[schema(value_type = Option<f64>)]
    pub power_prediction: Option<Watts>,
    /// Run time, ms.
    #[schema(value_type = Option<f64>)]
    pub runtime_prediction: Option<Millis>,
    /// Energy, mJ.
    #[schema(value_type = Option<f64>)]
    pub energy_prediction: Option<Millijoules>,
    /// Bounds of the power, W.
    pub power_bounds: Option<Bounds>,
    /// Bounds of the run time, ms.
    pub runtime_bounds: Option<Bounds>,
    /// Where the run time came from.
    pub runtime_source: Source,
    /// Where the power came from.
    pub power_source: Source,
    /// Features outside the range that the models saw in training.
    pub outside_training_range: Vec<String>,
}

impl Default for RowPrediction {
    fn default() -> Self {
        Self {
            power_prediction: None,
            runtime_prediction: None,
            energy_prediction: None,
            power_bounds: None,
            runtime_bounds: None,
            runtime_source: Source::Unmodelled,
            power_source: Source::Unmodelled,
            outside_training_range: Vec::new(),
        }
    }
}

impl RowPrediction {
    fn set(&mut self, target: Target, value: f64, bounds: Option<Bounds>, source: Source) {
        match target {
            Target::Power => {
                (self.power_prediction, self.power_bounds, self.power_source) = (Some(Watts(value)), bounds, source);
            }
            Target::Runtime => {
                (self.runtime_prediction, self.runtime_bounds, self.runtime_source) =
                    (Some(Millis(value)), bounds, source);
            }
        }
    }
}
