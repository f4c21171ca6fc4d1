//! Which candidates cover weighted targets best: facility location, chosen greedily.
//!
//! A target of weight w is covered to `w · s` by the chosen candidate that is most similar to it, s from 0 to 1. What a set covers
//! grows with the set, and a candidate adds the less the more is chosen already (it is monotone and submodular). So what a candidate
//! would have added earlier bounds what it adds now, and few candidates have to be looked at again for each choice (lazy greedy;
//! Minoux, 1978).

use std::cmp::Ordering;
use std::collections::BinaryHeap;

/// Targets, and how far they are covered.
#[derive(Debug, Clone, PartialEq)]
pub struct Cover {
    weights: Vec<f64>,
    similarity: Vec<f64>,
}

/// A candidate: what it costs, and how similar it is to which targets.
#[derive(Debug, Clone, PartialEq)]
pub struct Candidate {
    /// Cost, more than zero.
    pub cost: f64,
    /// Targets by index, each once, with a similarity from 0 to 1. Others are not covered by it at all.
    pub similar: Vec<(usize, f64)>,
}

/// A chosen candidate.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Choice {
    /// Its index.
    pub candidate: usize,
    /// What it added to the cover.
    pub gain: f64,
}

/// A candidate with the most that it can add for its cost.
#[derive(Debug, PartialEq)]
struct Bound {
    ratio: f64,
    candidate: usize,
}

impl Eq for Bound {}

impl PartialOrd for Bound {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Bound {
    /// By ratio; of equals the first candidate is the greatest, so that nothing depends on the heap.
    fn cmp(&self, other: &Self) -> Ordering {
        self.ratio.total_cmp(&other.ratio).then_with(|| other.candidate.cmp(&self.candidate))
    }
}

impl Cover {
    /// Targets of which nothing is covered. Weights are brought to a sum of one.
    #[must_use]
    pub fn new(weights: &[f64]) -> Self {
        let sum: f64 = weights.iter().sum();
        let weights: Vec<f64> = weights.iter().map(|weight| if sum > 0.0 { weight / sum } else { 0.0 }).collect();
        Self { similarity: vec![0.0; weights.len()], weights }
    }

    /// What is covered, 0 to 1.
    #[must_use]
    pub fn covered(&self) -> f64 {
        self.weights.iter().zip(&self.similarity).map(|(weight, similarity)| weight * similarity).sum()
    }

    /// What a candidate would add.
    #[must_use]
    pub fn gain(&self, candidate: &Candidate) -> f64 {
        let added = |(target, similarity): &(usize, f64)| {
            self.weights[*target] * (similarity - self.similarity[*target]).max(0.0)
        };
        candidate.similar.iter().map(added).sum()
    }

    /// Takes a candidate in.
    pub fn add(&mut self, candidate: &Candidate) {
        for (target, similarity) in &candidate.similar {
            let covered = &mut self.similarity[*target];
            *covered = covered.max(*similarity);
        }
    }

