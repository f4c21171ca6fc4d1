//! `host-trainer tune`: searches a plan's options by trials, in a study that others may join.

pub(super) mod engine;
pub(super) mod local;
pub(super) mod place;
mod report;
mod subject;
pub(super) mod work;

pub(super) use report::print;

use super::{fit, progress, tabular};
use crate::cli::values::choice;
use crate::output::Format;
use clap::Args;
use engine::{Asked, EngineArgs};
use learn::fit::kinds::Kind;
use learn::fit::options::{PlanOptions, networks_or_none};
use learn::fit::plan::Plan;
use place::Place;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::{Path, PathBuf};
use std::time::Duration;
use subject::SubjectArgs;
use tune::export::export;
use tune::objective::with_parameters;
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::search::{Search, SpaceSource, best_of, default_name, space_and_sampler};
use tune::studies::{Study, Trial};
use tune::subject::{Fitted, Subject};
use tune::worker;

/// Tune the options of a fit: trials on held-out folds, shared by any number of processes and machines.
#[derive(Debug, Args)]
pub(super) struct Tune {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Model kind [default: the configuration's, else lasso].
    #[arg(long, value_parser = choice::<Kind>())]
    kind: Option<Kind>,
    /// Configuration shared by all trials (TOML).
    #[arg(long, value_name = "FILE", env = "HOST_TRAINER_CONFIG")]
    config: Option<PathBuf>,
    /// Networks held out from every trial, or `none` [default: lenet,resnet18,vgg16].
    #[arg(long, value_name = "A,B|none", value_delimiter = ',')]
    test_models: Option<Vec<String>>,
    /// Search space (TOML): a domain for each option by its dotted name [default: the model kind's].
    #[arg(long, value_name = "FILE")]
    space: Option<PathBuf>,
    /// Search grid (JSON or TOML): a value or a list of values for each option.
    #[arg(long, value_name = "FILE", conflicts_with = "space")]
    grid: Option<PathBuf>,
    /// Total number of trials; a study with fewer is continued [default: 20, or the whole grid].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=tune::studies::MOST_TRIALS))]
    trials: Option<u64>,
    /// Trials to run at once in this process; -1 for one per CPU.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    jobs: i64,
    /// Epochs of a perceptron in trials [default: the configuration's].
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Epochs of the final perceptrons in --out; 0 skips the final training [default: as in trials].
    #[arg(long, value_name = "N", requires = "out")]
    final_epochs: Option<usize>,
    /// Train on the CPU. Accepted for compatibility: every build trains on the CPU.
    #[arg(long = "cpu")]
    _cpu: bool,
    /// Rows to use from each table; -1 for all.
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    samples: i64,
    /// Name of the study [default: the model kind and a digest of the study's settings].
    #[arg(long, value_name = "NAME")]
    study_id: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Sampler [default: tpe, or grid with --grid].
    #[arg(long, value_parser = choice::<Sampler>())]
    sampler: Option<Sampler>,
    /// Pruner that stops poor trials early.
    #[arg(long, value_parser = choice::<Pruner>(), default_value = Pruner::default().name())]
    pruner: Pruner,
    /// Random seed.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    seed: u64,
    /// Trials per generation; trials of one generation do not depend on each other and can run at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    generation: u64,
    /// Seconds without a sign of life after which another worker takes over a trial.
    #[arg(long, value_name = "S", default_value_t = worker::LEASE.as_secs_f64())]
    lease: f64,
    /// Output file for the best configuration: TOML for `fit --config`, or with `.json` a perceptron's hyper-parameters in
    /// EdgeProfiler's format.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Output folder for models fitted with the best configuration.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
    #[command(flatten)]
    engine: EngineArgs,
}

impl Tune {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let plan = self.plan()?;
        let subject = self.subject.open(&plan, printer)?;
        let (space, sampler) = space_and_sampler(&self.space_source(), self.sampler, &plan)?;
        let search = Search { space, sampler, pruner: self.pruner, seed: self.seed, generation: self.generation };
        let trials = self.trials.map_or_else(|| search.default_trials(), Ok)?;
        let specification = search.specification(&plan, &subject)?;
        let name = match &self.study_id {
            Some(name) => name.clone(),
            None => default_name(&plan, &specification)?,
        };
        let (jobs, lease) = (self.jobs()?, self.lease()?);
        let runtime = super::runtime::build()?;
        let location = self.place.location(printer)?;
        let asked = Asked { name: &name, specification: &specification, trials, jobs, lease, location: &location };
        let on = self.engine.on(&asked, printer)?;
        if on.as_ref().is_some_and(|on| !on.waits()) && (self.export.is_some() || self.out.is_some()) {
            return Err(Failure::usage("--export and --out take the result, and these workers are not waited for")
                .help("start the workers without them; the same command without --on takes the result"));
        }
        let rows = self.subject.origin()?;
        let header = on.as_ref().map(|on| on.layout(&asked, &rows).header()).transpose()?;
        let studies = place::make(&location, &runtime)?;
        let done = runtime.block_on(async {
            let study = studies.create(&name, &specification, trials).await?;
            let (Some(on), Some(header)) = (&on, header) else {
                let job = work::Job { objective: subject.objective.clone(), jobs, lease };
                return work::work(&studies, &study, job, printer).await.map(Some);
            };
            let folder = on.layout(&asked, &rows).write(header).await?;
            on.work(&studies, &study, &folder, self.place.text(), printer).await
        });
        // Whatever still computes has been released; waiting for it would only delay the end.
        runtime.shutdown_background();
        match done.map_err(|e| e.into_failure(&location))? {
            Some((study, trials)) => self.answer(&study, &trials, &plan, &subject, printer),
            None => Ok(()),
        }
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let test_networks = self.test_models.as_deref().map(networks_or_none);
        PlanOptions {
            config: self.config.as_deref(),
            kind: self.kind,
            test_networks: test_networks.as_deref(),
            plain_table: self.subject.is_table(),
            epochs: self.epochs,
            samples: self.samples()?,
            ..PlanOptions::default()
        }
        .plan()
    }

