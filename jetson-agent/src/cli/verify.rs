//! `verify`.

use super::context::Context;
use super::doctor::word;
use super::recover::run_folder;
use crate::session::{Finding, verify};
use clap::Args;
use shared::failure::{Failure, Kind};
use shared::run_folder::Verdict;
use std::path::PathBuf;

/// Check a run folder.
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The run folder.
    folder: PathBuf,
}

#[derive(serde::Serialize)]
struct Answer {
    schema_version: u32,
    whole: bool,
    findings: Vec<Finding>,
}

impl VerifyArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let findings = verify(&run_folder(&self.folder)?)?;
        let whole = findings.iter().all(|finding| finding.verdict != Verdict::Fail);
        context.answer(&Answer { schema_version: 1, whole, findings }, |answer| {
            let line = |f: &Finding| format!("{:<4} {}: {}\n", word(f.verdict), f.file, f.message);
            answer.findings.iter().map(line).collect()
        })?;
        if whole { Ok(()) } else { Err(Failure::new(Kind::AnswerIsNo, "the run folder is not whole").at(&self.folder)) }
    }
}
