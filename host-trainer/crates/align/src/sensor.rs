//! What the power log tells about the sensor, and the readings that are new.

use super::power::{Oddities, PowerLog, Reading};
use super::refresh::{self, BLOCK, Lattice};
use super::step::{self, Answer};
use std::io::{self, Read};

/// Readings of the log's beginning that are searched for a step.
const HEAD: usize = 1 << 16;
/// Readings of the same value, where renewals are unknown, of which one counts as new.
const REPEATS: u32 = 16;
/// Most points of the trace that is kept of the whole log.
const TRACE: usize = 2048;

/// What is known of a sensor beforehand: from a manifest or from the command line. It wins over what the log shows.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Known {
    /// Time between renewals, in microseconds.
    pub refresh_us: Option<f64>,
    /// Length of the averaging window, in microseconds.
    pub window_us: Option<f64>,
    /// Time constant of a first-order lag, in microseconds.
    pub lag_us: Option<f64>,
}

/// What was found out about the sensor.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct Sensor {
    /// Readings in the log.
    pub readings: u64,
    /// Readings that say the same as the one before.
    pub repeated: u64,
    /// Median time between readings, in ms.
    pub read_period_ms: f64,
    /// Time between renewals of the reading, in ms; absent where every reading is new.
    pub refresh_ms: Option<f64>,
    /// Step of the current, in mA: the largest that all readings of the log's beginning are multiples of.
    pub quantum_ma: Option<f64>,
    /// Length of the averaging window, in ms, where it is known.
    pub window_ms: Option<f64>,
    /// Time constant of the sensor's lag, in ms, where there is one.
    pub lag_ms: Option<f64>,
    /// How the log answered its largest step, if there is one.
    pub step: Option<Answer>,
    /// How long before the moment of a reading its window ends, in ms, where it was estimated.
    pub delay_ms: Option<f64>,
    /// Where window and lag come from: `manifest`, `given`, `step in the log`, `fit`, `unknown`.
    pub known_from: String,
    /// Times the clock of the log went backwards.
    pub clock_backwards: u64,
}

/// Stretch of the log in which its clock ran forwards.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stretch {
    /// First stamp, microseconds since 1970.
    pub start_us: i64,
    /// Last stamp.
    pub end_us: i64,
    /// What to add to its stamps so that they go on from the stretch before.
    pub offset_us: i64,
}

/// Undoes backward jumps of the log's clock.
#[derive(Debug, Clone, Default)]
pub struct Unwrap {
    /// The stretches met so far.
    pub stretches: Vec<Stretch>,
    period_us: i64,
}

impl Unwrap {
    /// The reading with a stamp that never goes back.
    pub fn reading(&mut self, mut reading: Reading) -> Reading {
        let at = reading.at_us;
        match self.stretches.last_mut() {
            Some(stretch) if at >= stretch.end_us => {
                if self.period_us == 0 {
                    self.period_us = at - stretch.end_us;
                }
                stretch.end_us = at;
            }
            Some(stretch) => {
                let offset_us = stretch.offset_us + stretch.end_us - at + self.period_us;
                self.stretches.push(Stretch { start_us: at, end_us: at, offset_us });
            }
            None => self.stretches.push(Stretch { start_us: at, end_us: at, offset_us: 0 }),
        }
        reading.at_us = at + self.stretches.last().map_or(0, |s| s.offset_us);
        reading
    }
}

/// The power over the whole log in a bounded number of points: neighbours are merged as the log grows.
#[derive(Debug, Clone, Default)]
pub struct Trace {
    /// Time in microseconds since 1970, unwrapped, and mean power in watts.
    pub points: Vec<(i64, f64)>,
    per_point: u64,
    pending: (i64, f64, u64),
}

impl Trace {
    fn add(&mut self, reading: &Reading) {
        self.per_point = self.per_point.max(1);
        let (at, sum, count) = &mut self.pending;
        if *count == 0 {
            *at = reading.at_us;
        }
        *sum += reading.power_uw * 1e-6;
        *count += 1;
        if *count >= self.per_point {
            self.points.push((*at, *sum / *count as f64));
            self.pending = (0, 0.0, 0);
            if self.points.len() >= TRACE {
                self.points = self.points.chunks(2).map(|p| (p[0].0, (p[0].1 + p[p.len() - 1].1) / 2.0)).collect();
                self.per_point *= 2;
            }
        }
    }
}

