//! Which task a worker tries next: an order of its own, so that many workers seldom want the same one.

use super::listing::Seen;
use shared::random::SplitMix64;
use std::collections::VecDeque;

/// Tasks that may be claimed, as of the last listing, by their place among the entries.
#[derive(Debug, Default)]
pub(super) struct Choice {
    tasks: VecDeque<(usize, Seen)>,
    /// Tries that may still be lost before a new listing costs less than going on with this one.
    patience: usize,
}

impl Choice {
    /// Tasks that wait for a worker, then those whose workers seem to be gone. `requests` is what listing them took.
    pub(super) fn new(free: Vec<(usize, Seen)>, silent: Vec<(usize, Seen)>, requests: usize, start: u64) -> Self {
        let mut tasks = VecDeque::from(free);
        if !tasks.is_empty() {
            tasks.rotate_left(SplitMix64::new(start).below(tasks.len()));
        }
        tasks.extend(silent);
        // A lost try takes two requests.
        Self { tasks, patience: (requests / 2).max(2) }
    }

    /// Takes the first of those that are wanted.
    pub(super) fn take(&mut self, wanted: impl Fn(usize) -> bool) -> Option<(usize, Seen)> {
        let place = self.tasks.iter().position(|(entry, _)| wanted(*entry))?;
        self.tasks.remove(place)
    }

    /// Another was quicker: the next tasks are probably its too, so that this worker goes on elsewhere. False where the listing is
    /// too old to go on with; nothing is left of it then.
    pub(super) fn lost(&mut self, random: u64) -> bool {
        self.patience = self.patience.saturating_sub(1);
        if self.patience == 0 {
            self.tasks.clear();
        } else if !self.tasks.is_empty() {
            self.tasks.rotate_left(SplitMix64::new(random).below(self.tasks.len()));
        }
        self.patience > 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    fn seen() -> Seen {
        Seen::default()
    }

    #[test]
    fn tasks_of_others_are_left_behind_after_few_tries() {
        let all = || (0..10_000).map(|place| (place, seen())).collect::<Vec<_>>();
        let mut choice = Choice::new(all(), vec![(10_000, seen())], 30, 7);
        let first = choice.take(|_| true).expect("a task").0;
        assert_eq!(choice.take(|_| true).expect("a task").0, (first + 1) % 10_000, "neighbours share their data");
        assert!(choice.lost(1), "one try is worth less than a listing");
        let after = choice.take(|_| true).expect("a task").0;
        assert!(after.abs_diff(first) > 10, "{after} is where the other works: {first}");
        let mut lost = 1;
        while choice.lost(lost) {
            lost += 1;
        }
        assert_eq!((lost, choice.take(|_| true).is_none()), (14, true), "15 tries cost what 30 requests do");
    }

    #[test]
    fn workers_begin_at_different_places_and_only_take_what_is_wanted() {
        let free: Vec<(usize, Seen)> = (0..100).map(|place| (place, seen())).collect();
        let first = |start| Choice::new(free.clone(), Vec::new(), 3, start).take(|_| true).map(|(place, _)| place);
        assert!((0..20).map(first).collect::<BTreeSet<_>>().len() > 12);
        let mut choice = Choice::new(free, vec![(100, seen())], 3, 1);
        let mut taken: Vec<usize> = std::iter::from_fn(|| choice.take(|place| place >= 98)).map(|(p, _)| p).collect();
        assert_eq!(taken.pop(), Some(100), "the silent come last");
        taken.sort_unstable();
        assert_eq!(taken, [98, 99]);
    }
}
