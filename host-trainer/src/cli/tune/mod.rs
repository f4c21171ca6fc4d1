//! `host-trainer tune`: searches a plan's options by trials, in a study that others may join.

pub(super) mod place;
mod report;
mod subject;

pub(super) use report::print;

use super::{Format, progress};
use crate::cli::values::choice;
use clap::Args;
use learn::fit::kinds::Kind;
use learn::fit::plan::Plan;
use learn::fit::toml_failure;
use place::{Place, failure};
use shared::failure::{Failure, Kind as FailureKind};
use shared::fs::{read_capped, write_atomic};
use shared::limits;
use shared::printer::Printer;
use std::path::{Path, PathBuf};
use std::time::Duration;
use subject::{Subject, SubjectArgs};
use tokio_util::sync::CancellationToken;
use tune::objective::{planned, with_parameters};
use tune::pruner::Pruner;
use tune::sampler::Sampler;
use tune::space::Space;
use tune::studies::{Location, Progress, Specification, Studies, Study, Trial, TrialState};
use tune::worker::{Worker, owner};
use tune::{defaults, worker};

/// Search the options of a fit: trials on held-out folds, shared by any number of processes and machines.
#[derive(Debug, Args)]
pub(super) struct Tune {
    #[command(flatten)]
    subject: SubjectArgs,
    /// Model kind [default: the configuration's, else lasso].
    #[arg(long, value_parser = choice::<Kind>())]
    kind: Option<Kind>,
    /// Options that all trials share, in TOML.
    #[arg(long, value_name = "FILE", env = "HOST_TRAINER_CONFIG")]
    config: Option<PathBuf>,
    /// Networks that no trial sees, or `none` [default: lenet,resnet18,vgg16].
    #[arg(long, value_name = "A,B|none", value_delimiter = ',')]
    test_models: Option<Vec<String>>,
    /// What to search, in TOML: a domain for each option by its dotted name [default: the model kind's].
    #[arg(long, value_name = "FILE")]
    space: Option<PathBuf>,
    /// Grid to search, in JSON or TOML: a value or a list of values for each option.
    #[arg(long, value_name = "FILE", conflicts_with = "space")]
    grid: Option<PathBuf>,
    /// Trials in all; a study that has fewer is gone on with [default: 20, or all of a grid].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=tune::studies::MOST_TRIALS))]
    trials: Option<u64>,
    /// Trials that this process works on at once; -1 for one a processor.
    #[arg(long, value_name = "N", default_value_t = 1, allow_negative_numbers = true)]
    jobs: i64,
    /// Epochs of a perceptron in trials [default: the configuration's].
    #[arg(long, value_name = "N")]
    epochs: Option<usize>,
    /// Epochs of the perceptrons that --out receives; 0 for no final training [default: as in trials].
    #[arg(long, value_name = "N", requires = "out")]
    final_epochs: Option<usize>,
    /// Train on the processor; every build does, so this changes nothing.
    #[arg(long = "cpu")]
    _cpu: bool,
    /// Rows used of each table; -1 for all.
    #[arg(long, value_name = "N", default_value_t = -1, allow_negative_numbers = true)]
    samples: i64,
    /// Name of the study [default: the model kind and a digest of all that determines the study].
    #[arg(long, value_name = "NAME")]
    study_id: Option<String>,
    #[command(flatten)]
    place: Place,
    /// How points are chosen [default: tpe, or grid where there is one].
    #[arg(long, value_parser = choice::<Sampler>())]
    sampler: Option<Sampler>,
    /// How trials are given up early.
    #[arg(long, value_parser = choice::<Pruner>(), default_value = Pruner::default().name())]
    pruner: Pruner,
    /// What all that is random rests on.
    #[arg(long, value_name = "N", default_value_t = 0, value_parser = clap::value_parser!(u64).range(0..=i64::MAX as u64))]
    seed: u64,
    /// Trials that do not know of each other's results, so that they can run at once.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..=10_000))]
    generation: u64,
    /// Seconds of silence after which a worker's trial is taken up by another.
    #[arg(long, value_name = "S", default_value_t = worker::LEASE.as_secs_f64())]
    lease: f64,
    /// File that receives the best plan in TOML, for `fit --config`; or, with `.json`, a perceptron's in the reference's form.
    #[arg(long, value_name = "FILE")]
    export: Option<PathBuf>,
    /// Folder that receives models fitted with the best plan.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// How the answer is written to stdout.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

/// Digits of a digest that name a study.
const DIGITS: usize = 8;
/// How often progress is looked at.
const LOOK: Duration = Duration::from_millis(300);

impl Tune {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let plan = self.plan()?;
        let subject = self.subject.open(&plan, printer)?;
        let (space, sampler) = self.space(&plan)?;
        let trials = match (self.trials, sampler) {
            (Some(trials), _) => trials,
            (None, Sampler::Grid) => space.grid().map_err(Failure::usage)?.len(),
            (None, _) => 20,
        };
        let specification = Specification {
            seed: self.seed,
            generation: self.generation,
            sampler,
            pruner: self.pruner,
            data_sha256: subject.data_sha256.clone(),
            objective: subject.told.clone(),
            plan: toml::Table::try_from(&plan)
                .map_err(|e| Failure::data(format!("the plan cannot be written: {e}")))?,
            space: space.to_table(),
        };
        let name = match &self.study_id {
            Some(name) => name.clone(),
            None => {
                let text = toml::to_string(&specification).map_err(|e| Failure::data(e.to_string()))?;
                format!("{}-{}", plan.kind.name(), &shared::digest::sha256(text.as_bytes())[..DIGITS])
            }
        };
        let runtime = super::runtime::build()?;
        let (studies, location) = self.place.open(&runtime, printer)?;
        let done = runtime.block_on(self.work(&studies, &name, &specification, trials, &subject, printer));
        // Whatever still computes has been released; waiting for it would only delay the end.
        runtime.shutdown_background();
        let (study, trials) = done.map_err(|e| e.into_failure(&location))?;
        self.answer(&study, &trials, &plan, &subject, printer)
    }