    fn space_source(&self) -> SpaceSource {
        match (&self.space, &self.grid) {
            (Some(path), _) => SpaceSource::File(path.clone()),
            (None, Some(path)) => SpaceSource::Grid(path.clone()),
            (None, None) => SpaceSource::Kind,
        }
    }

    fn samples(&self) -> Result<Option<usize>, Failure> {
        match usize::try_from(self.samples) {
            Err(_) if self.samples == -1 => Ok(None),
            Ok(samples) if samples > 0 => Ok(Some(samples)),
            _ => Err(Failure::usage("--samples must be a number of rows, or -1 for all")),
        }
    }

    fn jobs(&self) -> Result<usize, Failure> {
        match self.jobs {
            -1 => Ok(std::thread::available_parallelism().map_or(1, std::num::NonZero::get)),
            jobs => usize::try_from(jobs)
                .ok()
                .filter(|jobs| (1..=256).contains(jobs))
                .ok_or_else(|| Failure::usage("--jobs must be 1 to 256, or -1 for one a processor")),
        }
    }

    fn lease(&self) -> Result<Duration, Failure> {
        match self.lease {
            seconds if (0.1..=86_400.0).contains(&seconds) => Ok(Duration::from_secs_f64(seconds)),
            _ => Err(Failure::usage("--lease must be 0.1 to 86400 seconds")),
        }
    }

    fn answer(
        &self,
        study: &Study,
        trials: &[Trial],
        plan: &Plan,
        subject: &Subject,
        printer: &Printer,
    ) -> Result<(), Failure> {
        let best = best_of(trials).ok_or_else(|| {
            let failure = Failure::data(format!("none of {} trials could be judged", trials.len()));
            match trials.iter().rev().find_map(|trial| trial.reason.clone()) {
                Some(reason) => failure.help(format!("the last one said: {reason}")),
                None => failure,
            }
        })?;
        let tuned = with_parameters(plan, &best.parameters).map_err(Failure::data)?;
        if let Some(path) = &self.export {
            export(path, study, best, &tuned)?;
            printer.say(format!("the best plan is in {}", path.display()));
        }
        report::print(study, trials, Some(best), self.format, printer)?;
        match (&self.out, self.final_epochs) {
            (Some(out), epochs) if epochs != Some(0) => self.fit(tuned, subject, out, printer),
            _ => Ok(()),
        }
    }

    /// Fits models with the best plan, and says where they are.
    fn fit(&self, mut plan: Plan, subject: &Subject, out: &Path, printer: &Printer) -> Result<(), Failure> {
        if let Some(epochs) = self.final_epochs {
            plan.change_options(|mlp: &mut estimators::mlp::Settings| mlp.epochs = epochs);
        }
        plan.check().map_err(Failure::usage)?;
        let bar = progress::bar(printer, 0, "models");
        let fitted = subject.fit(&plan, out, &|table, target| {
            bar.set_message(format!("{} {}", table.name(), target.name()));
            bar.inc(1);
        });
        bar.finish_and_clear();
        match fitted? {
            Fitted::Layers(outcomes) => fit::say_written(&outcomes, out, printer),
            Fitted::Table(written) => written.iter().for_each(|written| tabular::say_written(written, printer)),
        }
        Ok(())
    }
}
