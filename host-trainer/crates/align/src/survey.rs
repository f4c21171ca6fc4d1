//! What a first pass over the power log tells about the sensor.

use super::clock::{ClockUnwrap, Stretch, since_us};
use super::refresh::{self, BLOCK};
use super::response::scaled;
use super::span::Span;
use super::step::{self, StepAnswer};
use super::trace::Trace;
use shared::run_folder::{Diagnostics, PowerReading, PowerReadings};
use shared::sensor::{SensorFamily, SensorResponse};
use shared::units::{Micros, Milliamps, Millis, Watts};
use std::io;

/// Readings of the log's beginning that are searched for a step.
const HEAD: usize = 1 << 16;

/// What was found out about the sensor.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize)]
pub struct SensorReport {
    /// Readings in the log.
    pub readings: u64,
    /// Readings that say the same as the one before.
    pub repeated: u64,
    /// Median time between readings; none for fewer than two.
    #[serde(rename = "read_period_ms")]
    pub read_period: Option<Millis>,
    /// Step of the current: the largest that all readings of the log's beginning are multiples of.
    #[serde(rename = "quantum_ma")]
    pub quantum: Option<Milliamps>,
    /// The sensor's own noise: scatter of readings in the quietest stretches of the log's beginning, and no less than rounding.
    #[serde(rename = "noise_w")]
    pub noise: Option<Watts>,
    /// The response as far as it is known. Its refresh is absent where every reading is new; its delay is known only once a
    /// fit found it.
    #[serde(flatten)]
    pub response: SensorResponse,
    /// The chip's family and settings, where the agent recorded them; its times are corrected for the chip's oscillator.
    pub family: Option<SensorFamily>,
    /// How the log answered its largest step, if there is one.
    pub step: Option<StepAnswer>,
    /// Where window and lag come from: `manifest`, `given`, `step in the log`, `fit`, `unknown`.
    pub known_from: String,
    /// Times the clock of the log went backwards.
    pub clock_backwards: u64,
}

impl SensorReport {
    /// Time between readings that can be new: the renewal or the reading, whichever is slower; 0 where neither is known.
    #[must_use]
    pub fn sample_period(&self) -> Micros {
        let read = self.read_period.map(Micros::from).unwrap_or_default();
        self.response.refresh.filter(|refresh| *refresh > read).unwrap_or(read)
    }

    /// The chip's family, if readings come slower than its register renews: where a conversion lies within the cycle is
    /// not seen then.
    pub(crate) fn aliased(&self) -> Option<SensorFamily> {
        let read = Micros::from(self.read_period?);
        self.family.filter(|family| family.refresh().0 <= read.0 * 1.02)
    }

    /// Time constant of the lag; 0 where none is known.
    #[must_use]
    pub fn lag(&self) -> Micros {
        self.response.lag.unwrap_or_default()
    }
}

/// Result of the first pass over a power log.
#[derive(Debug, Clone, Default)]
pub struct Survey {
    /// What was found out about the sensor.
    pub sensor: SensorReport,
    /// Readings that could not be read.
    pub diagnostics: Diagnostics,
    /// Stretches in which the clock ran forwards.
    pub stretches: Vec<Stretch>,
    /// The power over the whole log.
    pub trace: Trace,
    /// Moment of the first reading, Unix ns.
    pub origin_ns: i64,
    /// Moment of the last, unwrapped.
    pub end_ns: i64,
    /// The power over the span that was asked about.
    pub span: Span,
}

/// Reads a power log once and finds out what it tells about its sensor. What is known beforehand, from a manifest or the
/// command line, wins over what the log shows.
///
/// ```
/// use align::survey::survey;
/// use shared::run_folder::PowerLogReader;
/// use shared::sensor::SensorResponse;
///
/// let log = b"20241121-00:00:01.000,5000.0,1200.0\n20241121-00:00:01.002,5000.0,1208.0\n";
/// let found = survey(PowerLogReader::new(log.as_slice()), SensorResponse::default())?;
/// assert_eq!((found.sensor.readings, found.sensor.read_period.map(|p| p.0)), (2, Some(2.0)));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the log cannot be read.
pub fn survey(log: impl PowerReadings, known: SensorResponse) -> io::Result<Survey> {
    survey_span(log, &Known { response: known, ..Known::default() })
}

