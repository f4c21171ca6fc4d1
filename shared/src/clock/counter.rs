//! Counters of fixed width.

/// A counter that begins again after `range` of its units, signed or not.
///
/// ```
/// use shared::clock::Counter;
///
/// let micros = Counter { range: 1 << 32 };
/// // 4,294,967,290 is followed by 4: ten units passed, whatever the clock on the wall says.
/// assert_eq!(micros.elapsed(4_294_967_290, 4, 12), 10);
/// assert_eq!(micros.elapsed(2_147_483_647, -2_147_483_648, 1), 1);
/// // A ten-bit stamp after about 100 ms: 98 turns were lost.
/// assert_eq!(Counter { range: 1024 }.elapsed(1000, 648, 100_010), 100_000);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Counter {
    /// Units after which it begins again; more than zero.
    pub range: i64,
}

impl Counter {
    /// Units since the counter stood at `from`, if it stands at `to` and less than one turn passed.
    #[must_use]
    pub fn step(self, from: i64, to: i64) -> i64 {
        (i128::from(to) - i128::from(from)).rem_euclid(i128::from(self.range.max(1))) as i64
    }

    /// Units since the counter stood at `from`: the one of all times that fit which is nearest to `about`, and never
    /// negative.
    #[must_use]
    pub fn elapsed(self, from: i64, to: i64, about: i64) -> i64 {
        let step = self.step(from, to);
        step.saturating_add(self.range.max(1).saturating_mul(self.turns(step, about)))
    }

    /// Whole turns that are missing from a step that took `about` units.
    #[must_use]
    pub fn turns(self, step: i64, about: i64) -> i64 {
        let range = self.range.max(1);
        about.saturating_sub(step).saturating_add(range / 2).div_euclid(range).max(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn time_is_found_again_when_it_is_known_to_half_a_turn(
            bits in 8_u32..40,
            start in any::<u32>(),
            passed in 0_i64..1 << 42,
            error in -0.49_f64..0.49,
            signed in any::<bool>(),
        ) {
            let counter = Counter { range: 1 << bits };
            let read = |at: i64| {
                let low = at.rem_euclid(counter.range);
                if signed && low >= counter.range / 2 { low - counter.range } else { low }
            };
            let (from, to) = (read(i64::from(start)), read(i64::from(start) + passed));
            let about = passed + (error * counter.range as f64) as i64;
            prop_assert_eq!(counter.elapsed(from, to, about), passed);
        }

        #[test]
        fn no_numbers_make_it_panic(range in any::<i64>(), from in any::<i64>(), to in any::<i64>(), about in any::<i64>()) {
            let elapsed = Counter { range }.elapsed(from, to, about);
            prop_assert!(elapsed >= 0);
        }
    }
}
