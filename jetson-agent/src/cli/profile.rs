//! `profile`.

use super::context::Context;
use super::progress::display;
use super::runner_args::{RunnerArgs, RunnerKind, simulates_power};
use super::source_args::{SourceArgs, SourceSpec};
use super::values::shape;
use crate::power::{PowerSource, SimulatedBoard, SimulatedSource};
use crate::runner::{EngineRunner, Job};
use crate::session::{ProfilePlan, Stop, measure_idle, profile, profile_virtually};
use clap::{Args, ValueEnum};
use shared::failure::Failure;
use shared::run_folder::{Manifest, RunFolder};
use simulate::{PollModel, SensorModel};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What differs between the runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum DesignChoice {
    /// The pause between two inferences: it shows the power outside layers.
    Pauses,
    /// Pauses, and each layer over and over: it shows the power of single layers. Needs --onnx, or the simulated runner.
    Loops,
    /// How many of the first layers run: differences show the power of stretches of layers. Needs --onnx, or the simulated runner.
    Prefixes,
    /// Loops behind a sensor that settles slowly, where the runner can, else pauses.
    Auto,
}

/// Measure one model.
#[derive(Debug, Clone, Args)]
pub(super) struct ProfileArgs {
    /// A serialised engine, built for this board and this TensorRT.
    #[arg(long, conflicts_with_all = ["onnx", "engine_info"])]
    engine: Option<PathBuf>,
    /// An ONNX model; the engine is built from it.
    #[arg(long, conflicts_with = "engine_info")]
    onnx: Option<PathBuf>,
    /// An engine info, for the simulated runner.
    #[arg(long)]
    engine_info: Option<PathBuf>,
    /// The model's name, which its run folder and files carry; else the input file's.
    #[arg(long)]
    name: Option<String>,
    /// Where the run folder goes.
    #[arg(long, default_value = "raw_data")]
    pub(super) result_dir: PathBuf,
    /// Cycles in which power is measured.
    #[arg(long, default_value_t = 30_000)]
    runs: u32,
    /// Cycles before.
    #[arg(long, default_value_t = 50)]
    warmup: u32,
    /// Cycles with the profiler, after.
    #[arg(long, default_value_t = 1_000)]
    profiled: u32,
    /// About how long the power pass and the profiled pass may take each, by the pace of the warm-up; --runs and --profiled are then
    /// upper limits. Not with trtexec, which reports no pace.
    #[arg(long, value_name = "TIME", value_parser = super::values::duration)]
    pass_time: Option<Duration>,
    /// An input's shape, such as input:1x3x224x224. Once an input.
    #[arg(long = "shape", value_parser = shape)]
    shapes: Vec<(String, Vec<i64>)>,
    /// Batch size: the first extent of every --shape.
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..))]
    batch: Option<u32>,
    /// Number format to build for: fp32, fp16, int8 or best.
    #[arg(long, default_value = "fp16", value_parser = ["fp32", "fp16", "int8", "best"])]
    precision: String,
    /// How long the host waits between two inferences on top of its own gap. trtexec takes whole milliseconds.
    #[arg(long, default_value = "0ms", value_parser = super::values::duration)]
    pub(super) pause: Duration,
    /// Measure further runs that differ in one thing, into folders below the run's. The same command goes on where it was cut off.
    #[arg(long, value_enum)]
    design: Option<DesignChoice>,
    /// How long the further runs of --design may take together, idle time left out.
    #[arg(long, default_value = "3m", value_parser = super::values::duration, requires = "design")]
    pub(super) design_time: Duration,
    /// Idle time recorded before the first and after the last cycle.
    #[arg(long, default_value = "3s", value_parser = super::values::duration)]
    pub(super) idle: Duration,
    #[command(flatten)]
    source: SourceArgs,
    #[command(flatten)]
    runner: RunnerArgs,
}

/// What `experiment` sets for one model.
pub(super) struct ModelChoice {
    pub(super) name: String,
    pub(super) engine: Option<PathBuf>,
    pub(super) onnx: Option<PathBuf>,
    pub(super) engine_info: Option<PathBuf>,
    pub(super) shapes: Vec<(String, Vec<i64>)>,
    pub(super) precision: Option<String>,
    pub(super) cycles: (Option<u32>, Option<u32>, Option<u32>),
    pub(super) pass_time: Option<Duration>,
}

