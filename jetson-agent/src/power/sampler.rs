//! Sampling on a thread of its own.

use super::{Pacing, PowerSource, RefreshDetector, SourceError};
use crate::sys;
use shared::run_folder::{Event, PowerSetup, Record, Sample, SamplingReport, Total};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};

/// How to sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SamplerOptions {
    /// Readings a second of a polled source; `None` reads it back to back.
    pub rate_hz: Option<f64>,
    /// Whether to ask for real-time priority. Only ever with a set rate or a stream: a thread that reads back to back
    /// at real-time priority would starve a core.
    pub realtime: bool,
}

/// Samples are handed on this often.
const HAND_ON_NS: u64 = 100_000_000;
/// Failures in a row, and for how long, after which a source counts as lost.
const FAILURES: u64 = 10;
const FAILING_NS: u64 = 1_000_000_000;

/// What the session can see while sampling goes on.
#[derive(Debug, Default)]
pub struct Live {
    watts: AtomicU64,
    readings: AtomicU64,
    lost: AtomicBool,
    waiting: OnceLock<Thread>,
}

impl Live {
    /// The last reading of the total in W; NaN before the first.
    #[must_use]
    pub fn watts(&self) -> f64 {
        if self.readings() == 0 { f64::NAN } else { f64::from_bits(self.watts.load(Ordering::Relaxed)) }
    }

    /// Readings so far.
    #[must_use]
    pub fn readings(&self) -> u64 {
        self.readings.load(Ordering::Relaxed)
    }

    /// Whether the source is gone.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }

    /// Has the first thread that asks woken out of [`std::thread::park`] when the source is lost.
    pub fn wake_when_lost(&self, thread: Thread) {
        // A second one looks for itself.
        let _ = self.waiting.set(thread);
    }
}

/// A running sampling thread.
pub struct Sampler {
    stop: Arc<AtomicBool>,
    live: Arc<Live>,
    thread: JoinHandle<Outcome>,
}

/// What sampling came to.
pub struct Outcome {
    /// How well it went.
    pub report: SamplingReport,
    /// The refresh period seen for each rail, ns.
    pub refresh_ns: Vec<Option<u64>>,
    /// Why it ended early, if it did.
    pub lost: Option<SourceError>,
    /// The source, for another run.
    pub source: Box<dyn PowerSource>,
}

impl Sampler {
    /// Starts sampling into a channel of records.
    #[must_use]
    pub fn start(source: Box<dyn PowerSource>, options: SamplerOptions, records: Sender<Record>) -> Self {
        let (stop, live) = (Arc::new(AtomicBool::new(false)), Arc::new(Live::default()));
        let task = Task { source, options, records, stop: Arc::clone(&stop), live: Arc::clone(&live) };
        Self { stop, live, thread: std::thread::spawn(move || task.run()) }
    }

    /// What can be seen from outside.
    #[must_use]
    pub fn live(&self) -> Arc<Live> {
        Arc::clone(&self.live)
    }

    /// Stops and waits.
    ///
    /// # Errors
    /// When the thread panicked: a fault of the program.
    pub fn finish(self) -> Result<Outcome, SourceError> {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().map_err(|_| SourceError::Lost("the sampling thread failed".into()))
    }
}

struct Task {
    source: Box<dyn PowerSource>,
    options: SamplerOptions,
    records: Sender<Record>,
    stop: Arc<AtomicBool>,
    live: Arc<Live>,
}

/// Running statistics of the time between readings (Welford).
#[derive(Debug, Default)]
struct Intervals {
    /// Whether the source sets the times: one lost reading then shows, while a register is read when the scheduler lets us.
    stream: bool,
    last_ns: Option<u64>,
    count: u64,
    mean_ns: f64,
    squares: f64,
    longest_ns: u64,
    missed: u64,
}

