//! `host-trainer batch generate`.

use super::answer::say_generated;
use super::place::Place;
use crate::cli::runtime;
use batch::configuration::ModelChoice;
use batch::engine::{Engine, Resources, Secret, Submit};
use batch::folder::Keeper;
use clap::Args;
use shared::failure::Failure;
use shared::printer::Printer;
use std::path::PathBuf;

/// What is trained, as `generate` and `add` are told.
#[derive(Debug, Args)]
pub(super) struct What {
    /// Configuration: data sets, models, trainings and which of their product are tasks (TOML or JSON).
    #[arg(long, value_name = "FILE", env = "HOST_TRAINER_BATCH_CONFIG", default_value = "batch.toml")]
    config: PathBuf,
    /// Models to train, each with the number of networks per job: `CLASS.ARCHITECTURE=N, …`; `*` stands for any text [default:
    /// the configuration's tasks].
    #[arg(long, value_name = "MODELS")]
    models: Option<String>,
    /// Jobs; each trains every model as often as --models says, from seeds of its own.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u64).range(1..=1_000_000))]
    array: u64,
    /// Epochs of every training [default: the configuration's].
    #[arg(long, visible_alias = "nb_epoch", value_name = "N")]
    epochs: Option<usize>,
    /// Rows per epoch, drawn at random [default: the configuration's, else all training rows].
    #[arg(long, visible_alias = "epoch_samples", value_name = "N")]
    samples_per_epoch: Option<usize>,
    /// Stop a training when its validation loss stops changing [default: the configuration's].
    #[arg(long, visible_alias = "intelligent", overrides_with = "no_early_stop")]
    early_stop: bool,
    /// Train every epoch.
    #[arg(long)]
    no_early_stop: bool,
    /// Leave data where they are instead of copying them into the batch.
    #[arg(long)]
    reference_data: bool,
}

impl What {
    pub(super) fn settings(&self, batches: PathBuf) -> Result<batch::generate::Generate, Failure> {
        Ok(batch::generate::Generate {
            configuration: self.config.clone(),
            batches,
            models: self.models.as_deref().map_or_else(|| Ok(Vec::new()), ModelChoice::parse)?,
            array: self.array,
            epochs: self.epochs,
            samples_per_epoch: self.samples_per_epoch,
            early_stop: match (self.early_stop, self.no_early_stop) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
            description: None,
            engine: Engine::Local,
            resources: Resources::default(),
            workers: None,
            queue: None,
            artefacts: None,
            copy_data: !self.reference_data,
            copy_program: false,
            trial: false,
            force: false,
        })
    }
}

/// What a worker may take.
#[derive(Debug, Args)]
pub(super) struct ResourceArgs {
    /// Processors per worker.
    #[arg(long, value_name = "N", default_value_t = 1)]
    cpus: u32,
    /// Memory per worker, MiB [default: the engine's].
    #[arg(long, value_name = "MIB")]
    memory: Option<u64>,
    /// GPUs to ask the engine for, per worker; this build computes on the processor.
    #[arg(long, value_name = "N", default_value_t = 0, default_missing_value = "1", num_args = 0..=1, visible_alias = "gpu")]
    gpus: u32,
    /// Workers that run at once [default: all].
    #[arg(long, value_name = "N")]
    throttle: Option<u64>,
    /// Seconds before its end that a worker is told to stop.
    #[arg(long, value_name = "S", default_value_t = 60)]
    grace: u32,
    /// Slurm: time limit, as `sbatch --time` takes it.
    #[arg(long, value_name = "TIME")]
    time: Option<String>,
    /// Slurm: partition.
    #[arg(long, value_name = "NAME")]
    partition: Option<String>,
    /// Slurm: account.
    #[arg(long, value_name = "NAME")]
    account: Option<String>,
    /// Kubernetes: image that has this program.
    #[arg(long, value_name = "IMAGE")]
    image: Option<String>,
    /// Kubernetes: namespace.
    #[arg(long, value_name = "NAME")]
    namespace: Option<String>,
    /// Kubernetes: claim of the volume that holds the folder of batches.
    #[arg(long, value_name = "NAME")]
    volume_claim: Option<String>,
    /// Kubernetes: keys of a secret that workers get as environment variables. May be repeated.
    #[arg(long, value_name = "NAME:KEY,KEY")]
    secret: Vec<String>,
    /// Kubernetes: label that nodes must have, with one value of several. May be repeated.
    #[arg(long, value_name = "KEY=VALUE|VALUE")]
    node: Vec<String>,
}

impl ResourceArgs {
    fn resources(&self) -> Result<Resources, Failure> {
        let secrets: Vec<Vec<Secret>> =
            self.secret.iter().map(|text| Secret::parse(text)).collect::<Result<_, _>>().map_err(Failure::usage)?;
        Ok(Resources {
            cpus: self.cpus,
            memory_mib: self.memory,
            gpus: self.gpus,
            throttle: self.throttle,
            grace_s: self.grace,
            time: self.time.clone(),
            partition: self.partition.clone(),
            account: self.account.clone(),
            image: self.image.clone(),
            namespace: self.namespace.clone(),
            volume_claim: self.volume_claim.clone(),
            secrets: secrets.concat(),
            nodes: self.node.clone(),
        })
    }
}

/// Write the folder of a new batch. Data, tasks and scripts are in it; moved or copied, it still runs.
#[derive(Debug, Args)]
pub(super) struct Generate {
    #[command(flatten)]
    what: What,
    #[command(flatten)]
    place: Place,
    /// What the batch is for [default: the configuration's].
    #[arg(long, value_name = "TEXT")]
    desc: Option<String>,
    /// Engine that starts workers: local, slurm, kubernetes, or ssh:HOST,HOST.
    #[arg(long, value_name = "ENGINE", default_value = "local")]
    on: Engine,
    /// Workers [default: as many as --array, at most one per task].
    #[arg(long, value_name = "N")]
    workers: Option<u64>,
    /// Where tasks are kept: sqlite, folder, a postgres:// URL without password, or the URL of an object store [default: sqlite
    /// for local workers, else folder].
    #[arg(long, value_name = "PLACE")]
    queue: Option<String>,
    /// Store of models and checkpoints, by URL [default: the batch folder].
    #[arg(long, value_name = "URL")]
    artefacts: Option<String>,
    /// Copy this program into the batch.
    #[arg(long)]
    copy_program: bool,
    /// Do not try a task to see what it takes.
    #[arg(long)]
    no_trial: bool,
    /// Generate a batch that does not fit into memory or on the disk.
    #[arg(long)]
    force: bool,
    /// Submit the batch at once.
    #[arg(long)]
    run: bool,
    #[command(flatten)]
    resources: ResourceArgs,
}

impl Generate {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let settings = batch::generate::Generate {
            description: self.desc.clone(),
            engine: self.on.clone(),
            resources: self.resources.resources()?,
            workers: self.workers,
            queue: self.queue.as_deref().map(Keeper::parse).transpose().map_err(Failure::usage)?,
            artefacts: self.artefacts.clone(),
            copy_program: self.copy_program,
            trial: !self.no_trial,
            force: self.force,
            ..self.what.settings(self.place.batches.clone())?
        };
        if self.resources.gpus > 0 {
            printer.warn("GPUs are asked of the engine, and this build computes on the processor");
        }
        let batch = runtime::block_on(settings.run())??;
        say_generated(&batch, printer);
        if self.run {
            let submit = Submit { throttle: self.resources.throttle, ..Submit::default() };
            super::answer::say_submitted(&submit.run(&batch)?, printer);
        }
        printer.data(&format!("{}\n", batch.root.display()))
    }
}
