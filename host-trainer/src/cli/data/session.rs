//! What the commands share: the folder opened, a runtime, a bar, times and sizes for people.

use super::super::progress;
use shared::failure::{Failure, Kind};
use shared::printer::Printer;
use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use store::work::{Progress, WorkingCopy};

/// Where a command works.
pub(super) struct At {
    pub(super) folder: PathBuf,
    pub(super) printer: Printer,
}

/// Requests and reads under way at a time, unless something else was asked for.
pub(super) const JOBS: u16 = 8;

impl At {
    /// The folder, opened. Paths below it that the user may give stand for it.
    pub(super) fn open(&self) -> Result<WorkingCopy, Failure> {
        WorkingCopy::open(&self.folder)
    }

    /// Runs something to its end, with a bar where somebody looks. Ctrl-C ends it: what was sent or fetched is kept, and the
    /// same command goes on from there.
    pub(super) fn run<T>(
        &self,
        progress: Option<Arc<Progress>>,
        work: impl Future<Output = Result<T, Failure>>,
    ) -> Result<T, Failure> {
        let runtime = crate::cli::runtime::build()?;
        let outcome = runtime.block_on(async {
            let interrupted = async {
                // Without a way to hear of Ctrl-C, the system ends the process, which is as safe.
                if tokio::signal::ctrl_c().await.is_err() {
                    std::future::pending::<()>().await;
                }
            };
            let drawn = async {
                match progress {
                    Some(progress) => draw(&self.printer, &progress).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                outcome = work => outcome,
                () = interrupted => Err(Failure::new(Kind::Interrupted, "interrupted")
                    .help("the same command goes on where it was")),
                () = drawn => unreachable!("a bar is drawn until the work is done"),
            }
        });
        // Blocking reads under way are not waited for.
        runtime.shutdown_background();
        outcome
    }
}

async fn draw(printer: &Printer, progress: &Progress) {
    let bar = progress::bar(printer, 0, "MiB");
    let started = Instant::now();
    loop {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let (done, total) = (progress.done_bytes.load(Ordering::Relaxed), progress.total_bytes.load(Ordering::Relaxed));
        bar.set_length(total >> 20);
        bar.set_position(done >> 20);
        let rate = done as f64 / started.elapsed().as_secs_f64() / 1e6;
        bar.set_message(format!("{rate:.1} MB/s"));
    }
}

/// Bytes for people.
pub(super) fn bytes(count: u64) -> String {
    match count {
        0..1_000 => format!("{count} B"),
        1_000..1_000_000 => format!("{:.1} kB", count as f64 / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", count as f64 / 1e6),
        _ => format!("{:.2} GB", count as f64 / 1e9),
    }
}

/// A moment for people: UTC, to the second.
pub(super) fn moment(unix_ms: u64) -> String {
    let ns = i64::try_from(unix_ms).unwrap_or(i64::MAX).saturating_mul(1_000_000);
    let stamp = shared::run_folder::stamp::format_stamp(ns);
    // `YYYYMMDD-HH:MM:SS.ffffff`
    match (stamp.get(0..4), stamp.get(4..6), stamp.get(6..8), stamp.get(9..17)) {
        (Some(year), Some(month), Some(day), Some(time)) => format!("{year}-{month}-{day} {time}"),
        _ => stamp,
    }
}

/// Who commits, where nobody is named: the account's name.
pub(super) fn account() -> String {
    ["USER", "LOGNAME", "USERNAME"]
        .iter()
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
        .unwrap_or_else(|| "unknown".into())
}

/// A folder that a command may create.
pub(super) fn create(folder: &Path) -> Result<(), Failure> {
    std::fs::create_dir_all(folder).map_err(|e| Failure::io(folder, "create", &e))
}

/// A snapshot's name as people write it.
pub(super) fn short(digest: store::Digest) -> String {
    digest.to_string()[..12].to_owned()
}
