//! The stamps of a meter that counts microseconds: a counter of fixed width that begins again, a meter that restarts, a
//! stamp that lost digits on the line.

use super::DeviceClock;
use shared::clock::Counter;

/// Ranges of the counters of such meters: 32 bits of µs, signed or not, and 32 bits of ms, times 1000.
const RANGES_US: [i64; 2] = [1 << 32, (1 << 32) * 1_000];
/// A stamp that runs ahead of our clock by more than this is none. Blocks arrive that late at most.
const AHEAD_US: i64 = 2_000_000;
/// A block this late, over and over for [`PATIENCE_NS`], is no late one: the meter's clock stood still.
const LATE_NS: i64 = 250_000_000;
const PATIENCE_NS: u64 = 1_000_000_000;

/// Maps such a meter's stamps to monotonic nanoseconds.
#[derive(Debug, Default)]
pub(super) struct MeterClock {
    clock: DeviceClock,
    /// The last stamp that was believed, and the device's time there as it runs on.
    last: Option<(i64, i64)>,
    last_arrival_ns: u64,
    /// A stamp that fits nothing; the next one says whether it is a restart or was a damaged line.
    stray: Option<i64>,
    late_since_ns: Option<u64>,
    wraps: u64,
    restarts: u64,
}

impl MeterClock {
    /// The times of a block's readings that arrived at `now_ns`; `None` for a reading whose stamp cannot be believed.
    pub(super) fn block(&mut self, stamps_us: &[i64], now_ns: u64) -> Vec<Option<u64>> {
        let passed_us = i64::try_from(now_ns.saturating_sub(self.last_arrival_ns) / 1_000).unwrap_or(i64::MAX);
        let room_us = if self.last.is_some() { passed_us.saturating_add(AHEAD_US) } else { i64::MAX };
        let mut times: Vec<Option<u64>> = Vec::with_capacity(stamps_us.len());
        let mut waiting: Vec<(usize, i64)> = Vec::new();
        for (place, &raw) in stamps_us.iter().enumerate() {
            times.push(None);
            match self.advance(raw, room_us) {
                Advance::To(device_us) => waiting.push((place, device_us)),
                Advance::Stray => {}
                Advance::Restart => {
                    // What came before belongs to the mapping before.
                    self.place(&mut waiting, &mut times);
                    self.restarts += 1;
                    let behind = stamps_us[place..].last().map_or(0, |last| last.saturating_sub(raw)).max(0);
                    let at_ns = now_ns.saturating_sub((behind as u64).saturating_mul(1_000).min(now_ns));
                    self.clock.restart(raw, at_ns);
                    self.last = Some((raw, raw));
                    waiting.push((place, raw));
                }
            }
        }
        if let Some((_, device_us)) = waiting.last() {
            self.arrived(*device_us, now_ns);
            self.last_arrival_ns = now_ns;
        }
        self.place(&mut waiting, &mut times);
        times
    }

    /// How often the counter began again after its range.
    pub(super) fn wraps(&self) -> u64 {
        self.wraps
    }

    /// How often the meter's clock began anywhere else.
    pub(super) fn restarts(&self) -> u64 {
        self.restarts
    }

    fn advance(&mut self, raw: i64, room_us: i64) -> Advance {
        let Some((last_raw, device_us)) = self.last else {
            self.last = Some((raw, raw));
            return Advance::To(raw);
        };
        let step = raw.checked_sub(last_raw).filter(|step| (0..=room_us).contains(step));
        let wrapped =
            || RANGES_US.into_iter().map(|range| Counter { range }.step(last_raw, raw)).find(|s| *s <= room_us);
        let (step, wraps) = match (step, if raw < last_raw { wrapped() } else { None }) {
            (Some(step), _) => (step, 0),
            (None, Some(step)) => (step, 1),
            (None, None) => {
                let goes_on = self.stray.is_some_and(|stray| (0..=AHEAD_US).contains(&raw.saturating_sub(stray)));
                self.stray = if goes_on { None } else { Some(raw) };
                return if goes_on { Advance::Restart } else { Advance::Stray };
            }
        };
        self.wraps += wraps;
        self.stray = None;
        let device_us = device_us.saturating_add(step);
        self.last = Some((raw, device_us));
        Advance::To(device_us)
    }

