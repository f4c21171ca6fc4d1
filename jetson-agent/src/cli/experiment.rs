//! `experiment`.

use super::context::Context;
use super::profile::{ModelChoice, ProfileArgs};
use super::runner_args::RunnerKind;
use super::source_args::{SensorSetting, SourceSpec};
use super::values;
use crate::session::{ExperimentPlan, ModelPlan, Stop, steps};
use crate::sys;
use clap::{Args, ValueEnum};
use shared::failure::{Failure, Kind};
use std::path::{Path, PathBuf};
use std::time::Duration;

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
        let experiment = PreparedExperiment::read(context, &self.plan, &self.options)?;
        let stop = context.stop_on_signals()?;
        let todo = steps(&experiment.plan, &mut |said| context.printer.say(said))?;
        let failure =
            experiment.template.measure_idle_once(&experiment.plan.result_dir, experiment.idle, context, &stop)?;
        failure.map_or(Ok(()), Err)?;
        let all = experiment.plan.models.len() * experiment.plan.repeats as usize;
        let measured = all - todo.len();
        if measured > 0 {
            context.printer.say(format!("{measured} of {all} are measured already"));
        }
        let mut first_failure = None;
        for (number, step) in (measured + 1..).zip(todo) {
            experiment.cool_down(&stop)?;
            context.printer.say(format!("{number} of {all}: {}", step.run.path().display()));
            match experiment.models[step.model].measure(context, &stop, &step.run) {
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
}

/// A plan with the options of each of its models.
struct PreparedExperiment {
    /// The plan.
    plan: ExperimentPlan,
    /// The options of each model.
    models: Vec<ProfileArgs>,
    template: ProfileArgs,
    idle: Duration,
    cool_down: Duration,
}

impl PreparedExperiment {
    /// Reads a plan. Every model's options are read before the first is measured.
    fn read(context: &Context, path: &Path, options: &ExperimentOptions) -> Result<Self, Failure> {
        let plan = ExperimentPlan::read(path)?;
        let usage = |message: String| Failure::usage(message).at(path);
        let duration = |text: &str| values::duration(text).map_err(usage);
        let (idle, cool_down) = (duration(&plan.idle)?, duration(&plan.cool_down)?);
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
        if let Some(rest) = &plan.rest {
            template.idle = duration(rest)?;
        }
        template.runner_mut().simulate_fast = options.simulate_fast;
        if options.trtexec.is_some() {
            template.runner_mut().trtexec.clone_from(&options.trtexec);
        }
        // Said once, not with every model.
        if template.source().source == SourceSpec::Auto
            && template.runner().runner != RunnerKind::Simulated
            && template.source().open_or_none(context)?.setup().rails.is_empty()
        {
            template.source_mut().source = SourceSpec::Nothing;
        }
        let mut models = Vec::new();
        for model in &plan.models {
            models.push(template.for_model(choice(&plan, model).map_err(usage)?));
        }
        Ok(Self { plan, models, template, idle, cool_down })
    }

    /// Rests before a model, unless nothing waits.
    fn cool_down(&self, stop: &Stop) -> Result<(), Failure> {
        if !self.template.is_in_virtual_time() {
            stop.sleep_until(sys::monotonic_ns() + sys::ns(self.cool_down));
        }
        if stop.is_interrupted() {
            return Err(Failure::new(Kind::Interrupted, "interrupted").help("the same command goes on from here"));
        }
        Ok(())
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
        pass_time: plan.pass_time.as_deref().map(values::duration).transpose()?,
    })
}