    fn plan(&self) -> Result<Plan, Failure> {
        let mut plan = match &self.config {
            Some(path) => Plan::read(path)?,
            None => Plan::default(),
        };
        match self.kind {
            Some(kind) => plan.kind = kind,
            None if self.config.is_none() && self.subject.is_table() => plan.kind = Kind::MLP,
            None => {}
        }
        if let Some(names) = &self.test_models {
            plan.test_models = super::fit::names_or_none(names);
        }
        if let Some(epochs) = self.epochs {
            plan.change_options(|mlp: &mut estimators::mlp::Settings| mlp.epochs = epochs);
        }
        match self.samples {
            -1 => {}
            samples => match usize::try_from(samples) {
                Ok(samples) if samples > 0 => plan.samples = Some(samples),
                _ => return Err(Failure::usage("--samples must be a number of rows, or -1 for all")),
            },
        }
        plan.check().map_err(Failure::usage)?;
        Ok(plan)
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

    fn space(&self, plan: &Plan) -> Result<(Space, Sampler), Failure> {
        let space = match (&self.space, &self.grid) {
            (Some(path), _) => {
                let text = text_of(path)?;
                let table: toml::Table = toml::from_str(&text).map_err(|e| toml_failure(path, &text, &e))?;
                Space::from_table(&table).map_err(|e| Failure::usage(e).at(path))?
            }
            (None, Some(path)) => {
                let json = path.extension().is_some_and(|extension| extension == "json");
                Space::from_grid(&text_of(path)?, json).map_err(|e| Failure::usage(e).at(path))?
            }
            (None, None) => defaults::space(plan.kind)
                .map_err(|e| Failure::usage(e).help("give --space, or a --kind that has options"))?,
        };
        let path = self.space.as_ref().or(self.grid.as_ref());
        let wrong = |message: String| match path {
            Some(path) => Failure::usage(message).at(path),
            None => Failure::usage(message),
        };
        planned(plan, &space).map_err(wrong)?;
        let sampler = self.sampler.unwrap_or(if self.grid.is_some() { Sampler::Grid } else { Sampler::Tpe });
        if sampler == Sampler::Grid {
            space.grid().map_err(wrong)?;
        }
        Ok((space, sampler))
    }

    /// Works until the study is done, and gives it with its trials.
    async fn work(
        &self,
        studies: &Studies,
        name: &str,
        specification: &Specification,
        trials: u64,
        subject: &Subject,
        printer: &Printer,
    ) -> Result<(Study, Vec<Trial>), Stopped> {
        let study = studies.create(name, specification, trials).await?;
        let jobs = self.jobs().map_err(Stopped::Failure)?;
        if !(0.1..=86_400.0).contains(&self.lease) {
            return Err(Stopped::Failure(Failure::usage("--lease must be 0.1 to 86400 seconds")));
        }
        let worker = Worker {
            studies: studies.clone(),
            study: study.clone(),
            objective: subject.objective.clone(),
            owner: owner(),
            lease: Duration::from_secs_f64(self.lease),
            jobs,
        };
        printer.say(format!("study {name}: {} trials by {}", study.trials, study.specification.sampler.name()));
        let stop = CancellationToken::new();
        let interrupted = interrupted().map_err(Stopped::Failure)?;
        let shown = show(studies, &study, printer);
        let result = {
            let run = worker.run(&stop);
            tokio::pin!(run, interrupted, shown);
            loop {
                tokio::select! {
                    done = &mut run => break done,
                    () = &mut interrupted, if !stop.is_cancelled() => stop.cancel(),
                    () = &mut shown, if !stop.is_cancelled() => {}
                }
            }
        };
        result?;
        let trials = studies.trials(name).await?;
        studies.close().await;
        if stop.is_cancelled() {
            return Err(Stopped::Interrupted);
        }
        Ok((study, trials))
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
            report::export(path, study, best, &tuned)?;
            printer.say(format!("the best plan is in {}", path.display()));
        }
        report::print(study, trials, Some(best), self.format, printer)?;
        if let (Some(out), true) = (&self.out, self.final_epochs != Some(0)) {
            let mut last = tuned;
            if let Some(epochs) = self.final_epochs {
                last.change_options(|mlp: &mut estimators::mlp::Settings| mlp.epochs = epochs);
            }
            last.check().map_err(Failure::usage)?;
            subject.fit(&last, out, printer)?;
        }
        Ok(())
    }
}

