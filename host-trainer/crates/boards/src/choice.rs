//! The choice among candidates: modes, batches, precisions, networks.

use crate::normal::probability_below;
use shared::units::{Millijoules, Millis};

/// What a candidate would cost.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Cost {
    /// Images per inference.
    pub batch: f64,
    /// Time of one inference.
    pub latency: Millis,
    /// Standard deviation of the latency's logarithm; none where nothing is known of it.
    pub latency_log_sd: Option<f64>,
    /// Energy of one inference; none where it is not known.
    pub energy: Option<Millijoules>,
}

impl Cost {
    /// Images per second.
    #[must_use]
    pub fn throughput(&self) -> f64 {
        1e3 * self.batch / self.latency.0
    }

    /// Energy of one image.
    #[must_use]
    pub fn energy_per_image(&self) -> Option<Millijoules> {
        Some(self.energy? / self.batch)
    }

    /// The probability that an inference takes no longer than a limit, where times are log-normal around the prediction; none
    /// where the spread is not known.
    ///
    /// ```
    /// use boards::choice::Cost;
    /// use shared::units::Millis;
    ///
    /// let cost = Cost { batch: 1.0, latency: Millis(10.0), latency_log_sd: Some(0.1), energy: None };
    /// assert!((cost.probability_within(Millis(10.0)).expect("known") - 0.5).abs() < 1e-6);
    /// assert!(cost.probability_within(Millis(12.0)).expect("known") > 0.96);
    /// ```
    #[must_use]
    pub fn probability_within(&self, limit: Millis) -> Option<f64> {
        let sd = self.latency_log_sd.filter(|sd| *sd > 0.0)?;
        Some(probability_below((limit.0 / self.latency.0).ln() / sd))
    }
}

/// What a choice is the best of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Goal {
    /// The least energy per image.
    Energy,
    /// The most images per second.
    Throughput,
    /// The shortest inference.
    Latency,
}

impl Goal {
    /// Every goal.
    pub const ALL: [Self; 3] = [Self::Energy, Self::Throughput, Self::Latency];

    /// Its name in documents and forms.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Energy => "energy",
            Self::Throughput => "throughput",
            Self::Latency => "latency",
        }
    }

    /// What is to be small; none for a candidate of which it is not known.
    fn loss(self, cost: &Cost) -> Option<f64> {
        match self {
            Self::Energy => cost.energy_per_image().map(|energy| energy.0),
            Self::Throughput => Some(-cost.throughput()),
            Self::Latency => Some(cost.latency.0),
        }
    }
}

/// A limit, and how sure one wants to be.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limit {
    /// Longest inference.
    pub latency: Millis,
    /// Least probability with which it is met. A candidate whose spread is not known has to be predicted within the limit.
    pub probability: f64,
}

impl Limit {
    /// Whether a candidate meets it.
    #[must_use]
    pub fn is_met_by(&self, cost: &Cost) -> bool {
        cost.probability_within(self.latency).map_or(cost.latency.0 <= self.latency.0, |p| p >= self.probability)
    }
}

/// The best candidate that meets a limit; the first of equals. None where no candidate meets it or is known well enough.
///
/// ```
/// use boards::choice::{Cost, Goal, Limit, choose};
/// use shared::units::{Millijoules, Millis};
///
/// let cost = |ms, mj| Cost { batch: 1.0, latency: Millis(ms), latency_log_sd: Some(0.05), energy: Some(Millijoules(mj)) };
/// let candidates = [cost(5.0, 90.0), cost(10.0, 60.0), cost(19.5, 40.0)];
/// let limit = Some(Limit { latency: Millis(20.0), probability: 0.9 });
/// assert_eq!(choose(&candidates, limit, Goal::Energy), Some(1), "the third meets 20 ms with 69 % only");
/// assert_eq!(choose(&candidates, None, Goal::Energy), Some(2));
/// ```
#[must_use]
pub fn choose(candidates: &[Cost], limit: Option<Limit>, goal: Goal) -> Option<usize> {
    let within = candidates.iter().enumerate().filter(|(_, cost)| limit.is_none_or(|limit| limit.is_met_by(cost)));
    let known = within.filter_map(|(place, cost)| Some((place, goal.loss(cost)?)));
    known.min_by(|(_, a), (_, b)| a.total_cmp(b)).map(|(place, _)| place)
}

/// The Pareto front of candidates by two goals: those that no other beats in one without being worse in the other. Candidates
/// of which a goal is not known are left out.
///
/// ```
/// use boards::choice::{Cost, Goal, pareto_front};
/// use shared::units::{Millijoules, Millis};
///
/// let cost = |ms, mj| Cost { batch: 1.0, latency: Millis(ms), latency_log_sd: None, energy: Some(Millijoules(mj)) };
/// let front = pareto_front(&[cost(5.0, 90.0), cost(10.0, 95.0), cost(20.0, 40.0)], [Goal::Latency, Goal::Energy]);
/// assert_eq!(front, [0, 2]);
/// ```
#[must_use]
pub fn pareto_front(candidates: &[Cost], goals: [Goal; 2]) -> Vec<usize> {
    let mut known: Vec<(usize, f64, f64)> = candidates
        .iter()
        .enumerate()
        .filter_map(|(place, cost)| Some((place, goals[0].loss(cost)?, goals[1].loss(cost)?)))
        .collect();
    known.sort_by(|a, b| a.1.total_cmp(&b.1).then(a.2.total_cmp(&b.2)).then(a.0.cmp(&b.0)));
    let (mut front, mut least) = (Vec::new(), f64::INFINITY);
    for (place, _, second) in known {
        if second < least {
            least = second;
            front.push(place);
        }
    }
    front
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_candidate_beats_the_front(times in proptest::collection::vec((0.1..100.0_f64, 0.1..100.0_f64), 1..30)) {
            let candidates: Vec<Cost> = times.iter().map(|(ms, mj)| Cost {
                batch: 1.0, latency: Millis(*ms), latency_log_sd: None, energy: Some(Millijoules(*mj)),
            }).collect();
            let front = pareto_front(&candidates, [Goal::Latency, Goal::Energy]);
            for (place, (ms, mj)) in times.iter().enumerate() {
                let beaten = front.iter().any(|&f| f != place && times[f].0 <= *ms && times[f].1 <= *mj);
                prop_assert!(beaten || front.contains(&place));
            }
            let best = choose(&candidates, None, Goal::Energy).expect("one");
            prop_assert!(front.iter().any(|&f| times[f].1 <= times[best].1));
        }
    }

    #[test]
    fn what_is_not_known_is_not_chosen() {
        let cost = Cost { batch: 4.0, latency: Millis(10.0), latency_log_sd: None, energy: None };
        assert_eq!(choose(&[cost], None, Goal::Energy), None);
        assert_eq!(choose(&[cost], None, Goal::Throughput), Some(0));
        assert_eq!(cost.throughput(), 400.0);
        let limit = |ms| Some(Limit { latency: Millis(ms), probability: 0.9 });
        assert_eq!(choose(&[cost], limit(9.0), Goal::Latency), None);
        assert_eq!(choose(&[cost], limit(11.0), Goal::Latency), Some(0));
    }
}
