//! Laws of series of stamps: whatever a clock did, time runs on, what is undone is named, and nothing is counted that no
//! reading covers.

use proptest::prelude::*;
use shared::clock::{ChangeKind, Scale, Series, TimeError, read_series};

/// What happens to a clock or a log at a row.
#[derive(Debug, Clone, Copy)]
enum Event {
    /// The clock is set by so many ns.
    Set(i64),
    /// So many rows are lost.
    Lost(i64),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        // Summer time, a time zone, and corrections of every size, forwards and back.
        (-28_i64..28).prop_map(|halves| Event::Set(halves * 1_800_000_000_000)),
        (-100_000_000_000_i64..100_000_000_000).prop_map(Event::Set),
        (1_i64..500).prop_map(Event::Lost),
    ]
}

/// A series by a clock that is true at first: stamps, and the true time of each row.
fn series(rows: usize, period: i64, jitter: &[i64], start: i64, events: &[(usize, Event)]) -> (Vec<i64>, Vec<i64>) {
    let (mut stamps, mut truth) = (Vec::new(), Vec::new());
    let (mut now, mut set) = (start, 0);
    for row in 0..rows {
        for (_, event) in events.iter().filter(|(at, _)| *at == row) {
            match event {
                Event::Set(by) => set += by,
                Event::Lost(rows) => now += rows * period,
            }
        }
        let late = jitter[row % jitter.len()] * period / 1_000;
        truth.push(now + late);
        stamps.push(now + late + set);
        now += period;
    }
    (stamps, truth)
}

fn some(stamps: &[i64]) -> Vec<Option<i64>> {
    stamps.iter().copied().map(Some).collect()
}

/// Time that readings cover.
fn covered(series: &Series) -> i64 {
    series
        .stretches()
        .into_iter()
        .filter(|s| s.len() > 1)
        .map(|s| series.times_ns[s.end - 1] - series.times_ns[s.start])
        .sum()
}