impl ProfileArgs {
    /// These options for one model of a plan.
    pub(super) fn for_model(&self, choice: ModelChoice) -> Self {
        let (warmup, runs, profiled) = choice.cycles;
        Self {
            engine: choice.engine,
            onnx: choice.onnx,
            engine_info: choice.engine_info,
            name: Some(choice.name),
            shapes: choice.shapes,
            precision: choice.precision.unwrap_or_else(|| self.precision.clone()),
            warmup: warmup.unwrap_or(self.warmup),
            runs: runs.unwrap_or(self.runs),
            profiled: profiled.unwrap_or(self.profiled),
            pass_time: choice.pass_time,
            ..self.clone()
        }
    }

    pub(super) fn source(&self) -> &SourceArgs {
        &self.source
    }

    pub(super) fn source_mut(&mut self) -> &mut SourceArgs {
        &mut self.source
    }

    pub(super) fn runner_mut(&mut self) -> &mut RunnerArgs {
        &mut self.runner
    }

    pub(super) fn runner(&self) -> &RunnerArgs {
        &self.runner
    }

    /// Where a further run goes and how many cycles it has.
    pub(super) fn set_run(&mut self, name: String, result_dir: PathBuf, runs: u32, profiled: u32) {
        (self.name, self.result_dir, self.runs) = (Some(name), result_dir, runs);
        self.profiled = self.profiled.min(profiled);
    }

    /// About how long each pass may take.
    pub(super) fn set_pass_time(&mut self, time: Duration) {
        self.pass_time = Some(time);
    }

    /// Runs a part of the model, whose inputs have shapes of their own.
    pub(super) fn set_model(&mut self, onnx: PathBuf) {
        (self.onnx, self.engine, self.shapes, self.batch) = (Some(onnx), None, Vec::new(), None);
    }

    /// Runs a built engine instead of what it was built from.
    pub(super) fn set_engine(&mut self, engine: PathBuf) {
        (self.engine, self.onnx) = (Some(engine), None);
    }

    /// The experiment asked for.
    pub(super) fn design(&self) -> Option<DesignChoice> {
        self.design
    }

    /// The model that engines are built from.
    pub(super) fn onnx(&self) -> Option<&Path> {
        self.onnx.as_deref()
    }

    /// Whether a simulated run has an engine info, which describes its layers.
    pub(super) fn has_engine_info(&self) -> bool {
        self.engine_info.is_some()
    }

    /// Whether nothing waits.
    pub(super) fn is_in_virtual_time(&self) -> bool {
        self.runner.runner == RunnerKind::Simulated && self.runner.simulate_fast
    }

