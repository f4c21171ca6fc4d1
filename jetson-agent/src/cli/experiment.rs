//! `experiment`.

use super::context::Context;
use super::profile::{ModelChoice, ProfileArgs};
use super::progress::display;
use super::runner_args::{RunnerKind, simulates_power};
use super::source_args::SensorSetting;
use super::values;
use crate::power::{PowerSource, SimulatedBoard, SimulatedSource};
use crate::session::{ExperimentPlan, ModelPlan, Stop, measure_idle, steps};
use crate::sys;
use clap::{Args, ValueEnum};
use shared::failure::{Failure, Kind};
use shared::run_folder::RunFolder;
use simulate::{PollModel, SensorModel};
use std::path::PathBuf;

/// Measure every model of a plan.
#[derive(Debug, Args)]
pub(super) struct ExperimentArgs {
    /// The plan, a TOML file. See docs/agent.md.
    plan: PathBuf,
    #[command(flatten)]
    options: ExperimentOptions,
}

/// Options of `profile` that a plan leaves to the command line, under their own names.
#[derive(Debug, Args)]
struct ExperimentOptions {
    /// Simulated: run in virtual time, without waiting.
    #[arg(long)]
    simulate_fast: bool,
    /// Path of `trtexec`.
    #[arg(long)]
    trtexec: Option<PathBuf>,
}

/// `profile`'s own defaults, so that a plan and the command line mean the same.
#[derive(clap::Parser)]
struct Defaults {
    #[command(flatten)]
    profile: ProfileArgs,
}

impl ExperimentArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let plan = ExperimentPlan::read(&self.plan)?;
        let usage = |message: String| Failure::usage(message).at(&self.plan);
        let idle = values::duration(&plan.idle).map_err(usage)?;
        let cool_down = values::duration(&plan.cool_down).map_err(usage)?;
        let mut template = <Defaults as clap::Parser>::parse_from(["profile"]).profile;
        if let Some(source) = &plan.source {
            template.source_mut().source = source.parse().map_err(usage)?;
        }
        if let Some(rate) = &plan.rate {
            template.source_mut().rate = Some(values::rate(rate).map_err(usage)?);
        }
        if let Some(sensor) = &plan.sensor {
            template.source_mut().sensor = SensorSetting::from_str(sensor, true)
                .map_err(|_| usage(format!("`{sensor}` is no setting of a sensor")))?;
        }
        if let Some(runner) = &plan.runner {
            template.runner_mut().runner =
                RunnerKind::from_str(runner, true).map_err(|_| usage(format!("`{runner}` is no runner")))?;
        }
        template.runner_mut().simulate_fast = self.options.simulate_fast;
        if self.options.trtexec.is_some() {
            template.runner_mut().trtexec.clone_from(&self.options.trtexec);
        }
        // Every model's options are read before the first is measured.
        let mut models = Vec::new();
        for model in &plan.models {
            models.push(template.for_model(choice(&plan, model).map_err(usage)?));
        }
        let stop = context.stop_on_signals()?;
        let todo = steps(&plan, &mut |said| context.printer.say(said))?;
        if !idle.is_zero() && !RunFolder::idle_power(&plan.result_dir).exists() {
            self.idle(context, &plan, &mut template, idle, &stop)?;
        }
        let all = plan.models.len() * plan.repeats as usize;
        let measured = all - todo.len();
        if measured > 0 {
            context.printer.say(format!("{measured} of {all} are measured already"));
        }
        let mut first_failure = None;
        for (number, step) in (measured + 1..).zip(todo) {
            if !self.options.simulate_fast {
                stop.sleep_until(sys::monotonic_ns() + sys::ns(cool_down));
            }
            if stop.is_interrupted() {
                return Err(Failure::new(Kind::Interrupted, "interrupted").help("the same command goes on from here"));
            }
            context.printer.say(format!("{number} of {all}: {}", step.run.path().display()));
            match models[step.model].measure(context, &stop, &step.run) {
                Ok(()) => {}
                // The next model would meet the same disk, and the user has had enough.
                Err(failure) if matches!(failure.kind, Kind::Interrupted | Kind::Io) => return Err(failure),
                // One model that does not run must not keep the others from being measured.
                Err(failure) => {
                    context.printer.fail(&failure);
                    first_failure.get_or_insert(failure);
                    if stop.is_set() {
                        break;
                    }
                }
            }
        }
        first_failure.map_or(Ok(()), |mut failure| {
            failure.message = format!("not every model was measured; the first failure: {}", failure.message);
            Err(failure.help("the same command tries those again"))
        })
    }

    fn idle(
        &self,
        context: &Context,
        plan: &ExperimentPlan,
        template: &mut ProfileArgs,
        idle: std::time::Duration,
        stop: &Stop,
    ) -> Result<(), Failure> {
        let runner = template.runner_mut().runner;
        let simulated = simulates_power(runner, &template.source().source);
        let source: Box<dyn PowerSource> = if simulated {
            let board = SimulatedBoard::new(SensorModel::ina3221_fast(), 4.2, 1);
            Box::new(SimulatedSource::new(board, PollModel::reference_loop()))
        } else {
            template.source().open(context)?
        };
        let progress = display(&context.printer, "idle", 0, idle);
        let sampling = template.source().sampling();
        let outcome = measure_idle(&plan.result_dir, idle, source, sampling, &context.root, stop, progress)?;
        outcome.failure.map_or(Ok(()), Err)
    }
}

fn choice(plan: &ExperimentPlan, model: &ModelPlan) -> Result<ModelChoice, String> {
    if let Some(precision) = &model.precision
        && !["fp32", "fp16", "int8", "best"].contains(&precision.as_str())
    {
        return Err(format!("model `{}`: `{precision}` is no precision", model.name));
    }
    Ok(ModelChoice {
        name: model.name.clone(),
        engine: model.engine.clone(),
        onnx: model.onnx.clone(),
        engine_info: model.engine_info.clone(),
        shapes: model.shapes.iter().map(|text| values::shape(text)).collect::<Result<_, _>>()?,
        precision: model.precision.clone(),
        cycles: (model.warmup.or(plan.warmup), model.runs.or(plan.runs), model.profiled.or(plan.profiled)),
    })
}