    /// Chooses candidates one after the other, that one which adds most for its cost, until nothing adds anything or fits into the
    /// budget.
    ///
    /// ```
    /// use campaign::cover::{Candidate, Cover};
    ///
    /// let candidate = |cost, similar: &[(usize, f64)]| Candidate { cost, similar: similar.to_vec() };
    /// let mut cover = Cover::new(&[3.0, 1.0]);
    /// let candidates = [candidate(1.0, &[(1, 1.0)]), candidate(1.0, &[(0, 0.9)]), candidate(5.0, &[(0, 1.0), (1, 1.0)])];
    /// let chosen: Vec<usize> = cover.choose(&candidates, 2.0).iter().map(|choice| choice.candidate).collect();
    /// assert_eq!(chosen, [1, 0]);
    /// assert!((cover.covered() - (0.75 * 0.9 + 0.25)).abs() < 1e-12);
    /// ```
    pub fn choose(&mut self, candidates: &[Candidate], budget: f64) -> Vec<Choice> {
        let mut left = budget;
        let mut chosen = Vec::new();
        let ratio = |cover: &Self, index: usize| cover.gain(&candidates[index]) / candidates[index].cost;
        let mut heap: BinaryHeap<Bound> = (0..candidates.len())
            .filter(|index| candidates[*index].cost > 0.0)
            .map(|candidate| Bound { ratio: ratio(self, candidate), candidate })
            .collect();
        while let Some(Bound { candidate, .. }) = heap.pop() {
            if candidates[candidate].cost > left {
                continue;
            }
            let now = Bound { ratio: ratio(self, candidate), candidate };
            if now.ratio <= 0.0 {
                continue;
            }
            if heap.peek().is_some_and(|next| *next > now) {
                heap.push(now);
                continue;
            }
            let gain = self.gain(&candidates[candidate]);
            self.add(&candidates[candidate]);
            left -= candidates[candidate].cost;
            chosen.push(Choice { candidate, gain });
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The same choice without bounds: every candidate is looked at every time.
    fn plain_greedy(mut cover: Cover, candidates: &[Candidate], budget: f64) -> Vec<usize> {
        let (mut left, mut chosen): (f64, Vec<usize>) = (budget, Vec::new());
        loop {
            let open = (0..candidates.len()).filter(|i| !chosen.contains(i) && candidates[*i].cost <= left);
            let best =
                open.map(|i| (cover.gain(&candidates[i]) / candidates[i].cost, i)).fold(None, |best, one| match best {
                    Some((ratio, _)) if ratio >= one.0 => best,
                    _ => Some(one),
                });
            let Some((_, i)) = best.filter(|(ratio, _)| *ratio > 0.0) else { return chosen };
            cover.add(&candidates[i]);
            left -= candidates[i].cost;
            chosen.push(i);
        }
    }

    fn candidates(targets: usize) -> impl Strategy<Value = Vec<Candidate>> {
        let one = (0.1_f64..3.0, prop::collection::btree_map(0..targets, 0.0_f64..1.0, 0..8));
        prop::collection::vec(
            one.prop_map(|(cost, similar)| Candidate { cost, similar: similar.into_iter().collect() }),
            0..24,
        )
    }

    proptest! {
        #[test]
        fn bounds_change_nothing_of_the_choice(
            weights in prop::collection::vec(0.0_f64..1.0, 12), all in candidates(12), budget in 0.0_f64..12.0,
        ) {
            let mut cover = Cover::new(&weights);
            let expected = plain_greedy(cover.clone(), &all, budget);
            let chosen: Vec<usize> = cover.choose(&all, budget).into_iter().map(|choice| choice.candidate).collect();
            prop_assert_eq!(chosen, expected);
        }

        #[test]
        fn the_budget_holds_and_gains_add_up(
            weights in prop::collection::vec(0.01_f64..1.0, 12), all in candidates(12), budget in 0.0_f64..12.0,
        ) {
            let mut cover = Cover::new(&weights);
            let before = cover.covered();
            let chosen = cover.choose(&all, budget);
            let cost: f64 = chosen.iter().map(|choice| all[choice.candidate].cost).sum();
            prop_assert!(cost <= budget + 1e-9);
            let gains: f64 = chosen.iter().map(|choice| choice.gain).sum();
            prop_assert!((cover.covered() - before - gains).abs() < 1e-9);
            prop_assert!(chosen.iter().all(|choice| choice.gain > 0.0) && cover.covered() <= 1.0 + 1e-9);
        }

        #[test]
        fn a_larger_set_covers_no_less_and_gains_less_from_the_same(
            weights in prop::collection::vec(0.01_f64..1.0, 12), all in candidates(12),
        ) {
            prop_assume!(all.len() >= 3);
            let (small, mut large) = (Cover::new(&weights), Cover::new(&weights));
            let (mut small, last) = (small, &all[all.len() - 1]);
            small.add(&all[0]);
            large.add(&all[0]);
            large.add(&all[1]);
            prop_assert!(large.covered() >= small.covered());
            prop_assert!(large.gain(last) <= small.gain(last) + 1e-12);
        }
    }
}
