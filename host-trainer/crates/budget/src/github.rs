//! Annotations as GitHub Actions reads them from a job's output (workflow commands).

use crate::report::{Report, Severity};
use std::fmt::Write as _;

/// Annotations that GitHub shows of one step, of each level.
const SHOWN: usize = 10;

/// Text of an annotation: a per cent sign and line ends would end it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of an annotation: a colon or comma would end it too.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// Writes the worst checks as annotations at their lines of the budgets file, at most ten, and how many more there are.
#[must_use]
pub fn annotations(report: &Report) -> String {
    let worst = report.worst();
    let mut text = String::new();
    let more = worst.len().saturating_sub(SHOWN);
    for check in worst.iter().take(SHOWN) {
        let level = match report.severity(check) {
            Severity::Error => "error",
            Severity::Warning | Severity::None => "warning",
        };
        let title = format!("{}: {} {}", check.network, check.measure.label(), check.verdict.name());
        let _ = writeln!(
            text,
            "::{level} file={},line={},title={}::{}",
            property(&report.budgets),
            check.line,
            property(&title),
            data(&check.sentence()),
        );
    }
    if more > 0 {
        let _ = writeln!(text, "{more} more; the summary lists all");
    }
    for warning in &report.warnings {
        let _ = writeln!(text, "::notice::{}", data(warning));
    }
    let _ = writeln!(text, "{}", data(&report.sentence()));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_an_annotation() {
        assert_eq!(data("5 % a\r\nb: c, d"), "5 %25 a%0D%0Ab: c, d");
        assert_eq!(property("a:b,c%"), "a%3Ab%2Cc%25");
    }
}
