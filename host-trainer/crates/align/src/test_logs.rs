//! Power logs for tests.

use shared::random::Random;
use shared::run_folder::stamp::format_stamp;
use std::fmt::Write;

/// A log of readings every 1.3 ms of a register that is renewed every 2.2 ms, in steps of 8 mA at 5 V. `shift_ns` is added
/// to the stamp of a reading.
pub(crate) fn renewed(count: usize, shift_ns: impl Fn(usize) -> i64) -> String {
    let mut random = Random::new(1);
    let mut text = String::new();
    let mut value = 0.0;
    let mut renewal = -1;
    for i in 0..count {
        let at_us = i as i64 * 1_300;
        if at_us / 2_200 != renewal {
            renewal = at_us / 2_200;
            value = 1200.0 + 8.0 * (random.normal() * 10.0).round();
        }
        let shown = 1_738_071_505_000_000_000 + at_us * 1000 + shift_ns(i);
        writeln!(text, "{},5000.0,{value:?}", format_stamp(shown)).expect("string");
    }
    text
}