/// The complete trial of least value, the earliest of several.
pub(super) fn best_of(trials: &[Trial]) -> Option<&Trial> {
    let complete = trials.iter().filter(|trial| trial.state == TrialState::Complete);
    complete.min_by(|a, b| a.value.unwrap_or(f64::INFINITY).total_cmp(&b.value.unwrap_or(f64::INFINITY)))
}

/// Why there is no answer.
enum Stopped {
    Interrupted,
    Failure(Failure),
    Studies(tune::studies::StudyError),
}

impl From<tune::studies::StudyError> for Stopped {
    fn from(error: tune::studies::StudyError) -> Self {
        Self::Studies(error)
    }
}

impl Stopped {
    fn into_failure(self, location: &Location) -> Failure {
        match self {
            Self::Interrupted => Failure::new(FailureKind::Interrupted, "interrupted; trials in hand were released")
                .help("the same command goes on with the study"),
            Self::Failure(failure) => failure,
            Self::Studies(error) => failure(location, &error),
        }
    }
}

/// Ends at SIGINT or SIGTERM.
fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|e| Failure::new(FailureKind::Io, format!("cannot wait for signals: {e}")));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Shows how far a study is, for as long as it is polled.
async fn show(studies: &Studies, study: &Study, printer: &Printer) {
    let bar = progress::bar(printer, study.trials, "trials");
    let mut last: Option<Progress> = None;
    // What the database says wrong here, it says to the worker as well.
    while let Ok(now) = studies.changed(&study.name, last.as_ref(), LOOK).await {
        bar.set_length(now.trials);
        bar.set_position(now.counts.finished());
        if let Some((best, value)) = now.best.as_ref().and_then(|best| Some((best, best.value?))) {
            bar.set_message(format!("best {value:.6} (trial {})", best.number));
            let improved =
                last.as_ref().and_then(|last| last.best.as_ref()).is_none_or(|old| old.number != best.number);
            if improved && !printer.shows_progress() {
                let finished = now.counts.finished();
                printer.say(format!("{finished}/{} trials; best so far {value:.6}, trial {}", now.trials, best.number));
            }
        }
        if now.is_done() {
            break;
        }
        last = Some(now);
    }
    bar.finish_and_clear();
    std::future::pending::<()>().await;
}

fn text_of(path: &Path) -> Result<String, Failure> {
    let content = read_capped(path, limits::SMALL_FILE_BYTES)?;
    String::from_utf8(content).map_err(|_| Failure::usage("is not UTF-8 text").at(path))
}

fn write_text(path: &Path, text: &str) -> Result<(), Failure> {
    write_atomic(path, text.as_bytes())
}
