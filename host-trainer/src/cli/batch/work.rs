//! `host-trainer batch work`: a worker.

use crate::cli::runtime;
use batch::folder::{Batch, find};
use batch::worker::{Event, Settings, Worker};
use clap::Args;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// Work on the tasks of a batch until none is left. Any number of workers may do so at once; engines start them.
#[derive(Debug, Args)]
pub(super) struct Work {
    /// Batch: its folder, its name, its number, or what a manifest names.
    #[arg(value_name = "BATCH")]
    batch: String,
    #[command(flatten)]
    place: super::place::Place,
    /// Model whose tasks are worked on [default: all]. May be repeated.
    #[arg(long, value_name = "CLASS.ARCHITECTURE")]
    only: Vec<String>,
    /// Tasks to work on at once.
    #[arg(long, value_name = "N", default_value_t = 1)]
    jobs: usize,
    /// Seconds without a sign of life after which another worker takes over a task.
    #[arg(long, value_name = "S", default_value_t = tune::leases::LEASE.as_secs_f64())]
    lease: f64,
    /// Seconds in which a worker that is told to stop keeps where it is and hands its tasks back.
    #[arg(long, value_name = "S", default_value_t = 20.0)]
    grace: f64,
    /// Least seconds between two checkpoints of a task.
    #[arg(long, value_name = "S", default_value_t = 5.0)]
    checkpoint_after: f64,
    /// Tasks after which the worker ends [default: no limit].
    #[arg(long, value_name = "N")]
    max_tasks: Option<u64>,
    /// Folder for what is fetched of a batch in a store [default: a temporary one].
    #[arg(long, value_name = "DIR", env = "HOST_TRAINER_BATCH_CACHE")]
    cache: Option<PathBuf>,
}

impl Work {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let seconds = |name: &str, value: f64| {
            Duration::try_from_secs_f64(value).map_err(|e| Failure::usage(format!("--{name}: {e}")))
        };
        let settings = Settings {
            lease: seconds("lease", self.lease)?.max(Duration::from_millis(100)),
            jobs: self.jobs,
            only: self.only.clone(),
            most: self.max_tasks,
            checkpoint_after: seconds("checkpoint-after", self.checkpoint_after)?,
            grace: seconds("grace", self.grace)?,
            ..Settings::default()
        };
        let temporary = tempfile::tempdir().map_err(|e| Failure::new(Kind::Io, format!("a temporary folder: {e}")))?;
        let cache = self.cache.clone().unwrap_or_else(|| temporary.path().to_owned());
        let place = match self.batch.contains("://") {
            true => self.batch.clone(),
            false => find(&self.place.batches, &self.batch)?.display().to_string(),
        };
        let runtime = runtime::build()?;
        let printer = *printer;
        let stop = CancellationToken::new();
        let done = runtime.block_on(async {
            let batch = Batch::find(&place, &cache).await?;
            printer.say(format!("{}: {} works on {} tasks", batch.name(), settings.owner, batch.tasks.len()));
            let worker = Arc::new(Worker::new(batch, settings, move |event| say(&event, &printer)).await?);
            let interrupted = runtime::interrupted()?;
            let run = worker.run(&stop);
            tokio::pin!(run, interrupted);
            tokio::select! {
                done = &mut run => done,
                () = &mut interrupted => {
                    interrupted_note(&printer);
                    stop.cancel();
                    // From here on only the worker is waited for.
                    run.await.and(Err(Failure::new(Kind::Interrupted, "interrupted; tasks in hand were handed back")
                        .help("the same command goes on with the batch")))
                }
            }
        });
        // Whatever still computes has been handed back; waiting for it would only delay the end.
        runtime.shutdown_background();
        done
    }
}

fn interrupted_note(printer: &Printer) {
    printer.say("told to stop: keeping where tasks are and handing them back");
}

fn say(event: &Event, printer: &Printer) {
    let short = |task: &str| task.chars().take(12).collect::<String>();
    match event {
        Event::Claimed { label, task, from_epoch: None } => printer.say(format!("{label} {}: begun", short(task))),
        Event::Claimed { label, task, from_epoch: Some(epoch) } => {
            printer.say(format!("{label} {}: taken up after epoch {epoch}", short(task)));
        }
        Event::Done { label, task, score, seconds } => {
            printer.say(format!("{label} {}: done, score {score:.4}, {seconds:.1} s", short(task)));
        }
        Event::Failed { label, task, reason } => printer.warn(format!("{label} {}: failed: {reason}", short(task))),
        Event::GivenUp { task } => printer.say(format!("{}: handed back", short(task))),
        Event::Note(note) => printer.warn(note),
    }
}
