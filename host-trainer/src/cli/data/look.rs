//! `data status`, `data log`, `data diff`.

use super::session::{At, bytes, moment, short};
use crate::output::{self, Csv, Format};
use clap::Args;
use shared::failure::Failure;
use store::snapshot::{Change, Difference, Snapshot};

/// Show local changes, and how the folder compares with the store.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Do not contact the store.
    #[arg(long)]
    offline: bool,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Status {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = at.open()?;
        let progress = copy.progress();
        let status = at.run(Some(progress), async {
            if !self.offline {
                copy.fetch().await?;
            }
            copy.status().await
        })?;
        output::write(&at.printer, self.format, &status, || csv(&status.changes), || human(&status))
    }
}

fn human(status: &store::work::Status) -> String {
    let head = status.head.map_or_else(|| "nothing committed".into(), short);
    let mut out = format!("branch {}, {head}", status.branch);
    if status.detached {
        out += " (an older snapshot)";
    }
    out += &match (status.ahead, status.behind) {
        (0, false) => String::new(),
        (0, true) => ", behind the store: `data pull`".into(),
        (n, false) => format!(", {n} to push"),
        (n, true) => format!(", {n} to push, behind the store: `data pull` first"),
    };
    out += "\n";
    out + &changes(&status.changes)
}

/// List a snapshot and its predecessors.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// Snapshot to start from.
    #[arg(default_value = "HEAD")]
    revision: String,
    /// Maximum number of snapshots.
    #[arg(long, short = 'n', default_value_t = 20)]
    number: usize,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Log {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = at.open()?;
        let log = at.run(None, async {
            let from = copy.resolve(&self.revision).await?;
            copy.log(from, self.number).await
        })?;
        let entries: Vec<LogEntry<'_>> =
            log.iter().map(|(digest, snapshot)| LogEntry { snapshot: *digest, says: snapshot }).collect();
        let header = ["snapshot", "time (UTC)", "author", "message", "runs", "files", "bytes"];
        output::write(
            &at.printer,
            self.format,
            &entries,
            || Csv::text(header, entries.iter().map(LogEntry::full)),
            || output::render(&header, entries.iter().map(LogEntry::brief).collect(), 4),
        )
    }
}

/// A snapshot of the log, as JSON has it.
#[derive(Debug, serde::Serialize)]
struct LogEntry<'a> {
    snapshot: store::Digest,
    says: &'a Snapshot,
}

impl LogEntry<'_> {
    /// Everything in full, for programs.
    fn full(&self) -> Vec<String> {
        let s = self.says;
        vec![
            self.snapshot.to_string(),
            moment(s.time_unix_ms),
            s.author.clone(),
            s.message.clone(),
            s.runs.len().to_string(),
            s.files.to_string(),
            s.bytes.to_string(),
        ]
    }

    /// What fits a line, for people.
    fn brief(&self) -> Vec<String> {
        let mut cells = self.full();
        cells[0] = short(self.snapshot);
        cells[3] = output::shorten(self.says.title(), 50);
        cells[6] = bytes(self.says.bytes);
        cells
    }
}

/// List the files that differ between two snapshots.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// First snapshot [default: the one before the second].
    before: Option<String>,
    /// Second snapshot.
    #[arg(default_value = "HEAD")]
    after: String,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Diff {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = at.open()?;
        let changed = at.run(None, async {
            let after = copy.resolve(&self.after).await?;
            let before = match &self.before {
                Some(before) => Some(copy.resolve(before).await?),
                None => copy.objects().snapshot(after).await?.parent,
            };
            copy.diff(before, after).await
        })?;
        output::write(&at.printer, self.format, &changed, || csv(&changed), || changes(&changed))
    }
}

fn word(change: Change) -> &'static str {
    match change {
        Change::Added => "added",
        Change::Removed => "removed",
        Change::Modified => "modified",
    }
}

fn changes(changed: &[Difference]) -> String {
    changed.iter().map(|d| format!("{:<8} {}\n", word(d.change), shared::failure::printable(&d.path))).collect()
}

fn csv(changed: &[Difference]) -> Result<String, Failure> {
    let size = |bytes: Option<u64>| bytes.map_or_else(String::new, |bytes| bytes.to_string());
    let row = |d: &Difference| vec![word(d.change).into(), d.path.clone(), size(d.before_bytes), size(d.after_bytes)];
    Csv::text(["change", "path", "before_bytes", "after_bytes"], changed.iter().map(row))
}
