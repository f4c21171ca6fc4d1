//! The reference's rule, for comparison: a layer's power is the mean of the readings between its stamp less its duration
//! and its stamp.
//!
//! Kept as it is, faults included: lists are taken position by position in file order; the log is walked forwards only,
//! so that a window that begins before the one before it ended misses what that one took; once the log has ended no
//! further row comes; and a power of zero has no idle power taken off.

use super::latency::{Cursor, Entry, ReadAt, Series, Text};
use super::power::{Oddities, PowerLog, Reading};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::io::{self, Read};

/// Measurements of a layer that are read ahead.
const AHEAD: usize = 512;

/// One row of the rule's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Row<'a> {
    /// Number of the inference, from 1.
    pub cycle: u64,
    /// The layer's position in the file.
    pub layer: usize,
    /// Mean power in microwatts, where a reading fell into the window.
    pub power_uw: Option<f64>,
    /// Readings that did.
    pub readings: u64,
    /// The duration in ms.
    pub ms: f64,
    /// The duration as the file has it.
    pub text: &'a [u8],
}

/// What became of the measurements.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Counts {
    /// Rows.
    pub rows: u64,
    /// Rows without a reading.
    pub empty: u64,
    /// Measurements after the log had ended, which get no row.
    pub dropped: u64,
    /// Lines of the power log and measurements that could not be read.
    pub oddities: Oddities,
}

struct Forward<R> {
    log: PowerLog<R>,
    chunk: Vec<Reading>,
    at: usize,
}

impl<R: Read> Forward<R> {
    fn current(&mut self) -> io::Result<Option<Reading>> {
        if self.at == self.chunk.len() {
            self.log.next_chunk(&mut self.chunk)?;
            self.at = 0;
        }
        Ok(self.chunk.get(self.at).copied())
    }
}

/// Applies the rule. `layers` stand in file order.
///
/// # Errors
/// Whatever the files or `row` say.
pub fn apply<S: ReadAt + ?Sized>(
    latency: &S,
    layers: &[Series],
    power: impl Read,
    mut row: impl FnMut(Row<'_>) -> io::Result<()>,
) -> io::Result<Counts> {
    let mut forward = Forward { log: PowerLog::new(power), chunk: Vec::new(), at: 0 };
    let mut queues: Vec<_> =
        layers.iter().map(|l| (Cursor::new(latency, l), VecDeque::<(Entry, Text)>::new())).collect();
    let mut counts = Counts::default();
    let mut cycle = 0;
    let mut ended = false;
    loop {
        queues.par_iter_mut().try_for_each(|(cursor, queue)| fill(cursor, queue))?;
        if queues.iter().all(|(_, q)| q.is_empty()) {
            break;
        }
        for _ in 0..AHEAD {
            cycle += 1;
            for (layer, (_, queue)) in queues.iter_mut().enumerate() {
                let Some((entry, text)) = queue.pop_front() else { continue };
                if ended {
                    counts.dropped += 1;
                    continue;
                }
                let (sum, readings) = walk(&mut forward, entry, &mut ended)?;
                let power_uw = (readings > 0).then(|| sum / readings as f64);
                counts.rows += 1;
                counts.empty += u64::from(readings == 0);
                row(Row { cycle, layer, power_uw, readings, ms: entry.ms, text: text.as_bytes() })?;
            }
        }
    }
    counts.oddities.merge(&forward.log.oddities);
    for (cursor, _) in &queues {
        counts.oddities.merge(&cursor.oddities);
    }
    Ok(counts)
}

fn fill<S: ReadAt + ?Sized>(cursor: &mut Cursor<'_, S>, queue: &mut VecDeque<(Entry, Text)>) -> io::Result<()> {
    while queue.len() < AHEAD {
        let Some(entry) = cursor.next_with_text()? else { break };
        queue.push_back(entry);
    }
    Ok(())
}

/// Sums the readings of one window.
fn walk<R: Read>(forward: &mut Forward<R>, entry: Entry, ended: &mut bool) -> io::Result<(f64, u64)> {
    let start_us = entry.at_us - microseconds(entry.ms);
    let (mut sum, mut readings) = (0.0, 0);
    loop {
        let Some(reading) = forward.current()? else {
            *ended = true;
            break;
        };
        if reading.at_us >= start_us {
            if reading.at_us > entry.at_us {
                break;
            }
            sum += reading.power_uw;
            readings += 1;
        }
        forward.at += 1;
    }
    Ok((sum, readings))
}

/// Milliseconds as a whole number of microseconds, half to even: whole milliseconds and the fraction taken apart, as
/// Python's `timedelta` does.
fn microseconds(ms: f64) -> i64 {
    ms.trunc() as i64 * 1000 + (ms.fract() * 1000.0).round_ties_even() as i64
}

#[cfg(test)]
mod tests {
    use super::super::latency::index;
    use super::*;

    fn apply_to(latency: &str, power: &str) -> (Vec<(u64, usize, Option<f64>)>, Counts) {
        let layers = index(latency.as_bytes(), &mut Oddities::default()).expect("object");
        let mut rows = Vec::new();
        let counts = apply(latency.as_bytes(), &layers, power.as_bytes(), |row| {
            rows.push((row.cycle, row.layer, row.power_uw));
            Ok(())
        })
        .expect("memory");
        (rows, counts)
    }

    const POWER: &str =
        "20241121-00:00:01.00,5000.0,1100.0\n20241121-00:00:01.20,5000.0,1200.0\n20241121-00:00:03.00,5000.0,0.0\n";

    #[test]
    fn overlapping_windows_lose_readings_and_the_logs_end_loses_rows() {
        let latency = r#"{"a":[[500.0,"20241121-00:00:01.50"],[100.0,"20241121-00:00:02.5"],[5,"20241121-00:00:09"]],
            "b":[[500.0,"20241121-00:00:01.51"],[600.0,"20241121-00:00:03.00"],[5,"20241121-00:00:09"]]}"#;
        let (rows, counts) = apply_to(latency, POWER);
        assert_eq!(rows, [(1, 0, Some(5_750_000.0)), (1, 1, None), (2, 0, None), (2, 1, Some(0.0))]);
        assert_eq!((counts.rows, counts.empty, counts.dropped), (4, 2, 2));
    }

    #[test]
    fn an_empty_log_gives_one_empty_row_then_none() {
        let (rows, counts) = apply_to(r#"{"a":[[1,"20241121-00:00:01"],[1,"20241121-00:00:02"]]}"#, "");
        assert_eq!((rows.len(), counts.dropped), (1, 1));
    }

    #[test]
    fn durations_are_rounded_as_the_reference_rounds_them() {
        assert_eq!([0.0005, 0.0015, 0.0025, 400.0, 1.2345].map(microseconds), [0, 2, 2, 400_000, 1234]);
    }
}