const START: i64 = 1_694_685_600_000_000_000;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// Time never goes back, and the time that is covered is the truth's: no step of the clock becomes time.
    #[test]
    fn a_wall_clock_that_is_set_adds_no_time(
        rows in 40_usize..200,
        period in 1_000_000_i64..60_000_000_000,
        jitter in proptest::collection::vec(0_i64..100, 1..20),
        places in proptest::collection::vec((4_usize..36, event()), 0..3),
    ) {
        let (stamps, truth) = series(rows, period, &jitter, START, &places);
        let lost: i64 = places.iter().map(|(_, e)| if let Event::Lost(rows) = e { rows * period } else { 0 }).sum();
        match read_series(&some(&stamps), Scale::Wall, None) {
            Ok(found) => {
                prop_assert_eq!(found.times_ns.len(), rows);
                prop_assert!(found.times_ns.windows(2).all(|pair| pair[0] <= pair[1]));
                let true_cover = truth[rows - 1] - truth[0] - lost;
                // A step smaller than a period or two hides in the rhythm; a row lost beside it as well.
                let slack = 3 * period * places.len() as i64 + period / 2;
                prop_assert!(covered(&found) <= true_cover + lost.min(2 * period * places.len() as i64) + slack,
                    "{} s of {} s", covered(&found) as f64 * 1e-9, true_cover as f64 * 1e-9);
                if !found.sorted {
                    prop_assert!(covered(&found) >= true_cover - slack - 2 * period * places.len() as i64,
                        "{} s of {} s", covered(&found) as f64 * 1e-9, true_cover as f64 * 1e-9);
                }
                // What is larger than a few periods is named.
                for (at, event) in &places {
                    let size = match event { Event::Set(by) => by.abs(), Event::Lost(rows) => rows * period };
                    let alone = places.iter().filter(|(other, _)| other.abs_diff(*at) < 2).count() == 1;
                    if size > 4 * period && alone && !found.sorted {
                        prop_assert!(found.changes.iter().any(|change| change.at.abs_diff(*at) <= 1), "{at} {event:?}");
                    }
                }
            }
            Err(TimeError::GoesBack { row, by_ns, count }) => {
                prop_assert!(row < rows && by_ns < 0 && count > 0);
                prop_assert!(places.iter().any(|(_, e)| matches!(e, Event::Set(by) if *by < 0)));
            }
            Err(other) => prop_assert!(false, "{other:?}"),
        }
    }

    /// A counter of 32 bits, in µs or ms, signed or not, gives the time that passed.
    #[test]
    fn a_counter_that_begins_again_gives_the_true_time(
        rows in 6_usize..300,
        period in 50_i64..1_000_000,
        jitter in proptest::collection::vec(0_i64..100, 1..20),
        until_the_end in 1_i64..300,
        unit_ns in prop_oneof![Just(1_000_i64), Just(1_000_000_i64)],
        signed in any::<bool>(),
    ) {
        let top = if signed { 1_i64 << 31 } else { 1_i64 << 32 };
        let start = top - (until_the_end.min(rows as i64 - 2) * period);
        let (_, truth) = series(rows, period, &jitter, start, &[]);
        let stamps: Vec<Option<i64>> =
            truth.iter().map(|at| Some(if *at >= top { at - (1 << 32) } else { *at } * unit_ns)).collect();
        let found = read_series(&stamps, Scale::Counter { unit_ns }, None).expect("time");
        prop_assert!(!found.sorted);
        let wraps = found.changes.iter().filter(|change| change.kind == ChangeKind::Wrapped).count();
        prop_assert_eq!(wraps, 1);
        for (time, at) in found.times_ns.iter().zip(&truth) {
            prop_assert_eq!(time - found.times_ns[0], (at - truth[0]) * unit_ns);
        }
    }

    /// Stamps of whole seconds: rows lie within the second that their stamp names, and in order.
    #[test]
    fn rows_of_one_second_stay_in_it(
        rows in 3_usize..200,
        period_ms in 20_i64..3_000,
        offset_ms in 0_i64..1_000,
    ) {
        let truth: Vec<i64> = (0..rows as i64).map(|i| START + (offset_ms + i * period_ms) * 1_000_000).collect();
        let stamps: Vec<i64> = truth.iter().map(|at| at / 1_000_000_000 * 1_000_000_000).collect();
        let found = read_series(&some(&stamps), Scale::Wall, None).expect("time");
        prop_assert!(found.times_ns.windows(2).all(|pair| pair[0] <= pair[1]));
        for (time, stamp) in found.times_ns.iter().zip(&stamps) {
            prop_assert!((0..1_000_000_000).contains(&(time - stamp)), "{}", time - stamp);
        }
        let span = found.times_ns[rows - 1] - found.times_ns[0];
        // Neither the first second nor the last is whole, so few rows tell their rate less well.
        let slack = if rows >= 40 { 1_010_000_000 } else { 1_500_000_000 };
        prop_assert!((span - (truth[rows - 1] - truth[0])).abs() <= slack);
        prop_assert!(found.changes.iter().all(|change| change.kind == ChangeKind::Gap));
    }

    /// Rows in another order are the same rows.
    #[test]
    fn shuffled_rows_are_put_in_order(
        rows in 8_usize..100,
        period in 1_000_000_i64..1_000_000_000,
        swaps in proptest::collection::vec((0_usize..99, 1_usize..4), 1..30),
        reversed in any::<bool>(),
    ) {
        let truth: Vec<i64> = (0..rows as i64).map(|i| START + 1 + i * period).collect();
        let mut stamps = truth.clone();
        for (at, by) in swaps {
            let at = at % rows;
            stamps.swap(at, (at + by).min(rows - 1));
        }
        if reversed {
            stamps.reverse();
        }
        let found = read_series(&some(&stamps), Scale::Counter { unit_ns: 1 }, None).expect("time");
        prop_assert_eq!(found.times_ns, truth);
    }

    #[test]
    fn no_stamps_make_it_panic(
        stamps in proptest::collection::vec(prop::option::of(prop_oneof![any::<i64>(), -50_i64..50, 0_i64..1 << 32]), 0..60),
        kind in 0_u8..3,
        given in prop::option::of(1_i64..i64::MAX),
    ) {
        let scale = match kind {
            0 => Scale::Wall,
            1 => Scale::Cyclic { range_ns: 86_400_000_000_000 },
            _ => Scale::Counter { unit_ns: 1_000 },
        };
        if let Ok(found) = read_series(&stamps, scale, given) {
            prop_assert!(found.times_ns.windows(2).all(|pair| pair[0] <= pair[1]));
            prop_assert_eq!(found.rows.len(), found.times_ns.len());
            let stretches = found.stretches();
            prop_assert!(stretches.iter().all(|s| s.start <= s.end && s.end <= found.times_ns.len()));
        }
    }
}

/// Each return from 1970 is undone before the jump to it is, so that times between grow beyond 64 bits: such a series is refused,
/// not cut off.
#[test]
fn a_clock_set_to_and_fro_past_64_bits_is_refused() {
    let stamps: Vec<i64> = (0..400).map(|row| START * (1 - row / 20 % 2) + (row - 400) * 1_000_000_000).collect();
    match read_series(&some(&stamps), Scale::Wall, None) {
        Ok(series) => assert!(series.times_ns.windows(2).all(|pair| pair[0] <= pair[1])),
        Err(error) => assert!(matches!(error, TimeError::GoesBack { .. }), "{error:?}"),
    }
}
