//! `host-trainer batch show` and `status`.

use super::place::{One, Place};
use crate::cli::runtime;
use crate::output::{Csv, Format, number, render, score, write};
use batch::folder::{batches, find};
use batch::status::{Counts, Shown, Status, TaskStatus, status};
use clap::Args;
use shared::failure::{Failure, Kind};
use shared::figures::duration;
use shared::printer::Printer;
use std::time::Duration;

/// Digits of a task's name that are shown.
const DIGITS: usize = 12;

/// Show all batches: where their tasks stand, by class and architecture.
#[derive(Debug, Args)]
pub(super) struct Show {
    /// Batch to show alone: its folder, its name, or its number [default: all].
    #[arg(value_name = "BATCH")]
    batch: Option<String>,
    #[command(flatten)]
    place: Place,
    /// Show the names of the batches only.
    #[arg(long)]
    names: bool,
    /// Show it again every so many seconds until all is done.
    #[arg(long, value_name = "S", num_args = 0..=1, default_missing_value = "5")]
    watch: Option<f64>,
    /// Do not ask the engine for its jobs.
    #[arg(long)]
    no_engine: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Show {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        let runtime = runtime::build()?;
        loop {
            let (found, wrong) = match &self.batch {
                Some(name) => (vec![batch::folder::Batch::open(&find(&self.place.batches, name)?)?], Vec::new()),
                None => batches(&self.place.batches)?,
            };
            wrong.iter().for_each(|failure| printer.warn(failure.to_string()));
            if self.names {
                let names: String = found.iter().map(|batch| format!("{}\n", batch.name())).collect();
                return printer.data(&names);
            }
            let mut all = Vec::new();
            for batch in &found {
                match runtime.block_on(status(batch, !self.no_engine)) {
                    Ok(status) => all.push(status),
                    // One whose database is away does not hide the others.
                    Err(failure) if self.batch.is_none() => printer.warn(format!("{}: {failure}", batch.name())),
                    Err(failure) => return Err(failure),
                }
            }
            print(&all, self.format, printer)?;
            let open = all.iter().any(|status| status.counts.open() > 0);
            match self.watch {
                Some(seconds) if open => {
                    let pause = Duration::try_from_secs_f64(seconds)
                        .map_err(|e| Failure::usage(format!("--watch: {e}")))?
                        .max(Duration::from_millis(100));
                    let ended = runtime.block_on(async {
                        let interrupted = runtime::interrupted()?;
                        tokio::select! {
                            () = interrupted => Ok::<bool, Failure>(true),
                            () = tokio::time::sleep(pause) => Ok(false),
                        }
                    })?;
                    if ended {
                        return Err(Failure::new(Kind::Interrupted, "interrupted; the batches go on"));
                    }
                }
                _ => return Ok(()),
            }
        }
    }
}

const STATES: [&str; 6] = ["pending", "running", "done", "failed", "lost", "cancelled"];

fn cells(counts: &Counts) -> Vec<String> {
    [counts.pending, counts.running, counts.done, counts.failed, counts.lost, counts.cancelled]
        .map(|count| count.to_string())
        .to_vec()
}

fn print(all: &[Status], format: Format, printer: &Printer) -> Result<(), Failure> {
    for status in all {
        status.notes.iter().for_each(|note| printer.warn(note));
    }
    let header: Vec<&str> =
        ["batch", "model"].into_iter().chain(STATES).chain(["best", "left", "description"]).collect();
    let rows = |human: bool| -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for status in all {
            let best = status.best.values().copied().reduce(f64::min);
            let shown = |best: Option<f64>| if human { score(best) } else { number(best) };
            let left = if human { duration(status.seconds_left) } else { number(status.seconds_left) };
            let mut row = vec![status.name.clone(), "all".to_owned()];
            row.extend(cells(&status.counts));
            row.extend([shown(best), left, status.description.clone()]);
            rows.push(row);
            for (label, counts) in &status.models {
                let mut row = vec![if human { String::new() } else { status.name.clone() }, label.clone()];
                row.extend(cells(counts));
                row.extend([shown(status.best.get(label).copied()), String::new(), String::new()]);
                rows.push(row);
            }
        }
        rows
    };
    let human = || {
        if all.is_empty() {
            return "there are no batches here; `batch generate` writes one\n".to_owned();
        }
        let mut text = render(&header, rows(true), 2);
        for status in all {
            let active = status.workers.len();
            let jobs: Vec<String> = status.slurm.iter().map(|(state, count)| format!("{count} {state}")).collect();
            if active > 0 || !jobs.is_empty() {
                let jobs = if jobs.is_empty() { String::new() } else { format!("; Slurm: {}", jobs.join(", ")) };
                text += &format!("{}: {active} workers{jobs}\n", status.name);
            }
        }
        text
    };
    write(printer, format, all, || Csv::text(header.clone(), rows(false)), human)
}

/// Show the tasks of a batch one by one.
#[derive(Debug, Args)]
pub(super) struct StatusCommand {
    #[command(flatten)]
    one: One,
    /// Only tasks that stand so: pending, running, done, failed, lost, cancelled.
    #[arg(long, value_name = "STATE", value_delimiter = ',')]
    state: Vec<String>,
    /// Do not ask the engine for its jobs.
    #[arg(long)]
    no_engine: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

fn name(shown: Shown) -> &'static str {
    match shown {
        Shown::Pending => "pending",
        Shown::Running => "running",
        Shown::Done => "done",
        Shown::Failed => "failed",
        Shown::Lost => "lost",
        Shown::Cancelled => "cancelled",
    }
}

impl StatusCommand {
    pub(super) fn run(self, printer: &Printer) -> Result<(), Failure> {
        if let Some(state) = self.state.iter().find(|state| !STATES.contains(&state.as_str())) {
            let near = shared::near::near(state, &STATES);
            return Err(Failure::usage(format!("--state: no task stands `{state}`{near}")));
        }
        let batch = self.one.open()?;
        let mut status = runtime::block_on(status(&batch, !self.no_engine))??;
        status.notes.iter().for_each(|note| printer.warn(note));
        let tasks = std::mem::take(&mut status.tasks);
        let shown: Vec<&TaskStatus> = tasks
            .iter()
            .filter(|task| self.state.is_empty() || self.state.iter().any(|state| state == name(task.shown)))
            .collect();
        let header = ["number", "task", "model", "state", "claims", "failures", "lost", "worker", "reason"];
        let row = |task: &&TaskStatus| {
            let row = &task.row;
            vec![
                row.number.to_string(),
                row.id.chars().take(DIGITS).collect(),
                task.label.clone(),
                name(task.shown).to_owned(),
                row.claims.to_string(),
                row.failures.to_string(),
                row.lost.to_string(),
                row.owner.clone().unwrap_or_default(),
                row.reason.clone().unwrap_or_default(),
            ]
        };
        write(
            printer,
            self.format,
            &serde_json::json!({ "batch": status, "tasks": shown }),
            || Csv::text(header, shown.iter().map(row)),
            || render(&header, shown.iter().map(row).collect(), 9),
        )
    }
}
