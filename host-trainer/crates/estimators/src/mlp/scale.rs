//! From rows to what a network sees, and from what it gives to values.

use super::settings::TargetScale;
use crate::FitError;
use onnx::{GraphBuilder, Value};
use serde::{Deserialize, Serialize};

/// How far beyond the training values an input may lie, in standard deviations; further out it counts as being there. A
/// network of rectifiers goes on in a straight line, on a logarithmic scale without bound.
const BEYOND: f64 = 1.0;

/// Below it a softplus is as good as zero; it stays above.
const LEAST: f64 = -15.0;

/// Inputs, standardised.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct InputScale {
    log: bool,
    centre: Vec<f64>,
    scale: Vec<f64>,
    /// Bounds of the standardised input.
    low: Vec<f64>,
    high: Vec<f64>,
}

impl InputScale {
    /// The scale of some rows of `width` inputs.
    pub(super) fn of<'r>(
        rows: impl Iterator<Item = &'r [f64]> + Clone,
        width: usize,
        log: bool,
    ) -> Result<Self, FitError> {
        let mut scale = Self { log, centre: vec![], scale: vec![], low: vec![], high: vec![] };
        for input in 0..width {
            let column: Vec<f64> = rows.clone().map(|row| scale.first(row[input])).collect();
            if column.iter().any(|x| !x.is_finite()) {
                let cause = if log { "is not above -1, so that it has no logarithm" } else { "is no finite number" };
                return Err(FitError::Data(format!("a value of input {} {cause}", input + 1)));
            }
            let (mean, spread) = mean_and_spread(&column);
            scale.centre.push(mean);
            scale.scale.push(spread);
            let standard = column.iter().map(|x| (x - mean) / spread);
            let bounds = standard.fold((0.0_f64, 0.0_f64), |(low, high), x| (low.min(x), high.max(x)));
            scale.low.push(bounds.0 - BEYOND);
            scale.high.push(bounds.1 + BEYOND);
        }
        Ok(scale)
    }

    fn first(&self, x: f64) -> f64 {
        if self.log { (1.0 + x).ln() } else { x }
    }

    /// Number of inputs.
    #[must_use]
    pub(super) fn width(&self) -> usize {
        self.centre.len()
    }

    /// What the network sees of a row.
    pub(super) fn apply<'a>(&'a self, row: &'a [f64]) -> impl Iterator<Item = f64> + 'a {
        row.iter().enumerate().map(|(i, x)| {
            let standard = (self.first(*x) - self.centre[i]) / self.scale[i];
            standard.clamp(self.low[i], self.high[i])
        })
    }

    pub(super) fn export(&self, graph: &mut GraphBuilder, rows: &Value) -> Value {
        let width = self.width() as i64;
        let first = if self.log { graph.log1p(rows) } else { rows.clone() };
        let constants = [&self.centre, &self.scale, &self.low, &self.high].map(|v| graph.doubles(v, &[1, width]));
        let [centre, scale, low, high] = constants;
        let difference = graph.apply("Sub", &[&first, &centre], vec![]);
        let standard = graph.apply("Div", &[&difference, &scale], vec![]);
        let above = graph.apply("Max", &[&standard, &low], vec![]);
        graph.apply("Min", &[&above, &high], vec![])
    }
}

/// One output's scale: from what the network gives to a value.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct OutputScale {
    kind: TargetScale,
    centre: f64,
    scale: f64,
}

impl OutputScale {
    /// The scale of some measured values; missing ones are NaN.
    pub(super) fn of(measured: impl Iterator<Item = f64>, kind: TargetScale) -> Result<Self, FitError> {
        let mut known: Vec<f64> = measured.filter(|y| !y.is_nan()).collect();
        let least = known.iter().copied().fold(f64::INFINITY, f64::min);
        let fits = match kind {
            TargetScale::Log | TargetScale::Relative => least > 0.0,
            TargetScale::Absolute => least >= 0.0,
            TargetScale::Signed => true,
        };
        if !fits || known.iter().any(|y| !y.is_finite()) {
            return Err(FitError::Data(format!(
                "a measured value of {least} does not fit the scale `{}`",
                format!("{kind:?}").to_lowercase()
            )));
        }
        if known.is_empty() {
            return Err(FitError::TooFewRows { found: 0, needed: 1 });
        }
        if matches!(kind, TargetScale::Log | TargetScale::Relative) {
            known.iter_mut().for_each(|y| *y = y.ln());
        }
        let (centre, scale) = match kind {
            TargetScale::Log => mean_and_spread(&known),
            // The geometric mean, so that small and large values lie on both sides of one.
            TargetScale::Relative => (0.0, mean_and_spread(&known).0.exp()),
            TargetScale::Absolute => (0.0, mean_and_spread(&known).1),
            TargetScale::Signed => mean_and_spread(&known),
        };
        Ok(Self { kind, centre, scale })
    }

    /// The value on the network's side of the scale that training compares with.
    pub(super) fn target(&self, measured: f64) -> f64 {
        let value = if self.kind == TargetScale::Log { measured.ln() } else { measured };
        (value - self.centre) / self.scale
    }

    /// The value of what the network gives.
    pub(super) fn value(&self, z: f64) -> f64 {
        match self.kind {
            TargetScale::Log => (z * self.scale + self.centre).exp(),
            TargetScale::Signed => z * self.scale + self.centre,
            TargetScale::Relative | TargetScale::Absolute => softplus(z) * self.scale,
        }
    }