/// Result of the first pass over a power log.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// What was found out about the sensor.
    pub sensor: Sensor,
    /// Lines that could not be read.
    pub oddities: Oddities,
    /// Stretches in which the clock ran forwards.
    pub stretches: Vec<Stretch>,
    /// The power over the whole log.
    pub trace: Trace,
    /// Moment of the first reading, microseconds since 1970.
    pub origin_us: i64,
    /// Moment of the last, unwrapped.
    pub end_us: i64,
    /// What the log says of the span that was asked about.
    pub span: Span,
}

/// Readings within a span of the log.
#[derive(Debug, Clone, Default)]
pub struct Span {
    bounds_us: Option<(i64, i64)>,
    sum: f64,
    count: u64,
    first: Vec<f64>,
    last: std::collections::VecDeque<f64>,
}

impl Span {
    /// Readings averaged at either end.
    const END: usize = 64;

    fn add(&mut self, raw_us: i64, watts: f64) {
        if self.bounds_us.is_none_or(|(a, b)| raw_us < a || raw_us > b) {
            return;
        }
        self.sum += watts;
        self.count += 1;
        if self.first.len() < Self::END {
            self.first.push(watts);
        }
        if self.last.len() == Self::END {
            self.last.pop_front();
        }
        self.last.push_back(watts);
    }

    /// Length of the span in ms.
    #[must_use]
    pub fn length_ms(&self) -> Option<f64> {
        self.bounds_us.map(|(start, end)| (end - start) as f64 * 1e-3)
    }

    /// Mean power over the span in watts. Through a lag, the mean power is the mean reading plus lag times the
    /// reading's rise over the span.
    #[must_use]
    pub fn mean_watts(&self, lag_us: f64) -> Option<f64> {
        let (start, end) = self.bounds_us?;
        if self.count < 2 || end <= start {
            return None;
        }
        let mean = |values: &mut dyn Iterator<Item = f64>, n: usize| values.sum::<f64>() / n as f64;
        let rise = mean(&mut self.last.iter().copied(), self.last.len())
            - mean(&mut self.first.iter().copied(), self.first.len());
        Some(self.sum / self.count as f64 + lag_us * rise / (end - start) as f64)
    }
}

/// Reads a power log once and finds out what it tells about its sensor.
///
/// # Errors
/// Whatever the source says.
pub fn survey(source: impl Read, known: Known) -> io::Result<Survey> {
    survey_span(source, known, None)
}

