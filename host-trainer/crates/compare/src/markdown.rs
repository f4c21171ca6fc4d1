//! A comparison as Markdown, for a comment on a change or a summary of a job.

use crate::change::{GroupChange, Part};
use crate::comparison::Comparison;
use crate::words::precision;
use shared::failure::printable;
use shared::figures::{UNKNOWN, change, figure, known};
use std::fmt::Write as _;

/// Text from outside as part of a Markdown table: one line, with nothing that Markdown or HTML reads as markup.
///
/// ```
/// assert_eq!(compare::escaped("a|b <i> `c`\n*d*"), "a\\|b &lt;i> \\`c\\` \\*d\\*");
/// ```
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in printable(text).chars() {
        match character {
            '\n' | '\r' | '\t' => escaped.push(' '),
            '<' => escaped.push_str("&lt;"),
            '&' => escaped.push_str("&amp;"),
            '|' | '\\' | '`' | '*' | '_' | '[' | ']' | '#' | '~' => escaped.extend(['\\', character]),
            other => escaped.push(other),
        }
    }
    escaped
}

/// Writes a comparison, with the groups whose run time changes most, at most `top`; 0 writes all in execution order.
#[must_use]
pub fn markdown(comparison: &Comparison, top: usize) -> String {
    let (a, b) = (&comparison.a, &comparison.b);
    let mut text = format!("### {} → {}\n\n", escaped(&a.name), escaped(&b.name));
    for cause in &comparison.causes {
        let _ = writeln!(text, "- {}", escaped(cause));
    }
    text.push_str("\n| | A | B |\n|---|--:|--:|\n");
    let at_least = |value: Option<f64>, is: bool| match value {
        Some(value) if is => format!("≥ {value:.3}"),
        value => figure(value, 3),
    };
    let rows = [
        (
            "run time, ms",
            at_least(a.runtime_ms, a.runtime_is_lower_bound),
            at_least(b.runtime_ms, b.runtime_is_lower_bound),
        ),
        ("energy, mJ", at_least(a.energy_mj, a.energy_is_lower_bound), at_least(b.energy_mj, b.energy_is_lower_bound)),
        ("average power, W", figure(a.average_power_w, 2), figure(b.average_power_w, 2)),
        ("layers", a.layers.to_string(), b.layers.to_string()),
        ("reformats", a.conversions.to_string(), b.conversions.to_string()),
        ("run time of reformats, ms", figure(a.conversions_ms, 3), figure(b.conversions_ms, 3)),
    ];
    for (name, first, second) in rows {
        let _ = writeln!(text, "| {name} | {first} | {second} |");
    }
    let mut groups: Vec<&GroupChange> = comparison.groups.iter().collect();
    if top > 0 {
        groups = comparison.by_change();
        groups.truncate(top);
    }
    text.push_str(
        "\n| operators | layers A → B | precision A → B | A ms | B ms | change ms |\n|---|--:|---|--:|--:|--:|\n",
    );
    for group in &groups {
        let sides = [&group.a, &group.b];
        let layers = sides.map(|part| part.as_ref().map_or(0, |part| part.layers.len()).to_string());
        let formats = sides.map(|part| known(part.as_ref(), formats));
        let ms = sides.map(|part| figure(part.as_ref().and_then(|part| part.runtime_ms), 4));
        let change = change(group.runtime_change_ms, 4);
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} | {} | {change} |",
            escaped(&group.name),
            layers.join(" → "),
            formats.join(" → "),
            ms[0],
            ms[1],
        );
    }
    if groups.len() < comparison.groups.len() {
        let _ = writeln!(text, "\n{} of {} groups, those that change most.", groups.len(), comparison.groups.len());
    }
    for warning in &comparison.warnings {
        let _ = writeln!(text, "\n> {}", escaped(warning));
    }
    text
}

fn formats(part: &Part) -> String {
    match part.precision.is_empty() {
        true => UNKNOWN.to_owned(),
        false => part.precision.iter().map(|p| precision(*p)).collect::<Vec<_>>().join("+"),
    }
}

#[cfg(test)]
mod tests {
    use crate::{Comparison, Side, SideLayer, markdown};
    use shared::units::Millis;

    #[test]
    fn a_name_cannot_break_the_table() {
        let layer = SideLayer { runtime: Some(Millis(1.0)), ..SideLayer::named(0, "a|b\n<script>") };
        let side = Side::measured("x", vec![layer]);
        let text = markdown(&Comparison::of(&side, &side), 10);
        assert!(text.contains("a\\|b &lt;script>"), "{text}");
        let rows: Vec<&str> = text.lines().filter(|line| line.starts_with("| ") && line.contains("script")).collect();
        assert_eq!(rows.len(), 1);
    }
}
