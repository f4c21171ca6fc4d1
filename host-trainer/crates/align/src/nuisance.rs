//! Nuisance parameters: what is known of the response only approximately. Each makes a column of the fit: the change of the
//! expected reading for one step.

use super::pieces::Sample;
use super::response::FittedResponse;
use super::timeline::Timeline;
use super::weights::ReadingWeights;

/// The parameter that a column varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Varied {
    /// Delay of the reading against the layers.
    Delay,
    /// Length of a conversion.
    Conversion,
    /// Smoothing before the chip.
    Smoothing,
    /// Time between layers.
    Gap,
    /// Scatter of the delay: callback stamps come late by a different time each.
    Jitter,
}

/// Shift over which the effect of scatter is worked out, µs, and the scatter that its column stands for.
const JITTER_US: (f64, f64) = (6.0, 3.0);

/// One column: the response a step up and a step down.
#[derive(Debug, Clone)]
struct Column {
    varied: Varied,
    step_us: f64,
    spread_us: f64,
    up: ReadingWeights,
    down: ReadingWeights,
    /// The response itself, where the column is a second difference.
    middle: Option<ReadingWeights>,
    /// From the step down to the step up, in steps: less than two at the end of the range.
    width: f64,
}

/// The columns of the nuisance parameters.
#[derive(Debug, Clone)]
pub(crate) struct NuisanceColumns {
    columns: Vec<Column>,
    gaps: Vec<f64>,
    watts: Vec<f64>,
    /// The columns of the reading last weighed.
    pub(crate) values: Vec<f64>,
}

/// A step that is small against everything that the parameter can resolve.
fn step(varied: Varied, response: FittedResponse) -> f64 {
    match varied {
        Varied::Delay | Varied::Conversion => (response.conversion_us() / 200.0).clamp(0.25, 4.0),
        Varied::Smoothing => (0.05 * response.smoothing_us).max(1.0),
        Varied::Gap => (0.02 * response.gap_us).max(0.05),
        Varied::Jitter => JITTER_US.0,
    }
}

/// The response with a parameter changed; never below zero. The second value is the change.
pub(crate) fn changed(varied: Varied, response: FittedResponse, by_us: f64) -> (FittedResponse, f64) {
    let to = |from: f64, least: f64| (from + by_us).max(least);
    match varied {
        Varied::Delay => (FittedResponse { delay_us: response.delay_us + by_us, ..response }, by_us),
        Varied::Conversion => {
            let (from, delay_us) = (response.conversion_us(), response.delay_us);
            let us = to(from, 1.0);
            (FittedResponse { delay_us, ..response.with_conversion(us) }, us - from)
        }
        Varied::Smoothing => {
            let us = to(response.smoothing_us, 0.0);
            (FittedResponse { smoothing_us: us, ..response }, us - response.smoothing_us)
        }
        Varied::Gap => {
            let us = to(response.gap_us, 0.0);
            (FittedResponse { gap_us: us, ..response }, us - response.gap_us)
        }
        Varied::Jitter => (response, by_us),
    }
}

impl NuisanceColumns {
    /// No columns.
    pub(crate) fn none() -> Self {
        Self { columns: Vec::new(), gaps: Vec::new(), watts: Vec::new(), values: Vec::new() }
    }

    /// The columns of some parameters at a response, with powers from a fit before.
    pub(crate) fn of(varied: &[Varied], response: FittedResponse, watts: &[f64], memory: f64) -> Self {
        let mut gaps = Vec::new();
        let columns: Vec<Column> = varied
            .iter()
            .map(|&varied| {
                let step_us = step(varied, response);
                let moved = if varied == Varied::Jitter { Varied::Delay } else { varied };
                let (up, above) = changed(moved, response, step_us);
                let (down, below) = changed(moved, response, -step_us);
                if varied == Varied::Gap {
                    gaps = vec![up.gap_us, down.gap_us];
                }
                let spread_us = match varied {
                    Varied::Delay => 300.0,
                    Varied::Conversion => (0.3 * response.conversion_us()).max(20.0),
                    Varied::Smoothing => response.smoothing_us + 50.0,
                    Varied::Gap => response.gap_us + 3.0,
                    // In steps: the square of the scatter over that of the column's.
                    Varied::Jitter => 6.0 * step_us,
                };
                let weights = |response| ReadingWeights::of_powers(watts, response).with_memory(memory);
                let middle = (varied == Varied::Jitter).then(|| weights(response));
                let width = (above - below) / step_us;
                Column { varied, step_us, spread_us, up: weights(up), down: weights(down), middle, width }
            })
            .collect();
        Self { values: vec![0.0; columns.len()], columns, gaps, watts: watts.to_vec() }
    }

    /// The response with the nuisances that a fit found taken in, a part of the way.
    pub(crate) fn corrected(&self, response: FittedResponse, nuisances: &[f64], part: f64) -> FittedResponse {
        self.columns.iter().zip(nuisances).fold(response, |response, (column, found)| {
            changed(column.varied, response, part * column.step_us * found).0
        })
    }

    /// Spread of each parameter that is expected beforehand, in steps.
    pub(crate) fn spreads(&self) -> Vec<f64> {
        self.columns.iter().map(|c| c.spread_us / c.step_us).collect()
    }

    /// The powers that the columns were made with; empty where there are none.
    pub(crate) fn watts(&self) -> &[f64] {
        &self.watts
    }

    /// Which column is that of the delay, and its step in µs.
    pub(crate) fn delay_column(&self) -> Option<(usize, f64)> {
        let at = self.columns.iter().position(|c| c.varied == Varied::Delay)?;
        Some((at, self.columns[at].step_us))
    }

    /// Number of columns.
    pub(crate) fn len(&self) -> usize {
        self.columns.len()
    }

    /// The gaps whose timelines [`weigh`](Self::weigh) needs.
    pub(crate) fn gaps(&self) -> &[f64] {
        &self.gaps
    }

    /// Works out the columns of a reading; false when it lies too close to an end of the timeline. Every reading has to
    /// come by, also those that are left out.
    pub(crate) fn weigh(&mut self, timeline: &Timeline, others: &[Timeline], sample: Sample) -> bool {
        let mut whole = true;
        for (column, value) in self.columns.iter_mut().zip(&mut self.values) {
            let (one, other) =
                if column.varied == Varied::Gap { (&others[0], &others[1]) } else { (timeline, timeline) };
            let up = column.up.weigh(one.start_us, &one.pieces, sample).is_some();
            let down = column.down.weigh(other.start_us, &other.pieces, sample).is_some();
            *value = (column.up.shows() - column.down.shows()) / column.width;
            whole &= up && down;
            if let Some(middle) = &mut column.middle {
                // Scatter σ adds σ²/2 times the second derivative.
                whole &= middle.weigh(timeline.start_us, &timeline.pieces, sample).is_some();
                let bend = column.up.shows() - 2.0 * middle.shows() + column.down.shows();
                *value = 0.5 * (JITTER_US.1 / JITTER_US.0).powi(2) * bend;
            }
        }
        whole
    }

    /// Forgets what came before, where readings are left out.
    pub(crate) fn forget(&mut self) {
        for column in &mut self.columns {
            column.up.forget();
            column.down.forget();
            column.middle.iter_mut().for_each(ReadingWeights::forget);
        }
    }
}
