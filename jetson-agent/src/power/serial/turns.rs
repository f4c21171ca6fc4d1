//! A stream whose stamps have few bits: when bytes are lost, whole turns of the stamp are lost with them, and only the time
//! of arrival says how many.

use super::DeviceClock;
use shared::clock::Counter;
use std::collections::VecDeque;

/// Range of the stamp in µs.
const TURN_US: i64 = 1024;
const TURN_NS: i64 = TURN_US * 1_000;
/// Time between two sets in µs, and by how much a stamp's rounding changes it.
const PERIOD_US: i64 = 50;
const ROUNDING_US: i64 = 1;
/// A block this late begins a doubt even if its stamps go on as if nothing was lost.
const LATE_NS: i64 = 5_000_000;
/// For how long blocks must be late before turns count as lost: what was only delayed catches up sooner. Longer where the
/// stamps show no break.
const DOUBT_NS: u64 = 40_000_000;
const LONG_DOUBT_NS: u64 = 120_000_000;
/// Blocks that must have been late.
const DOUBT_BLOCKS: u32 = 4;

/// A set as it came: its stamp, and what it holds unless a part of it is missing.
pub(super) type Stamped<T> = (u16, Option<T>);

/// Puts sets in time. Those behind a break are held back until it is known how many turns were lost.
#[derive(Debug)]
pub(super) struct Turns<T> {
    clock: DeviceClock,
    last_stamp: Option<u16>,
    device_us: i64,
    held: VecDeque<(i64, Option<T>)>,
    doubt: Option<Doubt>,
    lost_sets: u64,
    breaks: u64,
    incomplete: u64,
}

#[derive(Debug)]
struct Doubt {
    /// The first held set behind the break.
    at: usize,
    /// The step of its stamp.
    step_us: i64,
    since_ns: u64,
    patience_ns: u64,
    blocks: u32,
    least_late_ns: i64,
}

impl<T> Default for Turns<T> {
    fn default() -> Self {
        Self {
            clock: DeviceClock::default(),
            last_stamp: None,
            device_us: 0,
            held: VecDeque::new(),
            doubt: None,
            lost_sets: 0,
            breaks: 0,
            incomplete: 0,
        }
    }
}

impl<T> Turns<T> {
    /// Takes a block that arrived at `now_ns`; appends the sets whose time is known.
    pub(super) fn block(&mut self, sets: Vec<Stamped<T>>, now_ns: u64, out: &mut Vec<(u64, T)>) {
        if sets.is_empty() {
            return;
        }
        let first = self.held.len();
        for (stamp, set) in sets {
            let counter = Counter { range: TURN_US };
            let step = self.last_stamp.map(|last| counter.step(i64::from(last), i64::from(stamp)));
            self.last_stamp = Some(stamp);
            if let Some(step_us) = step {
                self.device_us = self.device_us.saturating_add(step_us);
                if (step_us - PERIOD_US).abs() > ROUNDING_US {
                    self.settle();
                    self.begin_doubt(self.held.len(), step_us, now_ns, DOUBT_NS);
                }
            }
            self.incomplete += u64::from(set.is_none());
            self.held.push_back((self.device_us, set));
        }
        if let Some(doubt) = &mut self.doubt {
            let late_ns = self.clock.lateness_ns(self.device_us, now_ns).unwrap_or(0);
            doubt.blocks += 1;
            doubt.least_late_ns = doubt.least_late_ns.min(late_ns);
            let patient = now_ns.saturating_sub(doubt.since_ns) < doubt.patience_ns || doubt.blocks < DOUBT_BLOCKS;
            if doubt.least_late_ns >= TURN_NS / 2 && patient {
                return;
            }
            self.settle();
        }
        if self.clock.lateness_ns(self.device_us, now_ns).is_some_and(|late| late > LATE_NS) {
            self.begin_doubt(first, PERIOD_US, now_ns, LONG_DOUBT_NS);
            return;
        }
        self.clock.arrived(self.device_us, now_ns);
        for (device_us, set) in self.held.drain(..) {
            let t_ns = self.clock.stamp(device_us);
            out.extend(set.map(|set| (t_ns, set)));
        }
    }

    /// Sets that were lost, as far as they are known, and in how many breaks.
    pub(super) fn lost(&self) -> (u64, u64) {
        (self.lost_sets, self.breaks)
    }

    /// Sets of which a part was missing.
    pub(super) fn incomplete(&self) -> u64 {
        self.incomplete
    }

    fn begin_doubt(&mut self, at: usize, step_us: i64, since_ns: u64, patience_ns: u64) {
        self.doubt = Some(Doubt { at, step_us, since_ns, patience_ns, blocks: 0, least_late_ns: i64::MAX });
    }