impl Intervals {
    fn add(&mut self, t_ns: u64, period_ns: Option<f64>) {
        if let Some(last) = self.last_ns {
            let interval = t_ns.saturating_sub(last);
            let expected = period_ns.or((self.count >= 100).then_some(self.mean_ns));
            let limit = if self.stream { 1.5 } else { 2.0 };
            if let Some(expected) = expected.filter(|expected| interval as f64 > limit * expected) {
                self.missed += ((interval as f64 / expected).round() as u64).saturating_sub(1);
            }
            self.count += 1;
            let delta = interval as f64 - self.mean_ns;
            self.mean_ns += delta / self.count as f64;
            self.squares += delta * (interval as f64 - self.mean_ns);
            self.longest_ns = self.longest_ns.max(interval);
        }
        self.last_ns = Some(t_ns);
    }

    fn report(&self) -> SamplingReport {
        let count = self.count.max(1) as f64;
        SamplingReport {
            achieved_hz: if self.mean_ns > 0.0 { 1e9 / self.mean_ns } else { 0.0 },
            jitter_us: (self.squares / count).sqrt() * 1e-3,
            longest_gap_ms: self.longest_ns as f64 * 1e-6,
            missed: self.missed,
            ..SamplingReport::default()
        }
    }
}

/// A running mean.
#[derive(Debug, Default)]
struct Mean {
    sum: f64,
    count: u64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        if value.is_finite() {
            (self.sum, self.count) = (self.sum + value, self.count + 1);
        }
    }

    fn value(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum / self.count as f64)
    }
}

impl Task {
    fn run(mut self) -> Outcome {
        let period_ns = self.options.rate_hz.map(|hz| 1e9 / hz);
        let polled = self.source.pacing() == Pacing::Poll;
        let wants = self.options.realtime && (!polled || period_ns.is_some());
        let realtime = wants && sys::try_realtime();
        let rails = self.source.setup().rails.len();
        let total = self.source.setup().total.clone();
        let mut detectors = vec![RefreshDetector::default(); rails];
        let mut intervals = Intervals { stream: !polled, ..Intervals::default() };
        let (mut batch, mut failed, mut lost) = (Vec::new(), 0_u64, None);
        let (mut failing, mut failing_since) = (0_u64, 0_u64);
        let (start_ns, start_cpu) = (sys::monotonic_ns(), sys::process_cpu_ns());
        let (mut due_ns, mut handed_on) = (start_ns, start_ns);
        let mut whole = Mean::default();
        while !self.stop.load(Ordering::Relaxed) {
            let before = batch.len();
            match self.source.read(&mut batch) {
                Ok(()) => failing = 0,
                Err(SourceError::Transient(message)) => {
                    let now = sys::monotonic_ns();
                    failed += 1;
                    failing += 1;
                    if failing == 1 {
                        failing_since = now;
                    }
                    if failing >= FAILURES && now - failing_since > FAILING_NS {
                        lost = Some(SourceError::Lost(format!("{message} ({failing} readings in a row)")));
                    }
                }
                Err(error) => lost = Some(error),
            }
            for sample in &batch[before..] {
                if sample.rail == 0 {
                    intervals.add(sample.t_ns, if polled { period_ns } else { None });
                }
                if let Some(detector) = detectors.get_mut(usize::from(sample.rail)) {
                    detector.add(sample);
                }
            }
            if let Some(watts) = self.show(&batch[before..], &total) {
                whole.add(watts);
            }
            let now = sys::monotonic_ns();
            if now - handed_on >= HAND_ON_NS || batch.len() >= 8192 || lost.is_some() {
                handed_on = now;
                if !batch.is_empty() {
                    // The next batch is as large as this one, or nearly so.
                    let next = Vec::with_capacity(batch.len() + batch.len() / 8);
                    if self.records.send(Record::Samples(std::mem::replace(&mut batch, next))).is_err() {
                        break;
                    }
                }
            }
            if let Some(error) = &lost {
                self.tell(now, error);
                break;
            }
            if polled {
                if let Some(period) = period_ns {
                    due_ns += period as u64;
                    if due_ns < now {
                        // Late by whole periods: they are missed, not made up for in a burst.
                        due_ns += (now - due_ns).div_ceil((period as u64).max(1)) * period as u64;
                    }
                    sys::sleep_until(due_ns);
                } else if failing > 0 {
                    sys::sleep_until(now + 1_000_000);
                }
            }
        }
        if !batch.is_empty() {
            // The receiver may have ended first; then there is nobody to tell.
            let _ = self.records.send(Record::Samples(batch));
        }
        let wall = (sys::monotonic_ns() - start_ns).max(1);
        let refresh_ns: Vec<Option<u64>> = detectors.iter().map(RefreshDetector::period_ns).collect();
        let cpu_s = (sys::process_cpu_ns() - start_cpu) as f64 * 1e-9;
        let report = SamplingReport {
            agent_cpu_s: Some(cpu_s),
            agent_joules_at_most: whole.value().filter(|_| total != Total::Unknown).map(|watts| watts * cpu_s),
            failed,
            refresh_ms: refresh_ns.iter().flatten().min().map(|ns| *ns as f64 * 1e-6),
            cpu_share: cpu_s * 1e9 / wall as f64,
            realtime,
            rejected: self.source.rejected(),
            notes: self.source.notes(),
            ..intervals.report()
        };
        Outcome { report, refresh_ns, lost, source: self.source }
    }

