//! What an engine runner is given, what it observes, and how it fails.

use crate::sys;
use shared::run_folder::{Event, InferenceSpan, LayerRun, LayerTimes, Pass, PassSpan, Record, RunnerSetup};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::time::Duration;

/// Why a runner failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RunnerError {
    /// The engine, the model or an option is wrong.
    #[error("{message}")]
    Input {
        /// What is wrong.
        message: String,
        /// The next step.
        help: String,
    },
    /// The runner, the driver or the device failed or is not there.
    #[error("{message}")]
    Device {
        /// What failed.
        message: String,
        /// The next step.
        help: String,
    },
}

/// What is to be run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Job {
    /// A serialised engine.
    pub engine: Option<PathBuf>,
    /// An ONNX model.
    pub onnx: Option<PathBuf>,
    /// Input shapes by tensor; empty takes those of the model.
    pub shapes: Vec<(String, Vec<i64>)>,
    /// `fp32`, `fp16`, `int8`, `best`.
    pub precision: String,
    /// Warm-up cycles.
    pub warmup: u32,
    /// Cycles of the power pass.
    pub runs: u32,
    /// Cycles of the profiled pass.
    pub profiled: u32,
    /// How long the host waits between two inferences on top of its own gap.
    pub pause: Duration,
    /// About how long the power pass and the profiled pass may take each. `runs` and `profiled` are then upper limits. It needs
    /// the pace of the warm-up, which `trtexec` does not report.
    pub pass_time: Option<Duration>,
    /// Where the runner may keep its files: logs, a built engine.
    pub work: PathBuf,
}

impl Job {
    /// The pause as a manifest records it.
    #[must_use]
    pub fn pause_us(&self) -> Option<f64> {
        (!self.pause.is_zero()).then_some(self.pause.as_secs_f64() * 1e6)
    }

    /// How many of some cycles fit into the time of a pass, by the warm-up's pace: never fewer than a mean and its scatter need.
    ///
    /// ```
    /// use jetson_agent::runner::Job;
    /// use shared::run_folder::{Pass, PassSpan};
    /// use std::time::Duration;
    ///
    /// let job = Job { pass_time: Some(Duration::from_secs(1)), ..Job::default() };
    /// let warmup = PassSpan { pass: Pass::Warmup, cycles: 5, start_ns: 0, end_ns: 50_000_000, uncertainty_ns: 0 };
    /// assert_eq!(job.cycles_that_fit(1_000, Some(&warmup)), 100);
    /// assert_eq!(job.cycles_that_fit(1_000, None), 1_000);
    /// ```
    #[must_use]
    pub fn cycles_that_fit(&self, cycles: u32, warmup: Option<&PassSpan>) -> u32 {
        /// Fewest cycles of a pass that is cut short.
        const LEAST: u32 = 12;
        let (Some(time), Some(warmup)) = (self.pass_time, warmup.filter(|span| span.cycles > 0)) else { return cycles };
        let pace = warmup.end_ns.saturating_sub(warmup.start_ns) as f64 / f64::from(warmup.cycles);
        let fitting = sys::ns(time) as f64 / (pace + sys::ns(self.pause) as f64).max(1.0);
        cycles.min((fitting as u32).max(LEAST))
    }

    /// Waits for the pause, if there is one.
    pub fn wait(pause: Duration) {
        if !pause.is_zero() {
            sys::sleep_until(sys::monotonic_ns() + sys::ns(pause));
        }
    }
}

/// An engine that is ready to run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Prepared {
    /// What runs it, for the manifest.
    pub setup: RunnerSetup,
    /// The engine info, as TensorRT wrote it.
    pub engine_info: Option<Vec<u8>>,
    /// Layer names in execution order; may be empty until the profiled pass.
    pub layers: Vec<String>,
    /// How layer times are taken.
    pub layer_times: LayerTimes,
}

/// Where a runner puts what it measures, and where it learns that it should stop.
#[derive(Clone)]
pub struct Observer {
    records: Sender<Record>,
    stop: Arc<AtomicBool>,
    done: Arc<AtomicU64>,
}

impl Observer {
    /// Into a channel of records; `stop` ends the pass after the cycle under way, `done` counts cycles.
    #[must_use]
    pub fn new(records: Sender<Record>, stop: Arc<AtomicBool>, done: Arc<AtomicU64>) -> Self {
        Self { records, stop, done }
    }

    /// Whether to end after the cycle under way.
    #[must_use]
    pub fn should_stop(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Inferences that are done.
    pub fn inferences(&self, pass: Pass, spans: Vec<InferenceSpan>) {
        self.done.fetch_add(spans.len() as u64, Ordering::Relaxed);
        self.send(Record::Inferences(pass, spans));
    }

    /// Layers of one cycle.
    pub fn layers(&self, cycle: u32, runs: Vec<LayerRun>) {
        self.send(Record::Layers { cycle, runs });
    }

    /// Something that happened.
    pub fn event(&self, t_ns: u64, kind: &str, message: String) {
        self.send(Record::Event(Event { t_ns, kind: kind.into(), message }));
    }

    /// Counts cycles that are reported only at the end of a pass.
    pub fn progress(&self, cycles: u64) {
        self.done.store(cycles, Ordering::Relaxed);
    }

    fn send(&self, record: Record) {
        // The log's writer ends before the runner only when the disk failed, and has then set `stop`.
        let _ = self.records.send(record);
    }
}

/// Runs engines. Every implementation passes `tests/runner_conformance.rs`.
pub trait EngineRunner {
    /// Builds or loads the engine.
    ///
    /// # Errors
    /// [`RunnerError`].
    fn prepare(&mut self, job: &Job, stop: &Arc<AtomicBool>) -> Result<Prepared, RunnerError>;

    /// Runs one pass to its end, or to the end of the cycle in which it is asked to stop. `cycles` may be fewer than asked
    /// for then.
    ///
    /// # Errors
    /// [`RunnerError`]; what was observed before stays valid.
    fn run(&mut self, pass: Pass, cycles: u32, observer: &Observer) -> Result<PassSpan, RunnerError>;

    /// Layer names, once they are known.
    fn layers(&self) -> Vec<String>;

    /// The engine info of what was profiled, from runners whose engine may differ from the one that [`prepare`](Self::prepare) saw.
    fn engine_info(&self) -> Option<Vec<u8>> {
        None
    }

    /// Content of `truth.json`, from runners that know it.
    fn truth(&self) -> Option<Vec<u8>> {
        None
    }
}
