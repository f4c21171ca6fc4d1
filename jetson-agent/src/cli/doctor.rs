//! `doctor`.

use super::context::Context;
use crate::board::{DoctorInput, examine};
use crate::power::discover;
use crate::runner::trtexec;
use clap::Args;
use shared::failure::{Failure, Kind};
use shared::run_folder::{Check, Verdict};
use std::path::{Path, PathBuf};

/// Check the board.
#[derive(Debug, Args)]
pub(super) struct DoctorArgs {
    /// Where run folders would go.
    #[arg(long, default_value = "raw_data")]
    result_dir: PathBuf,
    /// Path of `trtexec`.
    #[arg(long)]
    trtexec: Option<PathBuf>,
}

#[derive(serde::Serialize)]
struct Answer {
    schema_version: u32,
    verdict: Verdict,
    checks: Vec<Check>,
}

impl DoctorArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let checks = checks(context, &self.result_dir, self.trtexec.as_deref());
        let verdict = checks.iter().map(|check| check.verdict).max().unwrap_or(Verdict::Pass);
        context.answer(&Answer { schema_version: 1, verdict, checks }, |answer| {
            let mut out = String::new();
            for check in &answer.checks {
                out += &format!("{:<4} {}: {}\n", word(check.verdict), check.name, check.message);
                if let Some(advice) = &check.advice {
                    out += &format!("     hint: {advice}\n");
                }
            }
            out
        })?;
        if verdict == Verdict::Fail {
            return Err(Failure::new(Kind::AnswerIsNo, "this board cannot be measured as it stands"));
        }
        Ok(())
    }
}

pub(super) fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "PASS",
        Verdict::Warn => "WARN",
        Verdict::Fail => "FAIL",
    }
}

/// What the doctor finds, for the command and for every run's manifest.
pub(super) fn checks(context: &Context, result_dir: &Path, program: Option<&Path>) -> Vec<Check> {
    let candidates = discover(&context.root);
    let trtexec = trtexec::find(program).map(|path| {
        let version = trtexec::installed_version(&path);
        (path, version)
    });
    examine(&DoctorInput {
        root: &context.root,
        candidates: &candidates,
        result_dir: result_dir.to_owned(),
        trtexec,
        tensorrt: crate::runner::tensorrt_version(),
    })
}