/// What is known of a log before it is read.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Known {
    /// The sensor's response.
    pub response: SensorResponse,
    /// The chip's family, which says more.
    pub family: Option<SensorFamily>,
    /// A span that is looked at besides, from one moment to another in Unix ns of the log's own stamps.
    pub bounds_ns: Option<(i64, i64)>,
}

/// As [`survey`], with more known beforehand.
///
/// # Errors
/// When the log cannot be read.
pub fn survey_span(mut log: impl PowerReadings, known: &Known) -> io::Result<Survey> {
    let bounds_ns = known.bounds_ns;
    let mut unwrap = ClockUnwrap::default();
    let mut head: Vec<PowerReading> = Vec::new();
    let mut survey = Survey { span: Span::new(bounds_ns), ..Survey::default() };
    let mut chunk = Vec::new();
    let mut last: Option<PowerReading> = None;
    loop {
        log.read_chunk(&mut chunk)?;
        if chunk.is_empty() {
            break;
        }
        for reading in &chunk {
            survey.span.add(reading);
            let reading = unwrap.reading(*reading);
            if survey.sensor.readings == 0 {
                survey.origin_ns = reading.wall_ns;
            }
            survey.sensor.readings += 1;
            survey.sensor.repeated += u64::from(last.is_some_and(|l| l.microwatts() == reading.microwatts()));
            survey.trace.add(&reading);
            survey.end_ns = reading.wall_ns;
            last = Some(reading);
            if head.len() < HEAD {
                head.push(reading);
            }
        }
    }
    survey.diagnostics = log.diagnostics();
    survey.stretches = unwrap.stretches;
    survey.sensor.clock_backwards = survey.stretches.len().saturating_sub(1) as u64;
    describe(&mut survey, &head, known);
    Ok(survey)
}

fn describe(survey: &mut Survey, head: &[PowerReading], all: &Known) {
    let known = all.response;
    let origin = survey.origin_ns;
    let sensor = &mut survey.sensor;
    let mut steps: Vec<f64> = head.windows(2).map(|w| since_us(w[1].wall_ns, w[0].wall_ns)).collect();
    steps.sort_unstable_by(f64::total_cmp);
    sensor.read_period = steps.get(steps.len() / 2).copied().map(|read| Micros(read).into());
    sensor.quantum = quantum(head);
    sensor.noise = noise(head, sensor.quantum);
    // The busiest of some blocks: a block of idle time shows few changes.
    let found = head.chunks(BLOCK).take(24).filter_map(|block| refresh::find(block, origin));
    let mut periods: Vec<f64> = found.map(|l| l.period_us).collect();
    periods.sort_by(f64::total_cmp);
    let found = periods.get(periods.len() / 2).copied().map(Micros);
    let times: Vec<f64> = head.iter().map(|r| since_us(r.wall_ns, origin)).collect();
    let watts: Vec<f64> = head.iter().map(|r| r.power().0).collect();
    sensor.step = step::answer(&times, &watts);
    let nominal = all.family.map(SensorFamily::refresh).or(known.refresh);
    // A chip's oscillator is off by a few percent: what the log shows is better than the nominal period.
    let near = |found: &Micros| nominal.is_none_or(|n| (*found / n - 1.0).abs() < 0.1);
    let known_refresh = found.filter(near).filter(|_| all.family.is_some()).or(nominal);
    sensor.response.refresh = known_refresh.or(found);
    sensor.family =
        all.family.map(|family| scaled(family, sensor.response.refresh.map_or(1.0, |r| r / family.refresh())));
    let slow = sensor.sample_period() * 2.0;
    let (window, lag) = match sensor.step {
        Some(StepAnswer::Lag(lag)) if lag > slow => (None, Some(lag)),
        Some(StepAnswer::Ramp(window)) if window > slow => (Some(window), Some(Micros(0.0))),
        Some(_) => (None, Some(Micros(0.0))),
        None => (None, None),
    };
    let shown = SensorResponse { refresh: found, window, lag, delay: None };
    sensor.response = SensorResponse { refresh: known_refresh, ..known }.or(shown);
    sensor.known_from = match (known.lag.or(known.window), sensor.step) {
        (Some(_), _) => "given",
        (None, Some(_)) => "step in the log",
        (None, None) => "unknown",
    }
    .into();
}

