//! Engines that work on a study: the options, and starting the workers.

use super::local;
use super::place::VARIABLE;
use super::work::Stopped;
use crate::cli::engine_args::{ResourceArgs, say_submitted};
use clap::Args;
use engines::{Engine, Resources};
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;
use std::time::Duration;
use tune::folder::{Layout, StudyFolder};
use tune::origin::Origin;
use tune::studies::{Location, Specification, Studies, Study, Trial};

/// The folder of all studies that engines work on.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct TunesArg {
    /// Folder of all studies that engines work on.
    #[arg(long, value_name = "DIR", env = "HOST_TRAINER_TUNES", default_value = "tunes")]
    pub(in crate::cli) tunes: PathBuf,
}

/// What works on a study, if not this process.
#[derive(Debug, Args)]
#[command(next_help_heading = "Engines")]
pub(super) struct EngineArgs {
    /// Engine that starts workers: local, slurm, kubernetes, or ssh:HOST,HOST [default: this process works].
    #[arg(long, value_name = "ENGINE")]
    on: Option<Engine>,
    /// Workers [default: 1].
    #[arg(long, value_name = "N", requires = "on", value_parser = clap::value_parser!(u64).range(1..=100_000))]
    workers: Option<u64>,
    #[command(flatten)]
    tunes: TunesArg,
    /// Store that machines without the study's folder fetch it from, by URL.
    #[arg(long, value_name = "URL", requires = "on")]
    artefacts: Option<String>,
    /// Copy this program into the study's folder.
    #[arg(long, requires = "on")]
    copy_program: bool,
    /// Write the study's folder and start no worker: `studies submit` does, and so does what lies in the folder.
    #[arg(long, requires = "on")]
    no_submit: bool,
    #[command(flatten)]
    resources: ResourceArgs,
}

/// The study that is asked for.
pub(super) struct Asked<'a> {
    pub(super) name: &'a str,
    pub(super) specification: &'a Specification,
    pub(super) trials: u64,
    pub(super) jobs: usize,
    pub(super) lease: Duration,
    pub(super) location: &'a Location,
}

/// An engine with what it needs.
pub(super) struct On<'a> {
    args: &'a EngineArgs,
    engine: &'a Engine,
    resources: Resources,
    workers: u64,
}

impl EngineArgs {
    /// The engine; none where this process works. Says what workers will lack.
    ///
    /// # Errors
    /// Options of engines without one.
    pub(super) fn on(&self, asked: &Asked<'_>, printer: &Printer) -> Result<Option<On<'_>>, Failure> {
        let Some(engine) = &self.on else {
            if self.resources.resources(printer)? != Resources::default() {
                return Err(Failure::usage("processors, memory, time and the like are asked of an engine")
                    .help("name one by --on local, slurm, kubernetes or ssh:HOST,HOST"));
            }
            return Ok(None);
        };
        let workers = self.workers.unwrap_or(1);
        let at_once = workers.saturating_mul(asked.jobs as u64);
        if at_once > asked.specification.generation {
            printer.warn(format!(
                "{at_once} trials could run at once, and a generation has {}: the others wait",
                asked.specification.generation
            ));
            printer.say("hint: --generation sets how many trials do not wait for each other; it is part of the study");
        }
        let resources = self.resources.resources(printer)?;
        let by_secret = resources.secrets.iter().any(|secret| [VARIABLE, "PGPASSWORD"].contains(&secret.key.as_str()));
        match engine {
            Engine::Ssh(_) if asked.location.holds_password() => {
                printer.warn("hosts are not given the database's password; they need it in ~/.pgpass");
            }
            Engine::Kubernetes if asked.location.holds_password() && !by_secret => {
                printer.warn(format!(
                    "pods are not given the database's password; name a secret, --secret NAME:{VARIABLE}"
                ));
            }
            _ => {}
        }
        Ok(Some(On { args: self, engine, resources, workers }))
    }
}

impl On<'_> {
    /// Whether this process waits for the workers.
    pub(super) fn waits(&self) -> bool {
        self.engine.is_here() && !self.args.no_submit
    }

    /// The study's folder that is to be.
    pub(super) fn layout<'a>(&'a self, asked: &Asked<'a>, rows: &'a Origin) -> Layout<'a> {
        Layout {
            tunes: &self.args.tunes.tunes,
            name: asked.name,
            specification: asked.specification,
            trials: asked.trials,
            rows,
            database: asked.location,
            artefacts: self.args.artefacts.as_deref(),
            engine: self.engine,
            resources: &self.resources,
            workers: self.workers,
            jobs: asked.jobs,
            lease_s: asked.lease.as_secs_f64(),
            copy_program: self.args.copy_program,
        }
    }

    /// Starts the workers. Those here are waited for, and the study is given with its trials; of others it is said how to follow
    /// them. `database` is what they are told.
    pub(super) async fn work(
        &self,
        studies: &Studies,
        study: &Study,
        folder: &StudyFolder,
        database: &str,
        printer: &Printer,
    ) -> Result<Option<(Study, Vec<Trial>)>, Stopped> {
        let job = folder.job(local::environment(database))?;
        let throttle = self.resources.throttle;
        if self.waits() {
            let workers = throttle.unwrap_or(self.workers).clamp(1, self.workers);
            return local::work(studies, study, &job, workers, printer).await.map(Some);
        }
        studies.close().await;
        if self.args.no_submit {
            printer.say(format!("start workers by {}/submit.sh", folder.root.display()));
        } else {
            let started = engines::start(&job, self.workers, throttle, &[])?;
            say_submitted(&engines::record(&folder.root, self.workers, &[], started)?, printer);
        }
        printer.say(format!(
            "follow it by `host-trainer studies show {}`; the same command without --on takes the result",
            folder.root.display()
        ));
        printer.data(&format!("{}\n", folder.root.display()))?;
        Ok(None)
    }
}
