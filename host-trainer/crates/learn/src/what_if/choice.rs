//! The choice among outlooks: the best within a limit, and the Pareto front.

use super::explore::Outlook;
use boards::choice::{Cost, Goal, Limit, choose, pareto_front};
use shared::failure::{Failure, Kind};

/// The best of some outlooks within a limit, and their Pareto front. Places are positions among the outlooks.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// What the chosen one is the best of.
    pub goal: Goal,
    /// What stands against latency on the front: energy if it is known of any outlook, else throughput.
    pub against: Goal,
    /// The limit.
    pub limit: Option<Limit>,
    /// The chosen one; none where no outlook meets the limit, or where the goal is not known of any.
    pub chosen: Option<usize>,
    /// Those that no other beats in one goal without being worse in the other, the quickest first.
    pub front: Vec<usize>,
    /// The shortest latency of all, ms; none where none is predicted as a whole.
    quickest_ms: Option<f64>,
}

impl Choice {
    /// Chooses among outlooks. Without a goal it is the least energy if energy is known of any, else the most images per second.
    #[must_use]
    pub fn among<'a>(
        outlooks: impl IntoIterator<Item = &'a Outlook>,
        limit: Option<Limit>,
        goal: Option<Goal>,
    ) -> Self {
        let known = outlooks.into_iter().enumerate().filter_map(|(place, outlook)| Some((place, outlook.cost()?)));
        let (places, costs): (Vec<usize>, Vec<Cost>) = known.unzip();
        let against = if costs.iter().any(|cost| cost.energy.is_some()) { Goal::Energy } else { Goal::Throughput };
        let goal = goal.unwrap_or(against);
        let chosen = choose(&costs, limit, goal).map(|place| places[place]);
        let front = pareto_front(&costs, [Goal::Latency, against]).into_iter().map(|place| places[place]).collect();
        let quickest_ms = costs.iter().map(|cost| cost.latency.0).min_by(f64::total_cmp);
        Self { goal, against, limit, chosen, front, quickest_ms }
    }

    /// Whether the front is one of energy, not of throughput.
    #[must_use]
    pub fn knows_energy(&self) -> bool {
        self.against == Goal::Energy
    }

    /// The probability that an outlook meets the limit; none without a limit or an interval.
    #[must_use]
    pub fn probability(&self, outlook: &Outlook) -> Option<f64> {
        outlook.cost()?.probability_within(self.limit?.latency)
    }

    /// What a place is: `chosen`, on the `front`, or neither.
    #[must_use]
    pub fn mark(&self, place: usize) -> &'static str {
        match (self.chosen == Some(place), self.front.contains(&place)) {
            (true, _) => "chosen",
            (false, true) => "front",
            (false, false) => "",
        }
    }

    /// How surely the chosen outlook meets the limit, as a sentence without a full stop; none without a limit.
    #[must_use]
    pub fn assurance(&self, chosen: &Outlook) -> Option<String> {
        let limit = self.limit?.latency.0;
        Some(match self.probability(chosen) {
            Some(p) => format!("it takes at most {limit} ms with a probability of {:.0} %", 100.0 * p),
            None => format!(
                "it is predicted within {limit} ms; with which probability is not known, since the models come without an interval"
            ),
        })
    }

    /// Why nothing was chosen: the answer is no. None where something was.
    #[must_use]
    pub fn refusal(&self) -> Option<Failure> {
        if self.chosen.is_some() {
            return None;
        }
        let message = match (self.quickest_ms, self.limit) {
            (None, _) => "no candidate is predicted as a whole".to_owned(),
            _ if self.goal == Goal::Energy && !self.knows_energy() => "energy is known of no candidate".to_owned(),
            (Some(quickest), Some(limit)) => format!(
                "no candidate takes at most {} ms with a probability of {:.0} %; the quickest takes {quickest:.3} ms",
                limit.latency.0,
                100.0 * limit.probability
            ),
            (Some(_), None) => "no candidate is known well enough".to_owned(),
        };
        let help = "allow more time, a lower probability, other modes or batches, or a smaller network";
        Some(Failure::new(Kind::AnswerIsNo, message).help(help))
    }
}

#[cfg(test)]
mod tests {
    use super::super::explore::Origin;
    use super::*;
    use shared::units::{Millijoules, Millis};

    fn outlook(mode: &str, ms: f64, energy: Option<f64>) -> Outlook {
        Outlook {
            board: "orin-nano".to_owned(),
            mode: Some(mode.to_owned()),
            gpu_mhz: 612.0,
            emc_mhz: 2133.0,
            batch: Some(2),
            precision: None,
            runtime_ms: Some(Millis(ms)),
            runtime_bounds: None,
            runtime_log_sd: None,
            energy_mj: energy.map(Millijoules),
            power_w: None,
            throughput: None,
            origin: Origin::Extrapolated,
            missing_layers: 0,
            layers_outside_training_range: 0,
            notes: Vec::new(),
            layers: Vec::new(),
        }
    }

    #[test]
    fn places_count_the_outlooks_that_are_not_known_as_a_whole() {
        let partial = Outlook { missing_layers: 3, ..outlook("7W", 1.0, Some(1.0)) };
        let all = [partial, outlook("15W", 20.0, Some(40.0)), outlook("25W", 10.0, Some(60.0))];
        let choice = Choice::among(&all, None, None);
        assert_eq!((choice.goal, choice.against), (Goal::Energy, Goal::Energy));
        assert_eq!((choice.chosen, choice.front.as_slice()), (Some(1), [2, 1].as_slice()));
        assert_eq!([0, 1, 2].map(|place| choice.mark(place)), ["", "chosen", "front"]);
        assert_eq!(all[1].setting_name(), "15W, batch 2");
    }

    #[test]
    fn a_refusal_says_what_is_not_known_and_what_was_not_met() {
        let all = [outlook("15W", 20.0, None), outlook("25W", 10.0, None)];
        let limit = |ms| Some(Limit { latency: Millis(ms), probability: 0.9 });
        let said = |choice: Choice| choice.refusal().map(|failure| failure.message);
        assert_eq!(said(Choice::among(&all, limit(15.0), None)), None);
        let no = said(Choice::among(&all, limit(5.0), None)).expect("nothing chosen");
        assert!(no.contains("at most 5 ms") && no.contains("the quickest takes 10.000 ms"), "{no}");
        let energy = said(Choice::among(&all, limit(15.0), Some(Goal::Energy)));
        assert_eq!(energy.as_deref(), Some("energy is known of no candidate"));
        assert_eq!(said(Choice::among(&[], None, None)).as_deref(), Some("no candidate is predicted as a whole"));
        let within = Choice::among(&all, limit(15.0), None);
        assert!(within.assurance(&all[1]).is_some_and(|said| said.contains("probability is not known")));
    }
}
