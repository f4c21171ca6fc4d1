//! Choosing a runner and what the simulated one simulates.

use super::source_args::SourceSpec;
use crate::power::{SimulatedBoard, SimulatedSource};
use crate::runner::onnxruntime::OnnxRuntime;
use crate::runner::{EngineRunner, SimulatedRunner, SimulatedTiming, trtexec};
use clap::{Args, ValueEnum};
use shared::failure::{Failure, Kind};
use shared::fs::read_capped;
use shared::limits;
use shared::run_folder::LayerStamp;
use shared::sensor::SensorFamily;
use shared::units::Millis;
use simulate::{Load, PassPlan, PollModel, SensorModel, VirtualRun};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The runners.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum RunnerKind {
    /// TensorRT's command-line program.
    Trtexec,
    /// TensorRT in this process.
    #[cfg(feature = "tensorrt")]
    Tensorrt,
    /// ONNX Runtime on the CPU.
    Onnxruntime,
    /// A simulated engine.
    Simulated,
}

/// What a simulated layer stamp marks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum StampKind {
    /// The profiler's callback after the inference.
    Callback,
    /// The layer's end.
    LayerEnd,
}

/// The runner and its options.
#[derive(Debug, Clone, Args)]
pub(super) struct RunnerArgs {
    /// What runs the engine.
    #[arg(long, value_enum, default_value_t = RunnerKind::Trtexec)]
    pub(super) runner: RunnerKind,
    /// Path of `trtexec`; else the search path and JetPack's place are looked at.
    #[arg(long)]
    pub(super) trtexec: Option<PathBuf>,
    /// ONNX Runtime's library; else the system's `libonnxruntime.so`.
    #[arg(long, value_name = "FILE", env = "JETSON_AGENT_ONNXRUNTIME")]
    pub(super) onnxruntime: Option<PathBuf>,
    /// TensorRT's library; else the system's.
    #[cfg(feature = "tensorrt")]
    #[arg(long, value_name = "FILE", env = "JETSON_AGENT_TENSORRT")]
    pub(super) tensorrt_library: Option<PathBuf>,
    /// CUDA's driver library; else the system's.
    #[cfg(feature = "tensorrt")]
    #[arg(long, value_name = "FILE", env = "JETSON_AGENT_CUDA")]
    pub(super) cuda_library: Option<PathBuf>,
    /// Longest time that building an engine may take.
    #[arg(long, default_value = "1h", value_parser = super::values::duration)]
    pub(super) build_timeout: Duration,
    /// Longest time that one pass may take.
    #[arg(long, default_value = "30m", value_parser = super::values::duration)]
    pub(super) run_timeout: Duration,
    /// Simulated: where all randomness comes from.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
    /// Simulated: a JSON file with the load (powers, durations, gaps, and what spoils measurements); else it is made up from the
    /// engine info. A file without `layers` changes the made-up one.
    #[arg(long, value_name = "FILE")]
    pub(super) simulate_load: Option<PathBuf>,
    /// Simulated: the sensor (ideal, powersensor3, ina3221-fastest, ina3221-fast, ina3221-avg1, ina3221-reset, ina3221-boot,
    /// ina219, ina226, ina238, rapl, nvml, k20) or a JSON file that describes one.
    #[arg(long, value_name = "SENSOR", default_value = "ina3221-fast")]
    pub(super) simulate_sensor: String,
    /// Simulated: time constant of what smooths the current in front of the sensor, such as 0.2ms.
    #[arg(long, value_name = "TIME", value_parser = super::values::duration)]
    pub(super) simulate_smoothing: Option<Duration>,
    /// Simulated: a JSON file that says when the sensor is read (period, jitter, stalls); else --rate says it, and a meter
    /// streams.
    #[arg(long, value_name = "FILE")]
    pub(super) simulate_reading: Option<PathBuf>,
    /// Simulated: what layer stamps mark.
    #[arg(long, value_enum, default_value_t = StampKind::LayerEnd)]
    pub(super) layer_stamps: StampKind,
    /// Simulated: report layers in the power pass, as the reference does, and leave the profiled pass out.
    #[arg(long)]
    pub(super) layers_with_power: bool,
    /// Simulated: run in virtual time, without waiting.
    #[arg(long)]
    pub(super) simulate_fast: bool,
    /// Simulated: which run of an experiment it is. The load is the same in all of them, the noise is not.
    #[arg(skip)]
    pub(super) step: u64,
    /// Simulated: only these layers of the load.
    #[arg(skip)]
    pub(super) only_layers: Option<(usize, usize)>,
    /// Simulated: the runner fails in this cycle of the power pass.
    #[arg(long, hide = true)]
    pub(super) simulate_failure_at: Option<u32>,
    /// Simulated: this cycle of the power pass never ends.
    #[arg(long, hide = true)]
    pub(super) simulate_hang_at: Option<u32>,
    /// Simulated: the sensor vanishes after so many readings.
    #[arg(long, hide = true)]
    pub(super) simulate_sensor_loss_after: Option<u64>,
}

