//! EdgeProfiler's rule, for comparison: a layer's power is the mean of the readings between its stamp less its duration
//! and its stamp.
//!
//! Kept as it is, faults included: lists are taken position by position in file order; the log is walked forwards only,
//! so that a window that begins before the one before it ended misses what that one took; once the log has ended no
//! further row comes; and a power of zero has no idle power taken off.

use rayon::prelude::*;
use shared::run_folder::{
    Diagnostics, LayerCursor, LayerEntry, LayerSeries, NumberText, PowerReading, PowerReadings, ReadAt,
};
use shared::units::{Microwatts, Millis};
use std::collections::VecDeque;
use std::io;

/// Measurements of a layer that are read ahead.
const AHEAD: usize = 512;

/// One row of the rule's result.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct WindowRow<'a> {
    /// Number of the inference, from 1.
    pub cycle: u64,
    /// The layer's position in the file.
    pub layer: usize,
    /// Mean power, where a reading fell into the window.
    pub power: Option<Microwatts>,
    /// Readings that did.
    pub readings: u64,
    /// The duration.
    pub duration: Millis,
    /// The duration as the file has it.
    pub text: &'a [u8],
}

/// What became of the measurements.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct WindowCounts {
    /// Rows.
    pub rows: u64,
    /// Rows without a reading.
    pub empty: u64,
    /// Measurements after the log had ended, which get no row.
    pub dropped: u64,
    /// Lines of the power log and measurements that could not be read.
    #[serde(rename = "oddities")]
    pub unreadable: Diagnostics,
}

struct Forward<R> {
    log: R,
    chunk: Vec<PowerReading>,
    at: usize,
}

impl<R: PowerReadings> Forward<R> {
    fn current(&mut self) -> io::Result<Option<PowerReading>> {
        if self.at == self.chunk.len() {
            self.log.read_chunk(&mut self.chunk)?;
            self.at = 0;
        }
        Ok(self.chunk.get(self.at).copied())
    }
}

/// Applies the rule. `layers` stand in file order.
///
/// # Errors
/// When a file cannot be read, or `row` fails.
pub fn apply<S: ReadAt + ?Sized>(
    latency: &S,
    layers: &[LayerSeries],
    power: impl PowerReadings,
    mut row: impl FnMut(WindowRow<'_>) -> io::Result<()>,
) -> io::Result<WindowCounts> {
    let mut forward = Forward { log: power, chunk: Vec::new(), at: 0 };
    let mut queues: Vec<_> =
        layers.iter().map(|l| (LayerCursor::new(latency, l), VecDeque::<(LayerEntry, NumberText)>::new())).collect();
    let mut counts = WindowCounts::default();
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
                let power = (readings > 0).then(|| Microwatts(sum / readings as f64));
                counts.rows += 1;
                counts.empty += u64::from(readings == 0);
                row(WindowRow { cycle, layer, power, readings, duration: entry.duration, text: text.as_bytes() })?;
            }
        }
    }
    counts.unreadable.merge(&forward.log.diagnostics());
    for (cursor, _) in &queues {
        counts.unreadable.merge(&cursor.diagnostics);
    }
    Ok(counts)
}

fn fill<S: ReadAt + ?Sized>(
    cursor: &mut LayerCursor<'_, S>,
    queue: &mut VecDeque<(LayerEntry, NumberText)>,
) -> io::Result<()> {
    while queue.len() < AHEAD {
        let Some(entry) = cursor.next_with_text()? else { break };
        queue.push_back(entry);
    }
    Ok(())
}

/// Sums the readings of one window, in µW.
fn walk<R: PowerReadings>(forward: &mut Forward<R>, entry: LayerEntry, ended: &mut bool) -> io::Result<(f64, u64)> {
    let start_ns = entry.wall_ns.saturating_sub(microseconds(entry.duration).saturating_mul(1000));
    let (mut sum, mut readings) = (0.0, 0);
    loop {
        let Some(reading) = forward.current()? else {
            *ended = true;
            break;
        };
        if reading.wall_ns >= start_ns {
            if reading.wall_ns > entry.wall_ns {
                break;
            }
            sum += reading.microwatts().0;
            readings += 1;
        }
        forward.at += 1;
    }
    Ok((sum, readings))
}

/// A duration as a whole number of microseconds, half to even: whole milliseconds and the fraction taken apart, as
/// Python's `timedelta` does.
fn microseconds(duration: Millis) -> i64 {
    let ms = duration.0;
    (ms.trunc() as i64).saturating_mul(1000).saturating_add((ms.fract() * 1000.0).round_ties_even() as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::{PowerLogReader, index_layers};

    fn apply_to(latency: &str, power: &str) -> (Vec<(u64, usize, Option<f64>)>, WindowCounts) {
        let layers = index_layers(latency.as_bytes(), &mut Diagnostics::default()).expect("object");
        let mut rows = Vec::new();
        let counts = apply(latency.as_bytes(), &layers, PowerLogReader::new(power.as_bytes()), |row| {
            rows.push((row.cycle, row.layer, row.power.map(|p| p.0)));
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
    fn durations_are_rounded_as_edge_profiler_rounds_them() {
        assert_eq!(
            [0.0005, 0.0015, 0.0025, 400.0, 1.2345].map(|ms| microseconds(Millis(ms))),
            [0, 2, 2, 400_000, 1234]
        );
    }
}