    fn arrived(&mut self, device_us: i64, now_ns: u64) {
        let late = self.clock.lateness_ns(device_us, now_ns).is_some_and(|late| late > LATE_NS);
        self.late_since_ns = late.then(|| self.late_since_ns.unwrap_or(now_ns));
        if self.late_since_ns.is_some_and(|since| now_ns.saturating_sub(since) > PATIENCE_NS) {
            self.late_since_ns = None;
            self.restarts += 1;
            self.clock.restart(device_us, now_ns);
        } else {
            self.clock.arrived(device_us, now_ns);
        }
    }

    fn place(&mut self, waiting: &mut Vec<(usize, i64)>, times: &mut [Option<u64>]) {
        for (place, device_us) in waiting.drain(..) {
            times[place] = Some(self.clock.stamp(device_us));
        }
    }
}

enum Advance {
    /// The device's time, as it runs on.
    To(i64),
    /// Not to be believed, so far.
    Stray,
    /// The device's clock begins here.
    Restart,
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const START_NS: u64 = 5_000_000_000;

    /// Feeds stamps in blocks of `block`, each arriving as its last reading is taken.
    fn feed(clock: &mut MeterClock, readings: &[(i64, u64)], block: usize) -> Vec<Option<u64>> {
        let blocks = readings.chunks(block);
        blocks
            .flat_map(|part| {
                let stamps: Vec<i64> = part.iter().map(|(raw, _)| *raw).collect();
                clock.block(&stamps, START_NS + part[part.len() - 1].1 * 1_000)
            })
            .collect()
    }

    #[test]
    fn a_damaged_stamp_costs_its_reading_and_a_restart_one_more() {
        let mut readings: Vec<(i64, u64)> = (0..100).map(|i| (7_000_000 + i * 1_000, i as u64 * 1_000)).collect();
        readings[40].0 = 39;
        readings[50].0 = 990_000_000_000;
        for (i, reading) in readings.iter_mut().enumerate().skip(70) {
            reading.0 = (i as i64 - 70) * 1_000;
        }
        let mut clock = MeterClock::default();
        let times = feed(&mut clock, &readings, 4);
        let lost: Vec<usize> = (0..100).filter(|&i| times[i].is_none()).collect();
        assert_eq!((lost, clock.restarts(), clock.wraps()), (vec![40, 50, 70], 1, 0));
        for (i, time) in times.iter().enumerate() {
            if let Some(time) = time {
                assert!(time.abs_diff(START_NS + i as u64 * 1_000_000) < 5_000_000, "{i}: {time}");
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(500))]

        #[test]
        fn wrapping_counters_give_the_true_time(
            start in any::<u32>(),
            near_the_end in any::<bool>(),
            signed in any::<bool>(),
            period in 50_i64..20_000,
            block in 1_usize..40,
        ) {
            // Half of them wrap within the series.
            let start = if near_the_end { (1_i64 << 32) - i64::from(start) % (period * 300) } else { i64::from(start) };
            let readings: Vec<(i64, u64)> = (0..300).map(|i| {
                let raw = (start + i * period) % (1 << 32);
                (if signed && raw >= 1 << 31 { raw - (1 << 32) } else { raw }, (i * period) as u64)
            }).collect();
            let mut clock = MeterClock::default();
            let times = feed(&mut clock, &readings, block);
            let first = times[0].expect("a time");
            for (time, (_, us)) in times.iter().zip(&readings) {
                let time = time.expect("every stamp is sound");
                prop_assert!((time - first).abs_diff(us * 1_000) < 200_000, "{} {us}", time - first);
            }
            prop_assert_eq!(clock.restarts(), 0);
        }

        #[test]
        fn no_stamps_make_it_panic(stamps in proptest::collection::vec(any::<i64>(), 0..50), times in proptest::collection::vec(any::<u32>(), 0..8)) {
            let mut clock = MeterClock::default();
            let (mut now, mut last) = (0, 0);
            for passed in times {
                now += u64::from(passed);
                for time in clock.block(&stamps, now).into_iter().flatten() {
                    prop_assert!(time > last);
                    last = time;
                }
            }
        }
    }
}