/// A simulated engine on a simulated board.
pub(super) struct Simulation {
    load: Load,
    sensor: SensorModel,
    /// Which was given; else the rate says how the sensor is read.
    poll: Option<PollModel>,
    engine_info: Option<Vec<u8>>,
}

impl RunnerArgs {
    fn noise_seed(&self) -> u64 {
        self.seed.wrapping_add(self.step << 32)
    }

    fn timing(&self) -> SimulatedTiming {
        let stamp = match self.layer_stamps {
            StampKind::Callback => LayerStamp::Callback,
            StampKind::LayerEnd => LayerStamp::LayerEnd,
        };
        SimulatedTiming { stamp, with_power: self.layers_with_power }
    }

    /// Reads what is to be simulated.
    pub(super) fn simulation(&self, engine_info: Option<&PathBuf>) -> Result<Simulation, Failure> {
        let bytes = engine_info.map(|path| read_capped(path, limits::ENGINE_INFO_BYTES)).transpose()?;
        let made_up = match engine_info {
            Some(path) => Some(Load::of_engine(&shared::engine::read(path)?.0, self.seed)),
            None => None,
        };
        let mut load = match (&self.simulate_load, made_up) {
            (Some(path), made_up) => read_load(path, made_up)?,
            (None, Some(made_up)) => made_up,
            (None, None) => {
                return Err(Failure::usage("the simulated runner needs something to simulate")
                    .help("give --engine-info or --simulate-load"));
            }
        };
        let mut bytes = bytes;
        if let Some((first, count)) = self.only_layers {
            load.layers = load.layers.into_iter().skip(first).take(count).collect();
            bytes = bytes.and_then(|bytes| only_layers(&bytes, first, count));
        }
        load.check().map_err(Failure::usage)?;
        let mut sensor = match SensorModel::named(&self.simulate_sensor) {
            Some(sensor) => sensor,
            None => {
                let names = SensorModel::names().collect::<Vec<_>>().join(", ");
                read_json(Path::new(&self.simulate_sensor)).map_err(|failure| {
                    failure.help(format!("name {names} or a JSON file as docs/sensors.md describes it"))
                })?
            }
        };
        if let Some(smoothing) = self.simulate_smoothing {
            sensor.smoothing_ns = crate::sys::ns(smoothing);
        }
        sensor.check().map_err(|why| Failure::usage(format!("--simulate-sensor: {why}")))?;
        let poll = self.simulate_reading.as_deref().map(read_json).transpose()?;
        Ok(Simulation { load, sensor, poll, engine_info: bytes })
    }

    /// The simulation as a run in virtual time.
    pub(super) fn virtual_run(
        &self,
        simulation: &Simulation,
        rate_hz: Option<f64>,
        (warmup, runs, profiled): (u32, u32, u32),
        idle: Duration,
        pause: Duration,
    ) -> VirtualRun {
        let timing = self.timing();
        let load = Load { pause: Millis(pause.as_secs_f64() * 1e3), ..simulation.load.clone() };
        VirtualRun {
            load,
            sensor: simulation.sensor,
            poll: simulation.poll(rate_hz),
            passes: PassPlan {
                warmup,
                runs,
                profiled,
                with_power: timing.with_power,
                stamp: timing.stamp,
                idle_ns: crate::sys::ns(idle),
            },
            start_ns: 0,
            seed: self.noise_seed(),
        }
    }

