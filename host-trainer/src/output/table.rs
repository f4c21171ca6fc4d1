//! Aligned tables for people.

use comfy_table::{CellAlignment, ContentArrangement, Table, presets};
use shared::failure::printable;
use shared::figures::figure;

/// Renders rows under a header; columns are right-aligned from `numbers_from` on.
pub(crate) fn render(header: &[&str], rows: Vec<Vec<String>>, numbers_from: usize) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled).set_header(header);
    table.add_rows(rows.into_iter().map(|row| row.iter().map(|cell| printable(cell)).collect::<Vec<_>>()));
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
        if column.index >= numbers_from {
            column.set_cell_alignment(CellAlignment::Right);
        }
    }
    let mut text: String = table.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    if text.is_empty() {
        text.push('\n');
    }
    text
}

/// Shortens a name to a width, keeping its beginning and its end, which is where layer names differ.
pub(crate) fn shorten(name: &str, width: usize) -> String {
    let count = name.chars().count();
    if count <= width {
        return name.to_owned();
    }
    let head = width / 3;
    let tail = width - head - 1;
    let start: String = name.chars().take(head).collect();
    let end: String = name.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

/// A score with four decimals, or as a power of ten where they would show nothing but zeros.
pub(crate) fn score(value: Option<f64>) -> String {
    match value {
        Some(value) if value != 0.0 && value.abs() < 1e-3 => format!("{value:.2e}"),
        _ => figure(value, 4),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_score_is_not_shown_as_zero() {
        assert_eq!(score(Some(0.123_456)), "0.1235");
        assert_eq!(score(Some(0.000_001_234)), "1.23e-6");
        assert_eq!(score(Some(0.0)), "0.0000");
        assert_eq!(score(None), "–");
    }

    #[test]
    fn a_long_name_keeps_both_ends() {
        assert_eq!(shorten("abcdefghij", 7), "ab…ghij");
        assert_eq!(shorten("abc", 7), "abc");
    }

    #[test]
    fn numbers_stand_right() {
        let text = render(&["name", "n"], vec![vec!["a".into(), "1".into()], vec!["b".into(), "100".into()]], 1);
        assert_eq!(text, "name    n\na       1\nb     100\n");
    }
}