    /// Ends a doubt with what is known: the least lateness since, in whole turns, was lost.
    fn settle(&mut self) {
        let Some(doubt) = self.doubt.take() else { return };
        let late = if doubt.blocks == 0 { 0 } else { doubt.least_late_ns.max(0) };
        let turns = (late + TURN_NS / 2) / TURN_NS;
        for (device_us, _) in self.held.iter_mut().skip(doubt.at) {
            *device_us = device_us.saturating_add(turns * TURN_US);
        }
        self.device_us = self.device_us.saturating_add(turns * TURN_US);
        let lost = (turns * TURN_US + doubt.step_us) / PERIOD_US - 1;
        if lost > 0 {
            self.lost_sets += lost.unsigned_abs();
            self.breaks += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START_NS: u64 = 5_000_000_000;

    /// A second of sets, of which those in `lost` (µs) never come; blocks of 2 ms, late by `late_ns` of the block's number.
    fn stream(lost: &[std::ops::Range<i64>], late_ns: impl Fn(i64) -> u64) -> (Vec<(u64, i64)>, (u64, u64)) {
        let (mut turns, mut out) = (Turns::default(), Vec::new());
        let mut last_arrival = 0;
        for block in 0..500 {
            let sets = (block * 40..(block + 1) * 40).map(|k| k * 50).filter(|us| !lost.iter().any(|l| l.contains(us)));
            let sets: Vec<Stamped<i64>> = sets.map(|us| ((us % 1024) as u16, Some(us))).collect();
            let arrival = (START_NS + (block as u64 + 1) * 2_000_000 + late_ns(block)).max(last_arrival + 1_000);
            last_arrival = arrival;
            turns.block(sets, arrival, &mut out);
        }
        (out, turns.lost())
    }

    /// How far stamps are off the device's time, in µs, beside the constant delay of the first.
    fn worst_us(out: &[(u64, i64)]) -> u64 {
        let delay = |(t_ns, us): &(u64, i64)| *t_ns as i64 - us * 1_000;
        let first = delay(&out[0]);
        out.iter().map(|pair| (delay(pair) - first).unsigned_abs() / 1_000).max().unwrap_or(0)
    }

    #[test]
    fn a_loss_of_any_length_is_found_and_time_stays_true_behind_it() {
        for loss_us in [1_100, 2_048, 5_000, 50_000, 51_200, 100_000, 102_400, 200_000, 400_000] {
            let lost = 300_000..300_000 + loss_us;
            let (out, (sets, breaks)) = stream(&[lost], |_| 0);
            assert!(worst_us(&out) < 200, "{loss_us}: {}", worst_us(&out));
            assert_eq!((sets, breaks), ((loss_us as u64).div_ceil(50), 1), "{loss_us}");
            assert!(out.len() + (loss_us / 50) as usize >= 20_000 - 40, "{loss_us}: {}", out.len());
        }
    }

    #[test]
    fn a_delay_is_no_loss() {
        // The port stalls for 100 ms; all that was sent comes in a burst behind it.
        let (out, lost) =
            stream(&[], |block| if (150..200).contains(&block) { (200 - block) as u64 * 2_000_000 } else { 0 });
        assert_eq!(lost, (0, 0));
        assert!(worst_us(&out) < 200 && out.len() == 20_000, "{} {}", worst_us(&out), out.len());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn losses_and_jitter(
            at in 100_000_i64..500_000,
            loss in 1_000_i64..300_000,
            second in prop::option::of(100_000_i64..200_000),
            jitter in proptest::collection::vec(0_u64..3_000_000, 500),
        ) {
            let (at, loss) = (at / 50 * 50, loss / 50 * 50);
            let second = second.map(|gap| at + loss + gap..at + loss + gap + loss);
            let lost: Vec<_> = [Some(at..at + loss), second].into_iter().flatten().collect();
            // Three of four blocks are late by up to 3 ms.
            let (out, (sets, _)) = stream(&lost, |block| if block % 4 == 0 { 0 } else { jitter[block as usize] });
            prop_assert!(out.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(worst_us(&out) < 600, "{}", worst_us(&out));
            let truth: i64 = lost.iter().map(|l| (l.end.min(1_000_000) - l.start.min(1_000_000)) / 50).sum();
            prop_assert!(sets as i64 <= truth + 21, "{sets} of {truth}");
        }

        #[test]
        fn no_stamps_make_it_panic(blocks in proptest::collection::vec((proptest::collection::vec(0_u16..2048, 0..30), any::<u32>()), 0..30)) {
            let (mut turns, mut out, mut now) = (Turns::default(), Vec::new(), 0);
            for (stamps, passed) in blocks {
                now += u64::from(passed);
                turns.block(stamps.into_iter().map(|stamp| (stamp, Some(()))).collect(), now, &mut out);
            }
            prop_assert!(out.windows(2).all(|pair| pair[0].0 < pair[1].0));
        }
    }
}
