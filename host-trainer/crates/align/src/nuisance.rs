//! Nuisance parameters: what is known of the sensor only approximately, its delay, its window, the time between layers.
//! Each makes a column of the fit: the change of the expected reading for one step.

use super::calibration::CalibrationSubset;
use super::normal_equations::NormalEquations;
use super::response::FittedResponse;
use super::solve;
use super::stamps::Stamps;
use super::timeline::Timeline;
use super::weights::ReadingWeights;

/// The parameter that a column varies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Varied {
    Delay,
    Window,
    Gap,
}

/// The columns of the nuisance parameters.
#[derive(Debug, Clone)]
pub(crate) struct NuisanceColumns {
    varied: Vec<(Varied, ReadingWeights, ReadingWeights)>,
    steps: Vec<f64>,
    gaps: Vec<f64>,
    watts: Vec<f64>,
    /// The columns of the reading last weighed.
    pub(crate) values: Vec<f64>,
}

impl NuisanceColumns {
    /// The columns that a run needs, with powers from its beginning. None where a slow lag hides them all.
    pub(crate) fn of(
        subset: &CalibrationSubset,
        response: FittedResponse,
        components: usize,
        window_known: bool,
        sample_us: f64,
    ) -> Self {
        let none =
            Self { steps: Vec::new(), varied: Vec::new(), gaps: Vec::new(), watts: Vec::new(), values: Vec::new() };
        let mut sums = NormalEquations::new(components, 1e6);
        ReadingWeights::new(components, response).each(
            subset.start_us,
            &subset.pieces,
            &subset.samples,
            |s, row, touched| sums.add(s, row, touched),
        );
        sums.finish();
        if response.lag_us > 0.0 || sums.count < 64 || response.window_us <= 0.0 {
            return none;
        }
        let mean = sums.total / sums.count as f64;
        let shares: Vec<f64> = sums.weights.iter().map(|w| w / sums.count as f64).collect();
        let Some(first) = solve::solve(&sums, &shares, mean, 1.0) else { return none };
        let step = (sample_us / 1000.0).max(0.2);
        let rows = |response: FittedResponse| ReadingWeights::new(components, response);
        let mut varied = vec![(
            Varied::Delay,
            rows(FittedResponse { delay_us: response.delay_us + step, ..response }),
            rows(FittedResponse { delay_us: response.delay_us - step, ..response }),
        )];
        if !window_known {
            varied.push((
                Varied::Window,
                rows(FittedResponse { window_us: response.window_us + step, ..response }),
                rows(FittedResponse { window_us: (response.window_us - step).max(step), ..response }),
            ));
        }
        let mut steps = vec![step; varied.len()];
        let mut gaps = Vec::new();
        if subset.stamps == Stamps::Callback {
            varied.push((Varied::Gap, rows(response), rows(response)));
            let step = 0.05_f64.max(response.gap_us * 0.02);
            steps.push(step);
            gaps = vec![response.gap_us + step, response.gap_us - step];
        }
        Self { values: vec![0.0; varied.len()], varied, steps, gaps, watts: first.watts }
    }

    /// The response with the nuisances that a fit found taken in.
    pub(crate) fn corrected(&self, response: FittedResponse, nuisances: &[f64]) -> FittedResponse {
        let mut better = response;
        for (((varied, ..), step), found) in self.varied.iter().zip(&self.steps).zip(nuisances) {
            let change = step * found;
            match varied {
                Varied::Delay => better.delay_us += change,
                Varied::Window => better.window_us = (better.window_us + change).max(*step),
                Varied::Gap => better.gap_us = (better.gap_us + change).max(0.0),
            }
        }
        better
    }

    /// Number of columns.
    pub(crate) fn len(&self) -> usize {
        self.varied.len()
    }

    /// The gaps whose timelines [`weigh`](Self::weigh) needs.
    pub(crate) fn gaps(&self) -> &[f64] {
        &self.gaps
    }

    /// Works out the columns of a reading; false when it lies too close to an end of the timeline.
    pub(crate) fn weigh(&mut self, timeline: &Timeline, others: &[Timeline], at_us: f64) -> bool {
        for ((varied, up, down), value) in self.varied.iter_mut().zip(&mut self.values) {
            let (one, other) = if *varied == Varied::Gap { (&others[0], &others[1]) } else { (timeline, timeline) };
            if !up.weigh(one.start_us, &one.pieces, at_us) || !down.weigh(other.start_us, &other.pieces, at_us) {
                return false;
            }
            *value = (up.shows(&self.watts) - down.shows(&self.watts)) / 2.0;
        }
        true
    }
}
