//! `data push`, `data pull`, `data checkout`.

use super::session::{At, JOBS, bytes, short};
use clap::Args;
use shared::failure::{Failure, Kind};
use std::time::Instant;
use store::Traffic;
use store::work::{Pulled, Pushed, WorkingCopy, Written};

/// Send commits to the store. The branch moves last, so that nobody sees an interrupted push.
#[derive(Debug, Args)]
pub(super) struct Push {
    #[command(flatten)]
    transfer: Transfer,
}

/// Update the folder to the store's branch and check every byte. Local changes are never replaced without --force.
#[derive(Debug, Args)]
pub(super) struct Pull {
    #[command(flatten)]
    transfer: Transfer,
    /// Replace locally changed files, and list them.
    #[arg(long)]
    force: bool,
}

/// Set the folder to a snapshot: a branch, a tag or the first digits of a hash, each with ~N for the N-th before it.
#[derive(Debug, Args)]
pub(super) struct Checkout {
    /// The snapshot.
    revision: String,
    /// Maximum number of concurrent transfers.
    #[arg(long, default_value_t = JOBS, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Replace locally changed files, and list them.
    #[arg(long)]
    force: bool,
}

#[derive(Debug, Args)]
struct Transfer {
    /// Branch that the folder must be on; an empty folder switches to it.
    #[arg(long)]
    branch: Option<String>,
    /// Maximum number of concurrent transfers.
    #[arg(long, default_value_t = JOBS, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
}

impl Transfer {
    /// The folder, on the branch that was asked for.
    fn open(&self, at: &At) -> Result<WorkingCopy, Failure> {
        let mut copy = at.open()?;
        if let Some(branch) = self.branch.as_ref().filter(|branch| **branch != copy.state().branch) {
            copy.start_on(branch)?;
        }
        Ok(copy)
    }
}

impl Push {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = self.transfer.open(at)?;
        let (started, progress) = (Instant::now(), copy.progress());
        let pushed = at.run(Some(progress), copy.push(self.transfer.jobs.into()))?;
        match pushed {
            Pushed::UpToDate => at.printer.say("the store has everything"),
            Pushed::Done { snapshots, .. } => {
                let head = snapshots.last().map_or_else(String::new, |digest| short(*digest));
                let traffic = talk(copy.store().traffic(), started);
                at.printer.say(format!(
                    "{} is at {head}, {} snapshots further: {traffic}",
                    copy.state().branch,
                    snapshots.len()
                ));
            }
            Pushed::Behind => {
                return Err(Failure::new(
                    Kind::AnswerIsNo,
                    format!("`{}` has gone on in the store; nothing was overwritten", copy.state().branch),
                )
                .help("`data pull`, which puts your snapshots on top, then `data push`"));
            }
        }
        Ok(())
    }
}

impl Pull {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = self.transfer.open(at)?;
        let (started, progress) = (Instant::now(), copy.progress());
        let pulled = at.run(Some(progress), copy.pull(self.force, self.transfer.jobs.into()))?;
        let written = match pulled {
            Pulled::UpToDate => {
                at.printer.say("the folder has everything");
                return Ok(());
            }
            Pulled::Forward(written) => written,
            Pulled::Rebased(count, written) => {
                at.printer.say(format!("{count} snapshots of this folder were put on top; `data push` sends them"));
                written
            }
        };
        say(at, &written, copy.store().traffic(), started);
        Ok(())
    }
}

impl Checkout {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let mut copy = at.open()?;
        let (started, progress) = (Instant::now(), copy.progress());
        let written = at.run(Some(progress), copy.checkout(&self.revision, self.force, self.jobs.into()))?;
        say(at, &written, copy.store().traffic(), started);
        if let Some(digest) = copy.state().detached {
            at.printer.say(format!(
                "the folder is at {}, on no branch; `data checkout {}` goes back",
                short(digest),
                copy.state().branch
            ));
        }
        Ok(())
    }
}

fn say(at: &At, written: &Written, traffic: Traffic, started: Instant) {
    for path in &written.overwritten {
        at.printer.warn(format!("replaced your version of {path}"));
    }
    at.printer.say(format!(
        "{} files written, {}; {} removed: {}",
        written.files,
        bytes(written.bytes),
        written.removed,
        talk(traffic, started)
    ));
}

fn talk(traffic: Traffic, started: Instant) -> String {
    let seconds = started.elapsed().as_secs_f64();
    let moved = traffic.sent_bytes + traffic.received_bytes;
    format!(
        "{} requests, {} sent, {} received, {seconds:.1} s, {}/s",
        traffic.requests,
        bytes(traffic.sent_bytes),
        bytes(traffic.received_bytes),
        bytes((moved as f64 / seconds.max(1e-3)) as u64)
    )
}
