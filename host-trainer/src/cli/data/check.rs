//! `data verify`, `data gc`.

use super::session::{At, JOBS, bytes};
use crate::output::{Format, json};
use clap::Args;
use shared::failure::{Failure, Kind};
use std::time::{Duration, SystemTime};
use store::Error;
use store::snapshot::{collect, verify};

/// Read and hash every byte of the store, and list damaged objects and the files they affect.
#[derive(Debug, Args)]
pub(super) struct Verify {
    /// Maximum number of concurrent requests.
    #[arg(long, default_value_t = JOBS, value_parser = clap::value_parser!(u16).range(1..=256))]
    jobs: u16,
    /// Output format.
    #[arg(long, value_enum, default_value_t)]
    format: Format,
}

impl Verify {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let copy = at.open()?;
        let progress = copy.progress();
        let report = at.run(Some(progress.clone()), async {
            // Any other error is damage, which is the answer to be found.
            if let Err(error @ (Error::Absent { .. } | Error::Lost { .. } | Error::Backend { .. })) =
                copy.find_store().await
            {
                return Err(error.into());
            }
            Ok(verify(copy.store(), self.jobs.into(), &progress).await?)
        })?;
        if self.format == Format::Json {
            at.printer.data(&json(&report)?)?;
        } else {
            let mut out = format!(
                "{} objects, {}; {} snapshots on {} branches\n",
                report.objects,
                bytes(report.bytes),
                report.snapshots,
                report.branches
            );
            if report.unreachable_packs > 0 {
                out += &format!(
                    "{} packs that nothing leads to, {} of them torn: pushes cut off or under way\n",
                    report.unreachable_packs,
                    report.torn.len()
                );
            }
            for damage in &report.damage {
                out += &format!("DAMAGED {}: {}\n", damage.object, damage.reason);
                for file in &damage.files {
                    out += &format!("  {file}\n");
                }
                if damage.affected_files > damage.files.len() {
                    out += &format!("  and {} more\n", damage.affected_files - damage.files.len());
                }
            }
            at.printer.data(&shared::failure::printable(&out))?;
        }
        if report.damage.is_empty() {
            Ok(())
        } else {
            Err(Failure::new(Kind::AnswerIsNo, format!("{} objects of the store are damaged", report.damage.len()))
                .help("restore them from another copy of the store; a push of the same files does not replace them"))
        }
    }
}

/// Remove objects that no branch or tag refers to, such as those of interrupted pushes.
#[derive(Debug, Args)]
pub(super) struct Gc {
    /// Only list what would be removed.
    #[arg(long)]
    dry_run: bool,
    /// Keep objects younger than this many days.
    #[arg(long, value_name = "DAYS", default_value_t = 14, value_parser = clap::value_parser!(u16).range(1..))]
    grace_days: u16,
}

impl Gc {
    pub(super) fn run(&self, at: &At) -> Result<(), Failure> {
        let copy = at.open()?;
        let grace = Duration::from_secs(u64::from(self.grace_days) * 24 * 3600);
        let cache = tempfile::tempdir()
            .map_err(|e| Failure::new(Kind::Io, format!("no temporary folder: {e}")).caused_by(e))?;
        let collected = at.run(None, async {
            copy.find_store().await?;
            Ok(collect(copy.store(), grace, self.dry_run, SystemTime::now(), cache.path()).await?)
        })?;
        let list: String = collected.removed.iter().map(|object| format!("{object}\n")).collect();
        at.printer.data(&list)?;
        at.printer.say(format!(
            "{} {} objects, {}; {} are in use, {} too young",
            if self.dry_run { "would remove" } else { "removed" },
            collected.removed.len(),
            bytes(collected.removed_bytes),
            collected.reachable,
            collected.young
        ));
        Ok(())
    }
}
