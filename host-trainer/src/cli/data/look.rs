//! `data status`, `data log`, `data diff`.

use super::super::{Format, table};
use super::session::{At, bytes, moment, short};
use clap::Args;
use shared::failure::Failure;
use store::snapshot::{Change, Difference};

/// Say what has changed, and how the folder stands to the store.
#[derive(Debug, Args)]
pub(super) struct Status {
    /// Do not ask the store.
    #[arg(long)]
    offline: bool,
    /// How the answer is written.
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
        match self.format {
            Format::Json => at.printer.data(&json(&status)?),
            Format::Csv => at.printer.data(&csv(&status.changes)?),
            Format::Human => {
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
                out += &changes(&status.changes);
                at.printer.data(&out)
            }
        }
    }
}

/// List a snapshot and those before it.
#[derive(Debug, Args)]
pub(super) struct Log {
    /// The snapshot to begin with.
    #[arg(default_value = "HEAD")]
    revision: String,
    /// List so many.
    #[arg(long, short = 'n', default_value_t = 20)]
    number: usize,
    /// How the answer is written.
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
        match self.format {
            Format::Json => {
                let entries: Vec<serde_json::Value> = log
                    .iter()
                    .map(|(digest, snapshot)| serde_json::json!({ "snapshot": digest, "says": snapshot }))
                    .collect();
                at.printer.data(&json(&entries)?)
            }
            Format::Human | Format::Csv => {
                let header = ["snapshot", "time (UTC)", "author", "message", "runs", "files", "bytes"];
                let csv = self.format == Format::Csv;
                let rows: Vec<Vec<String>> = log
                    .iter()
                    .map(|(digest, s)| {
                        vec![
                            if csv { digest.to_string() } else { short(*digest) },
                            moment(s.time_unix_ms),
                            s.author.clone(),
                            if csv { s.message.clone() } else { table::shorten(s.title(), 50) },
                            s.runs.len().to_string(),
                            s.files.to_string(),
                            if csv { s.bytes.to_string() } else { bytes(s.bytes) },
                        ]
                    })
                    .collect();
                if csv {
                    at.printer.data(&table::csv(&header, &rows)?)
                } else {
                    at.printer.data(&table::render(&header, rows, 4))
                }
            }
        }
    }
}

/// List the files that differ between two snapshots.
#[derive(Debug, Args)]
pub(super) struct Diff {
    /// The first; by default the one before the second.
    before: Option<String>,
    /// The second.
    #[arg(default_value = "HEAD")]
    after: String,
    /// How the answer is written.
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
        match self.format {
            Format::Json => at.printer.data(&json(&changed)?),
            Format::Csv => at.printer.data(&csv(&changed)?),
            Format::Human => at.printer.data(&changes(&changed)),
        }
    }
}

pub(super) fn json<T: serde::Serialize>(value: &T) -> Result<String, Failure> {
    serde_json::to_string_pretty(value).map(|text| text + "\n").map_err(|e| Failure::data(e.to_string()))
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
    let rows: Vec<Vec<String>> = changed
        .iter()
        .map(|d| vec![word(d.change).into(), d.path.clone(), size(d.before_bytes), size(d.after_bytes)])
        .collect();
    table::csv(&["change", "path", "before_bytes", "after_bytes"], &rows)
}
