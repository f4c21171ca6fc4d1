//! The simulated runner in real time: sleeps as long as the load says and draws on the simulated board.

use super::{EngineRunner, Job, Observer, Prepared, RunnerError};
use crate::power::SimulatedBoard;
use crate::sys;
use shared::random::Random;
use shared::run_folder::{InferenceSpan, LayerStamp, LayerTimes, Pass, PassSpan, RunnerSetup};
use shared::units::Millis;
use simulate::{CyclePlanner, Load, SensorModel, Truth};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

/// How layer times are reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SimulatedTiming {
    /// What stamps mark.
    pub stamp: LayerStamp,
    /// Whether the power pass reports layers.
    pub with_power: bool,
}

/// Runs a [`Load`].
pub struct SimulatedRunner {
    board: SimulatedBoard,
    planner: CyclePlanner,
    stamps: Random,
    timing: SimulatedTiming,
    truth: Truth,
    engine_info: Option<Vec<u8>>,
    next_ns: u64,
    /// The cycle of the power pass at which to fail; a fault for tests.
    fail_at: Option<u32>,
    /// The cycle of the power pass that never ends; a fault for tests.
    hang_at: Option<u32>,
}

impl SimulatedRunner {
    /// For a load on a board. `engine_info` is kept in the run folder.
    #[must_use]
    pub fn new(
        board: SimulatedBoard,
        load: Load,
        sensor: SensorModel,
        timing: SimulatedTiming,
        seed: u64,
        engine_info: Option<Vec<u8>>,
    ) -> Self {
        let mut random = Random::new(seed);
        let truth = Truth::of(&load, Some(sensor), seed);
        let planner = CyclePlanner::new(load, random.fork(1));
        Self {
            board,
            planner,
            stamps: random.fork(4),
            timing,
            truth,
            engine_info,
            next_ns: 0,
            fail_at: None,
            hang_at: None,
        }
    }

    /// Makes the runner die in a cycle of the power pass.
    pub fn fail_at(&mut self, cycle: u32) {
        self.fail_at = Some(cycle);
    }

    /// Makes a cycle of the power pass never end, whatever it is asked.
    pub fn hang_at(&mut self, cycle: u32) {
        self.hang_at = Some(cycle);
    }
}

/// What the manifest says of a simulated runner.
#[must_use]
pub(crate) fn describe(job: &Job, load: &Load, timing: SimulatedTiming) -> Prepared {
    Prepared {
        setup: RunnerSetup {
            runner: "simulated".into(),
            source: job.engine.as_ref().or(job.onnx.as_ref()).map(|path| path.display().to_string()),
            precision: Some(job.precision.clone()),
            shapes: job.shapes.iter().cloned().collect(),
            batch: job.shapes.first().and_then(|(_, dims)| u32::try_from(*dims.first()?).ok()),
            warmup: job.warmup,
            runs: job.runs,
            pause_us: job.pause_us(),
            ..RunnerSetup::default()
        },
        engine_info: None,
        layers: load.layers.iter().map(|layer| layer.name.clone()).collect(),
        layer_times: LayerTimes { stamp: timing.stamp, with_power: timing.with_power, cycles_per_entry: 1 },
    }
}

impl EngineRunner for SimulatedRunner {
    fn prepare(&mut self, job: &Job, _: &Arc<AtomicBool>) -> Result<Prepared, RunnerError> {
        self.planner.load().check().map_err(|message| RunnerError::Input {
            message,
            help: "correct the load that is to be simulated".into(),
        })?;
        self.planner.pause(Millis(job.pause.as_secs_f64() * 1e3));
        let prepared = describe(job, self.planner.load(), self.timing);
        Ok(Prepared { engine_info: self.engine_info.clone(), ..prepared })
    }

    fn run(&mut self, pass: Pass, cycles: u32, observer: &Observer) -> Result<PassSpan, RunnerError> {
        let start_ns = sys::monotonic_ns();
        let (mut end_ns, mut done) = (start_ns, 0);
        self.next_ns = start_ns;
        let reports = pass == Pass::Profiled || (pass == Pass::Power && self.timing.with_power);
        for number in 0..cycles {
            if observer.should_stop() {
                break;
            }
            if pass == Pass::Power && self.fail_at == Some(number) {
                return Err(RunnerError::Device {
                    message: format!("the simulated engine failed in cycle {number}"),
                    help: "this failure was asked for".into(),
                });
            }
            while pass == Pass::Power && self.hang_at == Some(number) {
                std::thread::park();
            }
            let cycle = self.planner.next_cycle(sys::monotonic_ns().max(self.next_ns));
            self.board.run(&cycle);
            sys::sleep_until(cycle.end_ns);
            if pass == Pass::Power {
                self.truth.add_cycle(&cycle);
            }
            let profiler = self.planner.load().profiler;
            if profiler.loses(&mut self.stamps) {
                observer.progress(u64::from(number) + 1);
            } else {
                if reports {
                    observer.layers(number, cycle.report(&profiler, self.timing.stamp, &mut self.stamps));
                }
                observer.inferences(
                    pass,
                    vec![InferenceSpan { cycle: number, start_ns: cycle.start_ns, end_ns: cycle.end_ns }],
                );
            }
            (self.next_ns, end_ns, done) = (cycle.next_ns, cycle.next_ns, number + 1);
            sys::sleep_until(cycle.next_ns);
        }
        Ok(PassSpan { pass, cycles: done, start_ns, end_ns, uncertainty_ns: 0 })
    }

    fn layers(&self) -> Vec<String> {
        self.planner.load().layers.iter().map(|layer| layer.name.clone()).collect()
    }

    fn truth(&self) -> Option<Vec<u8>> {
        let mut truth = self.truth.clone();
        truth.finish();
        serde_json::to_vec_pretty(&truth).ok()
    }
}