/// As [`survey`], and looks at a span of the log's own stamps besides.
///
/// # Errors
/// Whatever the source says.
pub fn survey_span(source: impl Read, known: Known, bounds_us: Option<(i64, i64)>) -> io::Result<Survey> {
    let mut log = PowerLog::new(source);
    let mut unwrap = Unwrap::default();
    let mut head: Vec<Reading> = Vec::new();
    let mut survey = Survey { span: Span { bounds_us, ..Span::default() }, ..Survey::default() };
    let mut chunk = Vec::new();
    let mut last: Option<Reading> = None;
    loop {
        log.next_chunk(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        for reading in &chunk {
            survey.span.add(reading.at_us, reading.power_uw * 1e-6);
            let reading = unwrap.reading(*reading);
            if survey.sensor.readings == 0 {
                survey.origin_us = reading.at_us;
            }
            survey.sensor.readings += 1;
            survey.sensor.repeated += u64::from(last.is_some_and(|l| l.power_uw == reading.power_uw));
            survey.trace.add(&reading);
            survey.end_us = reading.at_us;
            last = Some(reading);
            if head.len() < HEAD {
                head.push(reading);
            }
        }
    }
    survey.oddities = log.oddities;
    survey.stretches = unwrap.stretches;
    survey.sensor.clock_backwards = survey.stretches.len().saturating_sub(1) as u64;
    describe(&mut survey, &head, known);
    Ok(survey)
}

fn describe(survey: &mut Survey, head: &[Reading], known: Known) {
    let origin = survey.origin_us;
    let sensor = &mut survey.sensor;
    let mut steps: Vec<i64> = head.windows(2).map(|w| w[1].at_us - w[0].at_us).collect();
    steps.sort_unstable();
    let read_us = steps.get(steps.len() / 2).copied().unwrap_or(0) as f64;
    sensor.read_period_ms = read_us / 1e3;
    sensor.quantum_ma = quantum(head);
    // The busiest of some blocks: a block of idle time shows few changes.
    let found = head.chunks(BLOCK).take(24).filter_map(|block| refresh::find(block, origin));
    let mut periods: Vec<f64> = found.map(|l| l.period_us).collect();
    periods.sort_by(f64::total_cmp);
    let found = periods.get(periods.len() / 2).copied();
    sensor.refresh_ms = known.refresh_us.or(found).map(|us| us / 1e3);
    let times: Vec<f64> = head.iter().map(|r| (r.at_us - origin) as f64).collect();
    let watts: Vec<f64> = head.iter().map(|r| r.power_uw * 1e-6).collect();
    sensor.step = step::answer(&times, &watts);
    let slow = sensor.refresh_ms.unwrap_or(0.0).max(sensor.read_period_ms) * 2e3;
    let (window, lag) = match sensor.step {
        Some(Answer::Lag(us)) if us > slow => (None, Some(us)),
        Some(Answer::Ramp(us)) if us > slow => (Some(us), Some(0.0)),
        Some(_) => (None, Some(0.0)),
        None => (None, None),
    };
    sensor.window_ms = known.window_us.or(window).map(|us| us / 1e3);
    sensor.lag_ms = known.lag_us.or(lag).map(|us| us / 1e3);
    sensor.known_from = match (known.lag_us.or(known.window_us), sensor.step) {
        (Some(_), _) => "given",
        (None, Some(_)) => "step in the log",
        (None, None) => "unknown",
    }
    .into();
}

/// Greatest step of which all differences of the current are multiples, to a hundredth of a milliampere; `None` when
/// there is none above a tenth.
fn quantum(readings: &[Reading]) -> Option<f64> {
    let unit = |r: &Reading| (r.milliamps * 100.0).round() as i64;
    let mut divisor = 0_i64;
    for pair in readings.windows(2) {
        let (mut a, mut b) = (divisor, (unit(&pair[1]) - unit(&pair[0])).abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        divisor = a;
    }
    (divisor >= 10).then(|| divisor as f64 / 100.0)
}

/// Readings that are new, with the moment at which the sensor renewed them. Works block by block.
pub struct Fresh<R> {
    log: PowerLog<R>,
    unwrap: Unwrap,
    origin_us: i64,
    period_us: Option<f64>,
    all_new: bool,
    chunk: Vec<Reading>,
    block: Vec<Reading>,
    last_us: f64,
    last_value: f64,
    repeats: u32,
    ended: bool,
    /// Blocks in which the lattice of renewals was found again, and blocks in which it was not.
    pub locked: (u64, u64),
}

/// A new reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct New {
    /// The moment it was renewed, or read where that is not known; microseconds after the log's first reading.
    pub at_us: f64,
    /// Power in watts.
    pub watts: f64,
}

impl<R: Read> Fresh<R> {
    /// New readings of a log that was surveyed.
    pub fn new(source: R, survey: &Survey) -> Self {
        let refresh_us = survey.sensor.refresh_ms.map(|ms| ms * 1e3);
        let slower = |us: &f64| *us > survey.sensor.read_period_ms * 1.02e3;
        let repeats = survey.sensor.repeated as f64 > 0.3 * survey.sensor.readings as f64;
        Self {
            log: PowerLog::new(source),
            unwrap: Unwrap::default(),
            origin_us: survey.origin_us,
            period_us: refresh_us.filter(slower),
            all_new: refresh_us.is_some_and(|us| !slower(&us)) || !repeats,
            chunk: Vec::new(),
            block: Vec::new(),
            last_us: f64::NEG_INFINITY,
            last_value: f64::NAN,
            repeats: 0,
            ended: false,
            locked: (0, 0),
        }
    }

    /// Appends the new readings of the next block to `out`; false at the end of the log.
    ///
    /// # Errors
    /// Whatever the source says.
    pub fn next_block(&mut self, out: &mut Vec<New>, raw: &mut Vec<f64>) -> io::Result<bool> {
        while self.block.len() < BLOCK && !self.ended {
            self.log.next_chunk(&mut self.chunk)?;
            self.ended = self.chunk.is_empty();
            for reading in &self.chunk {
                let reading = self.unwrap.reading(*reading);
                self.block.push(reading);
            }
        }
        if self.block.is_empty() {
            return Ok(false);
        }
        let rest = self.block.split_off(self.block.len().min(BLOCK));
        let block = std::mem::replace(&mut self.block, rest);
        raw.extend(block.iter().map(|r| (r.at_us - self.origin_us) as f64));
        let lattice = self.period_us.and_then(|period| refresh::lock(&block, self.origin_us, period));
        if let Some(lattice) = lattice {
            self.locked.0 += 1;
            self.by_lattice(&block, lattice, out);
        } else {
            self.locked.1 += u64::from(self.period_us.is_some());
            for reading in &block {
                self.repeats += 1;
                // A value that stays for long is not one reading: a steady load looks the same each time.
                if self.all_new || reading.power_uw != self.last_value || self.repeats >= REPEATS {
                    self.last_value = reading.power_uw;
                    self.repeats = 0;
                    let at_us = (reading.at_us - self.origin_us) as f64;
                    if at_us > self.last_us {
                        self.last_us = at_us;
                        out.push(New { at_us, watts: reading.power_uw * 1e-6 });
                    }
                }
            }
        }
        Ok(true)
    }

    fn by_lattice(&mut self, block: &[Reading], lattice: Lattice, out: &mut Vec<New>) {
        for reading in block {
            let at_us = (reading.at_us - self.origin_us) as f64;
            let renewed = lattice.moment(lattice.renewal(at_us));
            if renewed > self.last_us + 0.5 * lattice.period_us {
                self.last_us = renewed;
                out.push(New { at_us: renewed, watts: reading.power_uw * 1e-6 });
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stamp;
    use shared::random::Random;
    use std::fmt::Write;

    fn log(count: usize, jump_at: usize, jump_us: i64) -> String {
        let mut random = Random::new(1);
        let mut text = String::new();
        let mut value = 0.0;
        let mut renewal = -1;
        for i in 0..count {
            let at = i as i64 * 1_300;
            if at / 2_200 != renewal {
                renewal = at / 2_200;
                value = 1200.0 + 8.0 * (random.normal() * 10.0).round();
            }
            let shown = 1_738_071_505_000_000 + at + if i >= jump_at { jump_us } else { 0 };
            writeln!(text, "{},5000.0,{value:?}", stamp::format(shown)).expect("string");
        }
        text
    }

    #[test]
    fn refresh_quantum_and_new_readings() {
        let text = log(6000, usize::MAX, 0);
        let survey = survey(text.as_bytes(), Known::default()).expect("memory");
        let sensor = &survey.sensor;
        assert!((sensor.refresh_ms.expect("found") - 2.2).abs() < 0.001, "{sensor:?}");
        assert_eq!((sensor.quantum_ma, sensor.read_period_ms), (Some(8.0), 1.3));
        let (mut new, mut raw) = (Vec::new(), Vec::new());
        let mut fresh = Fresh::new(text.as_bytes(), &survey);
        while fresh.next_block(&mut new, &mut raw).expect("memory") {}
        assert_eq!((raw.len(), fresh.locked.1), (6000, 0));
        let renewals = 6000.0 * 1.3 / 2.2;
        assert!((new.len() as f64 - renewals).abs() < 6.0, "{} {renewals}", new.len());
        assert!(new.iter().all(|n| (n.at_us / 2200.0 - (n.at_us / 2200.0).round()).abs() < 0.06));
    }

    #[test]
    fn a_clock_set_back_is_undone() {
        let text = log(3000, 1000, -3_600_000_000);
        let survey = survey(text.as_bytes(), Known::default()).expect("memory");
        assert_eq!(survey.sensor.clock_backwards, 1);
        assert!((survey.end_us - survey.origin_us - 2999 * 1_300).abs() < 2_000);
        assert_eq!(survey.stretches.len(), 2);
    }

    #[test]
    fn what_is_known_wins() {
        let known = Known { refresh_us: Some(1e3), window_us: Some(5e2), lag_us: Some(0.0) };
        let survey = survey(log(100, usize::MAX, 0).as_bytes(), known).expect("memory");
        assert_eq!((survey.sensor.refresh_ms, survey.sensor.window_ms), (Some(1.0), Some(0.5)));
        let empty = super::survey(b"".as_slice(), Known::default()).expect("memory");
        assert_eq!(empty.sensor.readings, 0);
    }
}
