//! What a worker may take, and what was started, for every command that starts workers by an engine.

use clap::Args;
use engines::{Resources, Secret, Submission};
use shared::failure::Failure;
use shared::printer::Printer;

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
    /// Kubernetes: claim of the volume that holds the folder of all batches or studies.
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
    /// Workers that run at once; all where it is none.
    pub(super) fn throttle(&self) -> Option<u64> {
        self.throttle
    }

    /// What they ask for, with a warning where this build makes no use of it.
    ///
    /// # Errors
    /// A secret that is none.
    pub(super) fn resources(&self, printer: &Printer) -> Result<Resources, Failure> {
        if self.gpus > 0 {
            printer.warn("GPUs are asked of the engine, and this build computes on the processor");
        }
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

/// Says what was started.
pub(super) fn say_submitted(submission: &Submission, printer: &Printer) {
    printer.say(format!("started: {}", submission.started.describe(submission.workers)));
}