    /// What the network is to give at first: the mean of the targets.
    pub(super) fn start(&self, mean_target: f64) -> f64 {
        match self.kind {
            TargetScale::Log | TargetScale::Signed => 0.0,
            TargetScale::Relative => softplus_inverse(1.0),
            TargetScale::Absolute => softplus_inverse(mean_target.max(1e-3)),
        }
    }

    /// Loss of one output and its derivative, for a target that is known.
    #[inline(always)]
    pub(super) fn loss(&self, z: f32, target: f32) -> (f32, f32) {
        match self.kind {
            TargetScale::Log | TargetScale::Signed => {
                let error = z - target;
                (error * error, 2.0 * error)
            }
            TargetScale::Relative | TargetScale::Absolute => {
                let weight = if self.kind == TargetScale::Relative { 1.0 / target } else { 1.0 };
                let decay = (-z.abs()).exp();
                let (soft, slope) =
                    (z.max(0.0) + decay.ln_1p(), if z > 0.0 { 1.0 / (1.0 + decay) } else { decay / (1.0 + decay) });
                let error = (soft - target) * weight;
                (error * error, 2.0 * error * weight * slope)
            }
        }
    }

    /// Writes the scale of a column of what the network gives.
    pub(super) fn export(&self, graph: &mut GraphBuilder, z: &Value) -> Value {
        let scale = graph.doubles(&[self.scale], &[1, 1]);
        match self.kind {
            TargetScale::Log | TargetScale::Signed => {
                let centre = graph.doubles(&[self.centre], &[1, 1]);
                let spread = graph.apply("Mul", &[z, &scale], vec![]);
                let moved = graph.apply("Add", &[&spread, &centre], vec![]);
                if self.kind == TargetScale::Log { graph.apply("Exp", &[&moved], vec![]) } else { moved }
            }
            TargetScale::Relative | TargetScale::Absolute => {
                // max(z, 0) + log(1 + exp(-|z|)): ONNX's own Softplus overflows in some runtimes.
                let least = graph.doubles(&[LEAST], &[1, 1]);
                let z = &graph.apply("Max", &[z, &least], vec![]);
                let size = graph.apply("Abs", &[z], vec![]);
                let negative = graph.apply("Neg", &[&size], vec![]);
                let decay = graph.apply("Exp", &[&negative], vec![]);
                let tail = graph.log1p(&decay);
                let zero = graph.doubles(&[0.0], &[1, 1]);
                let ramp = graph.apply("Max", &[z, &zero], vec![]);
                let soft = graph.apply("Add", &[&ramp, &tail], vec![]);
                graph.apply("Mul", &[&soft, &scale], vec![])
            }
        }
    }
}

/// log(1 + exp(z)), from [`LEAST`] on.
fn softplus(z: f64) -> f64 {
    let z = z.max(LEAST);
    z.max(0.0) + (1.0 + (-z.abs()).exp()).ln()
}

fn softplus_inverse(y: f64) -> f64 {
    y + (-(-y).exp_m1()).ln()
}

/// Mean and population standard deviation; a spread that is only rounding counts as 1.
fn mean_and_spread(values: &[f64]) -> (f64, f64) {
    let n = values.len().max(1) as f64;
    let mean = values.iter().sum::<f64>() / n;
    let spread = (values.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / n).sqrt();
    (mean, if spread <= 1e-9 * mean.abs().max(1e-300) { 1.0 } else { spread })
}

#[cfg(test)]
mod tests {
    use super::*;

    const KINDS: [TargetScale; 4] =
        [TargetScale::Log, TargetScale::Relative, TargetScale::Absolute, TargetScale::Signed];

    #[test]
    fn derivatives_are_those_of_the_losses_and_start_at_the_mean() {
        for kind in KINDS {
            let scale = OutputScale::of([0.5, 2.0, 8.0, f64::NAN].into_iter(), kind).expect("positive values");
            let target = scale.target(2.0) as f32;
            for z in [-2.0_f32, -0.3, 0.4, 1.7] {
                let step = 1e-2;
                let numeric = (scale.loss(z + step, target).0 - scale.loss(z - step, target).0) / (2.0 * step);
                let exact = scale.loss(z, target).1;
                assert!((numeric - exact).abs() < 2e-2 * (1.0 + exact.abs()), "{kind:?} {z}: {numeric} {exact}");
            }
            if kind != TargetScale::Signed {
                assert!(scale.value(-20.0) > 0.0);
            }
        }
        let scale = OutputScale::of([1.0, 3.0].into_iter(), TargetScale::Absolute).expect("values");
        assert!((scale.value(scale.start(scale.target(2.0))) - 2.0).abs() < 1e-9);
    }

    #[test]
    fn values_that_a_scale_cannot_hold_are_refused() {
        for (kind, value) in [
            (TargetScale::Log, 0.0),
            (TargetScale::Relative, -1.0),
            (TargetScale::Absolute, -0.1),
            (TargetScale::Signed, f64::INFINITY),
        ] {
            assert!(OutputScale::of([1.0, value].into_iter(), kind).is_err());
        }
        assert!(OutputScale::of([f64::NAN].into_iter(), TargetScale::Log).is_err());
        assert!(InputScale::of([0.0, -1.0].chunks(1), 1, true).is_err());
        assert!(InputScale::of([0.0, -1.0].chunks(1), 1, false).is_ok());
    }

    #[test]
    fn inputs_far_out_count_as_being_at_the_edge() {
        let scale = InputScale::of([1.0, 2.0, 3.0].chunks(1), 1, false).expect("inputs");
        let at = |x: f64| scale.apply(&[x]).collect::<Vec<_>>()[0];
        assert_eq!(at(1e9), at(1e6));
        assert!(at(3.1) > at(3.0));
    }
}
