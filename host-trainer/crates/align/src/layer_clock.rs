//! The clock of layer stamps.

use super::clock::Stretch;

/// Undoes backward jumps of the wall clock in layer stamps, as was done for the power log: each jump there has its
/// counterpart here.
#[derive(Debug, Clone)]
pub struct LayerClock {
    stretches: Vec<Stretch>,
    current: usize,
    last_ns: i64,
    extra_ns: i64,
}

impl LayerClock {
    /// A clock that follows the power log's.
    #[must_use]
    pub fn new(stretches: &[Stretch]) -> Self {
        Self { stretches: stretches.to_vec(), current: 0, last_ns: i64::MIN, extra_ns: 0 }
    }

    /// What to add to the stamps of an inference, given its first one, in ns.
    pub fn offset(&mut self, first_ns: i64) -> i64 {
        const SLACK_NS: i64 = 1_000_000_000;
        let backwards = self.last_ns != i64::MIN && first_ns < self.last_ns;
        let holds = |s: &Stretch| {
            first_ns >= s.start_ns.saturating_sub(SLACK_NS) && first_ns <= s.end_ns.saturating_add(SLACK_NS)
        };
        let from = self.current + usize::from(backwards);
        if backwards || !self.stretches.get(self.current).is_some_and(holds) {
            let found = self.stretches.iter().enumerate().skip(from).find(|(_, s)| holds(s));
            if let Some((i, _)) = found {
                self.current = i;
                self.extra_ns = 0;
            } else if backwards {
                self.extra_ns = self.extra_ns.saturating_add(self.last_ns.saturating_sub(first_ns));
            }
        }
        self.last_ns = first_ns;
        self.stretches.get(self.current).map_or(0, |s| s.offset_ns).saturating_add(self.extra_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_jump_back_is_undone_like_the_power_logs() {
        let stretches = [
            Stretch { start_ns: 0, end_ns: 10_000_000_000, offset_ns: 0 },
            Stretch { start_ns: 5_000_000_000, end_ns: 9_000_000_000, offset_ns: 5_001_000_000 },
        ];
        let mut clock = LayerClock::new(&stretches);
        assert_eq!(clock.offset(9_990_000_000), 0);
        assert_eq!(clock.offset(5_000_500_000), 5_001_000_000);
        assert_eq!(clock.offset(6_000_000_000), 5_001_000_000);
        // No counterpart in the power log: time goes on from where it was.
        assert_eq!(clock.offset(4_999_000_000 - 2_000_000_000), 5_001_000_000 + 3_001_000_000);
    }
}
