//! Predicts rows of training tables, as an engine's layers would be.

use super::{Models, Source};
use crate::features::columns::Shape;
use crate::model::{Interval, Roofline, Target};
use shared::engine::Table;
use shared::failure::Failure;
use std::collections::BTreeSet;

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
        shapes: &[&Shape],
    ) -> Result<Option<Vec<ShapePrediction>>, Failure> {
        self.load(&BTreeSet::from([table]))?;
        if let Some(loaded) = self.get(table, target) {
            let interval = loaded.interval();
            let (values, _) = loaded.predict(shapes)?;
            let prediction = |value| ShapePrediction { value: f64::from(value), interval, source: Source::Model };
            return Ok(Some(values.into_iter().map(prediction).collect()));
        }
        let fallback = |value| ShapePrediction { value, interval: None, source: Source::Roofline };
        Ok(match target {
            Target::Runtime => self.device().roofline.as_ref().map(|roofline| {
                let runtime = |shape: &&Shape| {
                    let (gmacs, megabytes, bits) = Roofline::work(shape);
                    fallback(roofline.runtime(gmacs, megabytes, bits).0)
                };
                shapes.iter().map(runtime).collect()
            }),
            Target::Power => self.device().median_power_w.map(|median| vec![fallback(median); shapes.len()]),
        })
    }
}