/// Scatter of the quietest tenth of blocks of readings; at least what rounding to the quantum makes.
fn noise(readings: &[PowerReading], quantum: Option<Milliamps>) -> Option<Watts> {
    const READINGS: usize = 256;
    let scatter = |block: &[PowerReading]| {
        let watts = |r: &PowerReading| r.power().0;
        let mean = block.iter().map(watts).sum::<f64>() / block.len() as f64;
        (block.iter().map(|r| (watts(r) - mean).powi(2)).sum::<f64>() / (block.len() - 1) as f64).sqrt()
    };
    let mut all: Vec<f64> = readings.chunks_exact(READINGS).map(scatter).collect();
    all.sort_by(f64::total_cmp);
    let rounding =
        quantum.map_or(0.0, |step| step.0 * readings.first().map_or(0.0, |r| r.voltage.0) * 1e-6 / 12_f64.sqrt());
    all.get(all.len() / 10).map(|quiet| Watts(quiet.max(rounding)))
}

/// Greatest step of which all differences of the current are multiples, to a hundredth of a milliampere; `None` when
/// there is none above a tenth.
fn quantum(readings: &[PowerReading]) -> Option<Milliamps> {
    let unit = |r: &PowerReading| (r.current.0 * 100.0).round() as i64;
    let mut divisor = 0_i64;
    for pair in readings.windows(2) {
        let (mut a, mut b) = (divisor, (unit(&pair[1]).saturating_sub(unit(&pair[0]))).saturating_abs());
        while b != 0 {
            (a, b) = (b, a % b);
        }
        divisor = a;
    }
    (divisor >= 10).then(|| Milliamps(divisor as f64 / 100.0))
}

#[cfg(test)]
mod tests {
    use super::*;
    use shared::run_folder::PowerLogReader;

    /// Readings every 1.3 ms of a register that is renewed every 2.2 ms.
    fn log(count: usize, jump_at: usize, jump_ns: i64) -> String {
        crate::test_logs::renewed(count, |i| if i >= jump_at { jump_ns } else { 0 })
    }

    #[test]
    fn refresh_and_quantum() {
        let text = log(6000, usize::MAX, 0);
        let survey = survey(PowerLogReader::new(text.as_bytes()), SensorResponse::default()).expect("memory");
        let sensor = &survey.sensor;
        assert!((sensor.response.refresh.expect("found").0 - 2200.0).abs() < 1.0, "{sensor:?}");
        assert_eq!((sensor.quantum, sensor.read_period), (Some(Milliamps(8.0)), Some(Millis(1.3))));
    }

    #[test]
    fn a_clock_set_back_is_undone() {
        let text = log(3000, 1000, -3_600_000_000_000);
        let survey = survey(PowerLogReader::new(text.as_bytes()), SensorResponse::default()).expect("memory");
        assert_eq!(survey.sensor.clock_backwards, 1);
        assert!((survey.end_ns - survey.origin_ns - 2999 * 1_300_000).abs() < 2_000_000);
        assert_eq!(survey.stretches.len(), 2);
    }

    #[test]
    fn what_is_known_wins() {
        let known = SensorResponse {
            refresh: Some(Micros(1e3)),
            window: Some(Micros(5e2)),
            lag: Some(Micros(0.0)),
            delay: None,
        };
        let survey = survey(PowerLogReader::new(log(100, usize::MAX, 0).as_bytes()), known).expect("memory");
        assert_eq!(survey.sensor.response, known);
        let empty = super::survey(PowerLogReader::new(b"".as_slice()), SensorResponse::default()).expect("memory");
        assert_eq!((empty.sensor.readings, empty.sensor.read_period), (0, None));
        let one =
            super::survey(PowerLogReader::new(log(1, 9, 0).as_bytes()), SensorResponse::default()).expect("memory");
        assert_eq!((one.sensor.readings, one.sensor.read_period), (1, None));
    }
}
