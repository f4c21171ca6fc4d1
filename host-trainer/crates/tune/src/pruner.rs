//! Pruners: whether a trial is worth going on with, from its value after each step and those of earlier generations.

use super::random::Stream;
use serde::{Deserialize, Serialize};

/// How trials are given up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Pruner {
    /// Never.
    #[default]
    None,
    /// Where the best value so far is worse than the median of earlier trials at the same step.
    Median,
    /// Successive halving in several brackets, each with a first step of its own (Li et al., 2018, jmlr.org/papers/v18/16-558).
    Hyperband,
}

impl Pruner {
    /// All pruners, in the order that help texts list them.
    pub const ALL: &[Self] = &[Self::None, Self::Median, Self::Hyperband];

    /// The name that the command line and studies have.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Median => "median",
            Self::Hyperband => "hyperband",
        }
    }
}

/// Values of a trial after each step, from step 1.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Curve {
    /// The trial's number.
    pub number: u64,
    /// Steps with their values, in order.
    pub steps: Vec<(u32, f64)>,
    /// Whether it went to the end.
    pub complete: bool,
}

impl Curve {
    fn at(&self, step: u32) -> Option<f64> {
        self.steps.iter().find(|(known, _)| *known == step).map(|(_, value)| *value)
    }
}

/// Complete trials before the median says anything.
const MEDIAN_STARTUP: usize = 5;
/// Of hyperband's trials at a rung one in so many goes on.
const ETA: u32 = 3;
/// Purpose of random numbers.
const BRACKET: u64 = 3;

impl Pruner {
    /// Whether a trial that reached a step of so many is to be given up.
    #[must_use]
    pub fn gives_up(self, seed: u64, trial: &Curve, steps: u32, earlier: &[Curve]) -> bool {
        let Some(&(step, value)) = trial.steps.last() else { return false };
        if step >= steps {
            return false;
        }
        match self {
            Self::None => false,
            Self::Median => {
                let mut values: Vec<f64> =
                    earlier.iter().filter(|curve| curve.complete).filter_map(|curve| curve.at(step)).collect();
                values.sort_by(f64::total_cmp);
                let best = trial.steps.iter().map(|(_, value)| *value).fold(f64::INFINITY, f64::min);
                values.len() >= MEDIAN_STARTUP && best > median(&values)
            }
            Self::Hyperband => {
                let own = bracket(seed, trial.number, steps);
                let is_rung = (0..).map(|i| ETA.saturating_pow(own + i)).take_while(|rung| *rung <= step).last();
                if is_rung != Some(step) {
                    return false;
                }
                let others = earlier.iter().filter(|curve| bracket(seed, curve.number, steps) == own);
                let mut values: Vec<f64> = others.filter_map(|curve| curve.at(step)).collect();
                if values.len() < ETA as usize {
                    return false;
                }
                values.push(value);
                values.sort_by(f64::total_cmp);
                value > values[(values.len() / ETA as usize).max(1) - 1]
            }
        }
    }
}

fn median(sorted: &[f64]) -> f64 {
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { 0.5 * (sorted[middle - 1] + sorted[middle]) }
}

/// The bracket of a trial: the first rung of bracket `b` is at step 3ᵇ. Brackets get trials in proportion to those that
/// hyperband starts in each, so that each spends about as many steps.
fn bracket(seed: u64, number: u64, steps: u32) -> u32 {
    let last = (0..).take_while(|i| ETA.saturating_pow(i + 1) <= steps).count() as u32;
    let starts: Vec<f64> = (0..=last)
        .map(|bracket| {
            let halvings = last - bracket;
            f64::from(last + 1) * f64::from(ETA.pow(halvings)) / f64::from(halvings + 1)
        })
        .collect();
    let mut left = Stream::of(&[seed, number, BRACKET]).uniform() * starts.iter().sum::<f64>();
    for (bracket, starts) in (0..).zip(&starts) {
        left -= starts;
        if left < 0.0 {
            return bracket;
        }
    }
    last
}

#[cfg(test)]
mod tests {
    use super::*;

    fn curve(number: u64, values: &[f64]) -> Curve {
        Curve { number, steps: (1..).zip(values.iter().copied()).collect(), complete: values.len() == 9 }
    }

    #[test]
    fn the_median_gives_up_the_worse_half_and_never_at_the_end() {
        let earlier: Vec<Curve> = (0..5).map(|n| curve(n, &[n as f64; 9])).collect();
        let gives_up = |values: &[f64]| Pruner::Median.gives_up(0, &curve(9, values), 9, &earlier);
        assert!(gives_up(&[2.1]) && !gives_up(&[2.0]));
        assert!(!gives_up(&[1.0, 3.0]), "its best so far counts");
        assert!(!gives_up(&[9.0; 9]), "a trial that is done is done");
        assert!(!Pruner::Median.gives_up(0, &curve(9, &[9.0]), 9, &earlier[..4]), "too few to compare with");
        assert!(!Pruner::None.gives_up(0, &curve(9, &[9.0]), 9, &earlier));
    }

    #[test]
    fn hyperband_keeps_a_third_at_its_rungs() {
        let numbers: Vec<u64> = (0..1000).filter(|n| bracket(5, *n, 9) == 0).collect();
        let earlier: Vec<Curve> = numbers[..8].iter().zip(1..).map(|(n, v)| curve(*n, &[f64::from(v)])).collect();
        let gives_up = |value: f64| Pruner::Hyperband.gives_up(5, &curve(numbers[8], &[value]), 9, &earlier);
        assert!(!gives_up(2.5) && gives_up(3.5));
        let off_rung = curve(numbers[8], &[1.0, 99.0]);
        assert!(!Pruner::Hyperband.gives_up(5, &off_rung, 9, &earlier), "step 2 is no rung");
    }

    #[test]
    fn every_bracket_gets_trials() {
        let mut counts = [0; 3];
        (0..1000).for_each(|n| counts[bracket(1, n, 9) as usize] += 1);
        // 9, 4.5 and 3 starts of 16.5.
        assert!(counts[0] > 450 && counts[1] > 200 && counts[2] > 120, "{counts:?}");
    }
}
