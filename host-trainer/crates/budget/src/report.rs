//! All checks, and what they come to.

use crate::baseline::Baseline;
use crate::budgets::{Budgets, Level};
use crate::check::{Check, Subject};
use crate::network::Network;
use crate::verdict::Verdict;
use compare::{Comparison, Side};
use serde::Serialize;

/// The JSON document's own version.
pub const SCHEMA_VERSION: u32 = 1;

/// What an undecided check counts as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Undecided {
    /// As one that fails.
    Fail,
    /// As a warning.
    #[default]
    Warn,
    /// As one that passes.
    Pass,
}

/// How much a check matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Not at all: it passes.
    None,
    /// It is a warning.
    Warning,
    /// It makes the command fail.
    Error,
}

/// All checks of some engines.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA_VERSION`].
    pub schema_version: u32,
    /// The budgets file.
    pub budgets: String,
    /// What an undecided check counts as.
    pub undecided: Undecided,
    /// Whether no check makes the command fail.
    pub passed: bool,
    /// Networks checked.
    pub networks: usize,
    /// Checks in the order of engines and measures.
    pub checks: Vec<Check>,
    /// What a user should know: engines without a limit, patterns that mean no engine.
    pub warnings: Vec<String>,
}

impl Report {
    /// Checks engines against budgets and, for limits on change, a baseline.
    #[must_use]
    pub fn of(budgets: &Budgets, sides: &[Side], baseline: &Baseline, undecided: Undecided) -> Self {
        let networks: Vec<Network> = sides.iter().map(|side| Network::of(&side.name)).collect();
        let (mut checks, mut warnings) = (Vec::new(), Vec::new());
        for (network, side) in networks.iter().zip(sides) {
            let limits = budgets.limits_of(network);
            if limits.is_empty() {
                warnings.push(format!("{}: no budget is about it", network.path));
                continue;
            }
            let before = baseline.of(network).map(|before| (before, Comparison::of(before, side)));
            let subject = Subject { network, side, baseline: before, has_baselines: baseline.is_given() };
            checks.extend(limits.iter().map(|limit| subject.check(limit)));
        }
        for (pattern, line) in budgets.unused(&networks) {
            warnings.push(format!("{}: line {line}: `{pattern}` matches no network", budgets.path.display()));
        }
        let mut report = Self {
            schema_version: SCHEMA_VERSION,
            budgets: budgets.path.display().to_string(),
            undecided,
            passed: true,
            networks: networks.len(),
            checks,
            warnings,
        };
        report.passed = report.count(Severity::Error) == 0;
        report
    }

    /// How much a check matters.
    #[must_use]
    pub fn severity(&self, check: &Check) -> Severity {
        let of_level = match check.level {
            Level::Error => Severity::Error,
            Level::Warn => Severity::Warning,
        };
        match (check.verdict, self.undecided) {
            (Verdict::Pass, _) | (Verdict::Undecided, Undecided::Pass) => Severity::None,
            (Verdict::Undecided, Undecided::Warn) => Severity::Warning,
            (Verdict::Undecided, Undecided::Fail) | (Verdict::Fail, _) => of_level,
        }
    }

    /// How many checks matter so much.
    #[must_use]
    pub fn count(&self, severity: Severity) -> usize {
        self.checks.iter().filter(|check| self.severity(check) == severity).count()
    }

    /// The checks that matter, the worst first: failed before undecided, then the furthest beyond its limit.
    #[must_use]
    pub fn worst(&self) -> Vec<&Check> {
        let mut worst: Vec<&Check> = self.checks.iter().filter(|c| self.severity(c) > Severity::None).collect();
        worst.sort_by(|a, b| {
            let rank = |check: &Check| (self.severity(check), check.verdict);
            rank(b).cmp(&rank(a)).then_with(|| b.excess().total_cmp(&a.excess()))
        });
        worst
    }

    /// The whole in one sentence.
    #[must_use]
    pub fn sentence(&self) -> String {
        let of = |verdict| self.checks.iter().filter(|check| check.verdict == verdict).count();
        format!(
            "{} of {} limits are kept, {} fail, {} undecided",
            of(Verdict::Pass),
            self.checks.len(),
            of(Verdict::Fail),
            of(Verdict::Undecided)
        )
    }
}