    /// Shows the last reading to those who watch; the total's power, if it is complete.
    fn show(&self, samples: &[Sample], total: &Total) -> Option<f64> {
        let last = samples.last()?;
        let of = |rail: u8| samples.iter().rev().find(|s| s.rail == rail).map(|s| s.power().0);
        let watts = match total {
            Total::Rail(rail) => of(*rail),
            Total::Sum(rails) => rails.iter().map(|rail| of(*rail)).sum(),
            Total::Unknown => Some(last.power().0),
        };
        if let Some(watts) = watts {
            self.live.watts.store(watts.to_bits(), Ordering::Relaxed);
        }
        let readings = samples.iter().filter(|s| s.rail == last.rail).count() as u64;
        self.live.readings.fetch_add(readings, Ordering::Relaxed);
        watts
    }

    fn tell(&self, t_ns: u64, error: &SourceError) {
        self.live.lost.store(true, Ordering::Relaxed);
        if let Some(thread) = self.live.waiting.get() {
            thread.unpark();
        }
        let kind = if *error == SourceError::Ended { "source_ended" } else { "sensor_lost" };
        let _ = self.records.send(Record::Event(Event { t_ns, kind: kind.into(), message: error.to_string() }));
    }
}

/// Takes readings for a while without a session, for listings and checks.
///
/// # Errors
/// When the source is lost before anything was read.
pub fn sample_briefly(
    source: Box<dyn PowerSource>,
    options: SamplerOptions,
    duration: std::time::Duration,
) -> Result<(Vec<Sample>, Outcome, PowerSetup), SourceError> {
    let setup = source.setup().clone();
    let (sender, receiver) = std::sync::mpsc::channel();
    let sampler = Sampler::start(source, options, sender);
    let live = sampler.live();
    let end = sys::monotonic_ns() + sys::ns(duration);
    while sys::monotonic_ns() < end && !live.is_lost() {
        sys::sleep_until(end.min(sys::monotonic_ns() + 20_000_000));
    }
    let outcome = sampler.finish()?;
    let samples: Vec<Sample> =
        receiver.try_iter().filter_map(|r| if let Record::Samples(s) = r { Some(s) } else { None }).flatten().collect();
    match (&outcome.lost, samples.is_empty()) {
        (Some(error), true) => Err(error.clone()),
        _ => Ok((samples, outcome, setup)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_count_what_was_missed() {
        let mut intervals = Intervals::default();
        for i in 0..100_u64 {
            intervals.add(i * 1_000_000, Some(1e6));
        }
        intervals.add(104_000_000, Some(1e6));
        let report = intervals.report();
        assert_eq!(report.missed, 4);
        assert!((report.longest_gap_ms - 5.0).abs() < 1e-9);
        assert!((report.achieved_hz - 1e3 * 100.0 / 104.0).abs() < 1e-6);
    }

    #[test]
    fn a_single_lost_reading_of_a_stream_is_counted() {
        let mut intervals = Intervals { stream: true, ..Intervals::default() };
        for i in (0..400_u64).filter(|i| *i != 200 && *i != 300) {
            intervals.add(i * 1_000_000, None);
        }
        assert_eq!(intervals.report().missed, 2);
    }
}
