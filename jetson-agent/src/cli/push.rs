//! `push`.

use super::context::Context;
use crate::board::probe;
use clap::Args;
use shared::digest::sha256;
use shared::failure::{Failure, Kind};
use shared::run_folder::{Manifest, Status};
use std::path::{Path, PathBuf};
use store::Store;
use store::work::{CommitOptions, FOLDER, Pushed, WorkingCopy};

/// Run folders lie at most so deep below `raw_data`: `run1/<model>`.
const DEPTH: usize = 3;

/// Attempts, since others may push to the same branch; after these something else is wrong.
const TURNS: usize = 50;

/// Put run folders under version. The same command goes on where it was cut off.
#[derive(Debug, Args)]
pub(super) struct PushArgs {
    /// The folder with the run folders.
    #[arg(default_value = "raw_data")]
    folder: PathBuf,
    /// The store, the first time: a folder, s3://bucket/folder, gs://…, az://…. Credentials come from the environment or the
    /// profile, never from the URL.
    #[arg(long, value_name = "URL", env = "JETSON_AGENT_STORE")]
    remote: Option<String>,
    /// The folder of the snapshots that this one stands for, the first time.
    #[arg(long, value_name = "FOLDER", default_value = "raw_data")]
    remote_dir_path: String,
    /// The branch, the first time; by default one for this board.
    #[arg(long)]
    branch: Option<String>,
    /// Why.
    #[arg(long, short, default_value = "run folders from the board")]
    message: String,
    /// Transfers under way at a time.
    #[arg(long, default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

#[derive(serde::Serialize)]
struct Answer {
    schema_version: u32,
    branch: String,
    snapshot: Option<String>,
    requests: u64,
    sent_bytes: u64,
    /// Runs that still go on, left out.
    running: Vec<String>,
}

impl PushArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        if !self.folder.is_dir() {
            return Err(Failure::new(Kind::Io, "no such folder")
                .at(&self.folder)
                .help("give the folder that holds the run folders"));
        }
        let board = probe(&context.root).model;
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .enable_all()
            .build()
            .map_err(|e| Failure::new(Kind::Io, format!("no threads: {e}")).caused_by(e))?;
        let mut copy = self.open(board.as_deref(), &runtime)?;
        let mut running = Vec::new();
        find_running(&self.folder, "", &mut running, DEPTH);
        for run in &running {
            context.printer.warn(format!(
                "{run} is left out: it still goes on, or was cut off and waits for `jetson-agent recover`"
            ));
        }
        let options = CommitOptions {
            message: self.message.clone(),
            author: board.unwrap_or_else(|| "jetson-agent".into()),
            program: format!("jetson-agent {}", env!("CARGO_PKG_VERSION")),
            keep_missing: true,
            skip: running.clone(),
        };
        runtime.block_on(async {
            copy.fetch().await?;
            if copy.state().head().is_none() && copy.state().remote.contains_key(&copy.state().branch) {
                // Another folder has pushed to it: this folder's files are added to its.
                copy.pull_history().await?;
            }
            copy.commit(&options).await?;
            if copy.state().head().is_none() {
                return Err(Failure::data("holds no run that can be pushed").at(&self.folder));
            }
            for _ in 0..TURNS {
                if copy.push(self.jobs.into()).await? != Pushed::Behind {
                    return Ok(());
                }
                copy.pull_history().await?;
            }
            Err(Failure::new(Kind::Io, "others push to this branch all the time")
                .help("give this board a --branch of its own"))
        })?;
        let traffic = copy.store().traffic();
        let answer = Answer {
            schema_version: 1,
            branch: copy.state().branch.clone(),
            snapshot: copy.state().head().map(|digest| digest.to_string()),
            requests: traffic.requests,
            sent_bytes: traffic.sent_bytes,
            running,
        };
        context.answer(&answer, |answer| {
            let snapshot = answer.snapshot.as_deref().unwrap_or_default();
            format!(
                "{} is at {snapshot}: {} requests, {} bytes sent\n",
                answer.branch, answer.requests, answer.sent_bytes
            )
        })
    }

    /// The folder under version; the first time it is put there, and the store made if it is not there yet.
    fn open(&self, board: Option<&str>, runtime: &tokio::runtime::Runtime) -> Result<WorkingCopy, Failure> {
        if self.folder.join(FOLDER).join("config.json").exists() {
            let copy = WorkingCopy::open(&self.folder)?;
            let other = self.branch.as_ref().filter(|branch| **branch != copy.state().branch);
            if let Some(other) = other {
                return Err(Failure::usage(format!(
                    "this folder pushes to `{}`, not to `{other}`",
                    copy.state().branch
                ))
                .at(&self.folder)
                .help("remove its .edge folder to start anew"));
            }
            return Ok(copy);
        }
        let remote = self.remote.as_ref().ok_or_else(|| {
            Failure::usage("no store is known for this folder").at(&self.folder).help("name it once with --remote URL")
        })?;
        let branch = self.branch.clone().unwrap_or_else(|| branch_of(board));
        let store = Store::open(remote)?;
        WorkingCopy::check_init(&self.folder, &store, &self.remote_dir_path, &branch)?;
        runtime.block_on(store.make())?;
        WorkingCopy::init(&self.folder, remote, store, &self.remote_dir_path, &branch)
    }
}

/// The board's model and six digits that tell it from others of that model, as a branch's name.
fn branch_of(board: Option<&str>) -> String {
    let model: String = board
        .unwrap_or("board")
        .to_ascii_lowercase()
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect::<Vec<_>>()
        .join("-");
    // Only a hash of the machine's identity: branches are shared.
    let identity = std::fs::read("/etc/machine-id").unwrap_or_default();
    let hash = &sha256(&identity)[..6];
    let model: String = model.chars().take(80).collect();
    format!("{}-{hash}", if model.is_empty() { "board" } else { &model })
}

/// Run folders whose run has no end.
fn find_running(folder: &Path, prefix: &str, running: &mut Vec<String>, depth: usize) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let (Some(name), true) = (entry.file_name().to_str().map(str::to_owned), entry.path().is_dir()) else {
            continue;
        };
        if name == FOLDER || entry.path().is_symlink() {
            continue;
        }
        let below = format!("{prefix}{name}");
        match Manifest::read(&entry.path().join("manifest.json")) {
            Ok(manifest) if manifest.status == Status::Running => running.push(below),
            Ok(_) => {}
            Err(_) if depth > 1 => find_running(&entry.path(), &format!("{below}/"), running, depth - 1),
            Err(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_board_has_a_branch_of_its_own() {
        let branch = branch_of(Some("NVIDIA Jetson Orin Nano Developer Kit\0"));
        assert!(branch.starts_with("nvidia-jetson-orin-nano-developer-kit-"), "{branch}");
        assert!(store::snapshot::check_ref(&branch).is_ok() && store::snapshot::check_ref(&branch_of(None)).is_ok());
    }
}
