//! A report as JUnit XML, as the schemas that Jenkins and others publish ask for it: a suite for each engine, a test for each
//! limit.

use crate::check::Check;
use crate::report::{Report, Severity};
use crate::verdict::Verdict;
use std::fmt::Write as _;

/// Text within XML: markup is escaped, and what XML 1.0 does not allow is replaced.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&apos;"),
            '\n' => escaped.push_str("&#10;"),
            '\t' => escaped.push_str("&#9;"),
            '\r' => escaped.push_str("&#13;"),
            c if c.is_control() || matches!(c, '\u{fffe}' | '\u{ffff}') => escaped.push(char::REPLACEMENT_CHARACTER),
            c => escaped.push(c),
        }
    }
    escaped
}

/// Writes a report. `timestamp` is the time of the check, `YYYY-MM-DDTHH:MM:SS`.
#[must_use]
pub fn junit(report: &Report, timestamp: &str) -> String {
    let failures = |checks: &[&Check]| checks.iter().filter(|c| report.severity(c) == Severity::Error).count();
    let skipped = |checks: &[&Check]| {
        checks.iter().filter(|c| c.verdict == Verdict::Undecided && report.severity(c) != Severity::Error).count()
    };
    let mut suites: Vec<(&str, Vec<&Check>)> = Vec::new();
    for check in &report.checks {
        match suites.last_mut() {
            Some((file, checks)) if *file == check.file => checks.push(check),
            _ => suites.push((&check.file, vec![check])),
        }
    }
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites>\n");
    for (id, (file, checks)) in suites.iter().enumerate() {
        let _ = writeln!(
            text,
            "  <testsuite id=\"{id}\" name=\"{}\" package=\"budgets\" timestamp=\"{}\" hostname=\"localhost\" \
             tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"0\">",
            escaped(file),
            escaped(timestamp),
            checks.len(),
            failures(checks),
            skipped(checks),
        );
        let _ = writeln!(
            text,
            "    <properties>\n      <property name=\"budgets\" value=\"{}\"/>\n    </properties>",
            escaped(&report.budgets)
        );
        for check in checks {
            case(report, check, &mut text);
        }
        text.push_str("    <system-out/>\n    <system-err/>\n  </testsuite>\n");
    }
    text.push_str("</testsuites>\n");
    text
}

fn case(report: &Report, check: &Check, text: &mut String) {
    let name = format!("{} {}", check.measure.label(), check.limit_text());
    let _ =
        write!(text, "    <testcase name=\"{}\" classname=\"{}\" time=\"0\"", escaped(&name), escaped(&check.network));
    let sentence = escaped(&check.sentence());
    let inside = match (report.severity(check), check.verdict) {
        (Severity::Error, verdict) => {
            Some(format!("<failure type=\"{}\" message=\"{sentence}\">{sentence}</failure>", verdict.name()))
        }
        (_, Verdict::Undecided) => Some(format!("<skipped message=\"{sentence}\"/>")),
        _ => None,
    };
    match inside {
        Some(inside) => {
            let _ = writeln!(text, ">\n      {inside}\n    </testcase>");
        }
        None => text.push_str("/>\n"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_cannot_end_an_attribute() {
        assert_eq!(escaped("a\"b'<c>&\u{1}\n"), "a&quot;b&apos;&lt;c&gt;&amp;\u{fffd}&#10;");
    }
}
