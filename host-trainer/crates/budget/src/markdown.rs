//! A report as Markdown, for the summary of a job or a comment on a change.

use crate::report::{Report, Severity};
use crate::verdict::Verdict;
use compare::escaped;
use std::fmt::Write as _;

/// Most rows of the table; GitHub refuses a summary of more than 1 MiB.
const ROWS: usize = 500;

/// Writes a report: what fails first, then all in their order.
#[must_use]
pub fn markdown(report: &Report) -> String {
    let mark = if report.passed { "✅" } else { "❌" };
    let mut text = format!("### {mark} Energy and latency budgets\n\n{}.\n\n", report.sentence());
    for check in report.worst().iter().take(10) {
        let mark = if report.severity(check) == Severity::Error { "❌" } else { "⚠️" };
        let _ = writeln!(text, "- {mark} {}", escaped(&check.sentence()));
    }
    let more = report.worst().len().saturating_sub(10);
    if more > 0 {
        let _ = writeln!(text, "- {more} more");
    }
    text.push_str("\n| network | measure | value | limit | verdict |\n|---|---|--:|--:|---|\n");
    for check in report.checks.iter().take(ROWS) {
        let verdict = match check.verdict {
            Verdict::Pass => "pass",
            Verdict::Undecided => "**undecided**",
            Verdict::Fail => "**fail**",
        };
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {verdict} |",
            escaped(&check.network),
            check.measure.label(),
            escaped(&check.value_text()),
            escaped(&check.limit_text()),
        );
    }
    if report.checks.len() > ROWS {
        let _ = writeln!(text, "\n{} more limits are not listed.", report.checks.len() - ROWS);
    }
    for warning in report.warnings.iter().take(ROWS) {
        let _ = writeln!(text, "\n> {}", escaped(warning));
    }
    text
}