    pub(super) fn model_name(&self) -> Result<String, Failure> {
        if let Some(name) = &self.name {
            return Ok(name.clone());
        }
        let input = self.engine.as_ref().or(self.onnx.as_ref()).or(self.engine_info.as_ref());
        let input = input.or(self.runner.simulate_load.as_ref());
        let stem = input.and_then(|path| path.file_stem()).map(|stem| stem.to_string_lossy().into_owned());
        stem.ok_or_else(|| Failure::usage("there is nothing to run").help("give --engine, --onnx or --engine-info"))
    }

    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let stop = context.stop_on_signals()?;
        let run = RunFolder::new(&self.result_dir, &self.model_name()?);
        self.measure(context, &stop, &run)
    }

    /// Measures into a run folder and says what it holds.
    pub(super) fn measure(&self, context: &Context, stop: &Stop, run: &RunFolder) -> Result<(), Failure> {
        let (manifest, failure) = self.measured(context, stop, run)?;
        self.report(context, run, &manifest)?;
        failure.map_or(Ok(()), Err)
    }

    /// Measures into a run folder and returns its manifest.
    pub(super) fn measure_quietly(&self, context: &Context, stop: &Stop, run: &RunFolder) -> Result<Manifest, Failure> {
        let (manifest, failure) = self.measured(context, stop, run)?;
        failure.map_or(Ok(manifest), Err)
    }

    /// Measures into a run folder. A failure after the first sample comes with the manifest of what was measured until then.
    fn measured(
        &self,
        context: &Context,
        stop: &Stop,
        run: &RunFolder,
    ) -> Result<(Manifest, Option<Failure>), Failure> {
        let job = Job {
            engine: self.engine.clone(),
            onnx: self.onnx.clone(),
            shapes: self.shapes_with_batch(),
            precision: self.precision.clone(),
            warmup: self.warmup,
            runs: self.runs,
            profiled: if self.runner.layers_with_power { 0 } else { self.profiled },
            pause: self.pause,
            pass_time: self.pass_time,
            work: run.path().join("trtexec"),
        };
        let rate = self.source.rate_hz();
        let simulated = match self.runner.runner {
            RunnerKind::Simulated => Some(self.runner.simulation(self.engine_info.as_ref())?),
            _ => None,
        };
        if let (Some(simulation), true) = (&simulated, self.runner.simulate_fast) {
            if !simulates_power(self.runner.runner, &self.source.source) {
                return Err(Failure::usage("--simulate-fast simulates power too").help("leave out --source"));
            }
            let cycles = (self.warmup, self.runs, job.profiled);
            let virtual_run = self.runner.virtual_run(simulation, rate, cycles, self.idle, self.pause);
            let manifest = profile_virtually(run, &virtual_run, &job, simulation.engine_info(), &context.root)?;
            return Ok((manifest, None));
        }
        let restores = self.source.set_sensor(context)?;
        let checks = super::doctor::checks(context, &self.result_dir, self.runner.trtexec.as_deref());
        let (mut runner, source): (Box<dyn EngineRunner>, Box<dyn PowerSource>) = match &simulated {
            Some(simulation) => {
                let (runner, source) = self.runner.simulated(simulation, rate);
                if simulates_power(self.runner.runner, &self.source.source) {
                    (Box::new(runner), Box::new(source))
                } else {
                    (Box::new(runner), self.source.open_or_none(context)?)
                }
            }
            None => (self.runner.real()?, self.source.open_or_none(context)?),
        };
        let plan = ProfilePlan {
            run: run.clone(),
            job,
            idle: self.idle,
            sampling: self.source.sampling(),
            checks,
            root: context.root.clone(),
        };
        let progress = display(&context.printer, run.model(), u64::from(self.runs), Duration::ZERO);
        let outcome = profile(&plan, source, runner.as_mut(), stop, progress)?;
        drop(restores);
        Ok((outcome.manifest, outcome.failure))
    }

    /// Measures idle power for the runs in a folder, unless the time is zero, it was measured before or there is nothing to measure it
    /// with. A failure after the source was opened comes as a value.
    pub(super) fn measure_idle_once(
        &self,
        root: &Path,
        time: Duration,
        context: &Context,
        stop: &Stop,
    ) -> Result<Option<Failure>, Failure> {
        if time.is_zero() || RunFolder::idle_power(root).exists() || self.source.source == SourceSpec::Nothing {
            return Ok(None);
        }
        let source: Box<dyn PowerSource> = if simulates_power(self.runner.runner, &self.source.source) {
            let board = SimulatedBoard::new(SensorModel::ina3221_fast(), 4.2, 1);
            Box::new(SimulatedSource::new(board, PollModel::reference_loop()))
        } else {
            self.source.open(context)?
        };
        let progress = display(&context.printer, "idle", 0, time);
        let outcome = measure_idle(root, time, source, self.source.sampling(), &context.root, stop, progress)?;
        Ok(outcome.failure)
    }

    fn shapes_with_batch(&self) -> Vec<(String, Vec<i64>)> {
        let mut shapes = self.shapes.clone();
        if let Some(batch) = self.batch {
            for first in shapes.iter_mut().filter_map(|(_, dims)| dims.first_mut()) {
                *first = i64::from(batch);
            }
        }
        shapes
    }

    pub(super) fn report(&self, context: &Context, run: &RunFolder, manifest: &Manifest) -> Result<(), Failure> {
        for rail in &manifest.power.rails {
            for change in rail.sensor.changes() {
                context.printer.warn(format!("the sensor of {} was changed during the run: {change}", rail.label));
            }
        }
        let counts = manifest.counts;
        let samples = match manifest.power.rails.is_empty() {
            true => "no power".to_owned(),
            false => format!("{} samples", counts.samples),
        };
        manifest.sampling.iter().flat_map(|sampling| &sampling.notes).for_each(|note| context.printer.warn(note));
        context.printer.say(format!(
            "{}: {:?}, {samples}, {} inferences for power, {} profiled",
            run.path().display(),
            manifest.status,
            counts.power_inferences,
            counts.profiled_inferences
        ));
        context.answer(&Answer { schema_version: 1, folder: run.path(), manifest }, |answer| {
            format!("{}\n", answer.folder.display())
        })
    }
}

#[derive(serde::Serialize)]
struct Answer<'a> {
    schema_version: u32,
    folder: &'a Path,
    manifest: &'a Manifest,
}