    /// The simulation as runner and source in real time.
    pub(super) fn simulated(
        &self,
        simulation: &Simulation,
        rate_hz: Option<f64>,
    ) -> (SimulatedRunner, SimulatedSource) {
        let board = SimulatedBoard::new(simulation.sensor, simulation.load.idle.0, self.noise_seed());
        if let Some(readings) = self.simulate_sensor_loss_after {
            board.lose_sensor_after(readings);
        }
        let source = SimulatedSource::new(board.clone(), simulation.poll(rate_hz));
        let mut runner = SimulatedRunner::new(
            board,
            simulation.load.clone(),
            simulation.sensor,
            self.timing(),
            self.noise_seed(),
            simulation.engine_info.clone(),
        );
        if let Some(cycle) = self.simulate_failure_at {
            runner.fail_at(cycle);
        }
        if let Some(cycle) = self.simulate_hang_at {
            runner.hang_at(cycle);
        }
        (runner, source)
    }

    /// A runner of real engines.
    pub(super) fn real(&self) -> Result<Box<dyn EngineRunner>, Failure> {
        match self.runner {
            RunnerKind::Trtexec => {
                let program = trtexec::find(self.trtexec.as_deref()).map_err(|why| {
                    Failure::device(why).help("install the package `libnvinfer-bin`, or give its path with --trtexec")
                })?;
                let timeouts = trtexec::Timeouts { build: self.build_timeout, run: self.run_timeout };
                Ok(Box::new(trtexec::Trtexec::new(program, timeouts)))
            }
            #[cfg(feature = "tensorrt")]
            RunnerKind::Tensorrt => {
                Ok(Box::new(crate::runner::TensorRt::new(self.tensorrt_library.clone(), self.cuda_library.clone())))
            }
            RunnerKind::Onnxruntime => Ok(Box::new(OnnxRuntime::open(self.onnxruntime.as_deref())?)),
            RunnerKind::Simulated => Err(Failure::usage("the simulated runner is no real one")),
        }
    }
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T, Failure> {
    let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
    shared::text::json::from_slice(&content).map_err(|e| Failure::from_error(Kind::Data, e).at(path))
}

/// An engine info of some of its layers; nothing where it is not a JSON list of layers.
fn only_layers(engine_info: &[u8], first: usize, count: usize) -> Option<Vec<u8>> {
    let mut value: serde_json::Value = serde_json::from_slice(engine_info).ok()?;
    let layers = value.get_mut("Layers")?.as_array_mut()?;
    *layers = layers.drain(..).skip(first).take(count).collect();
    serde_json::to_vec_pretty(&value).ok()
}

/// A load as its file describes it; what the file leaves out stands as it was made up for an engine.
fn read_load(path: &Path, made_up: Option<Load>) -> Result<Load, Failure> {
    let bad = |e| Failure::from_error(Kind::Data, e).at(path);
    let mut given: serde_json::Map<String, serde_json::Value> = read_json(path)?;
    if let Some(made_up) = made_up {
        let serde_json::Value::Object(base) = serde_json::to_value(made_up).map_err(bad)? else {
            return Err(Failure::data("the load is not an object").at(path));
        };
        for (key, value) in base {
            given.entry(key).or_insert(value);
        }
    }
    serde_json::from_value(given.into()).map_err(bad)
}

impl Simulation {
    /// How the sensor is read: as a file says it, else a meter as it streams and a register at the rate asked for.
    fn poll(&self, rate_hz: Option<f64>) -> PollModel {
        match (self.poll, self.sensor.family, rate_hz) {
            (Some(poll), ..) => poll,
            (None, SensorFamily::Meter { .. }, _) => PollModel::streaming(),
            (None, _, Some(hz)) => PollModel { period_ns: ((1e9 / hz) as u64).max(1), ..PollModel::reference_loop() },
            (None, _, None) => PollModel::reference_loop(),
        }
    }

    /// The engine info it was made from.
    pub(super) fn engine_info(&self) -> Option<&[u8]> {
        self.engine_info.as_deref()
    }
}

/// Whether power is to come from the simulated board: asked for, or left open with the simulated runner.
pub(super) fn simulates_power(runner: RunnerKind, source: &SourceSpec) -> bool {
    runner == RunnerKind::Simulated && matches!(source, SourceSpec::Auto | SourceSpec::Simulated)
}
