//! `host-trainer batch generate`.

use super::answer::say_generated;
use super::place::Place;
use crate::cli::engine_args::{ResourceArgs, say_submitted};
use crate::cli::runtime;
use batch::configuration::ModelChoice;
use batch::folder::Keeper;
use batch::submit::Submit;
use clap::Args;
use engines::Engine;
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
            models: self.models.as_deref().map_or_else(|| Ok(Vec::new()), ModelChoice::parse)?,
            array: self.array,
            epochs: self.epochs,
            samples_per_epoch: self.samples_per_epoch,
            early_stop: match (self.early_stop, self.no_early_stop) {
                (true, _) => Some(true),
                (false, true) => Some(false),
                (false, false) => None,
            },
            copy_data: !self.reference_data,
            ..batch::generate::Generate::here(self.config.clone(), batches)
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
            resources: self.resources.resources(printer)?,
            workers: self.workers,
            queue: self.queue.as_deref().map(Keeper::parse).transpose().map_err(Failure::usage)?,
            artefacts: self.artefacts.clone(),
            copy_program: self.copy_program,
            trial: !self.no_trial,
            force: self.force,
            ..self.what.settings(self.place.batches.clone())?
        };
        let batch = runtime::block_on(settings.run())??;
        say_generated(&batch, printer);
        if self.run {
            let submit = Submit { throttle: self.resources.throttle(), ..Submit::default() };
            say_submitted(&submit.run(&batch)?, printer);
        }
        printer.data(&format!("{}\n", batch.root.display()))
    }
}
