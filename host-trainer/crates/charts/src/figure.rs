//! The frame that all charts share: caption, key and notes around the drawing, and text shortened to fit.

use super::marks::{self, Look};
use super::number::number;
use maud::{Markup, html};
use std::collections::BTreeSet;

/// Pixels that one character of a chart's text takes, about.
pub(super) const CHARACTER: f64 = 6.7;

/// The parts of a figure.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct Figure {
    /// Names the figure within its page, and what is in it.
    pub(super) id: String,
    /// What it shows.
    pub(super) title: String,
    /// A description for readers who cannot see it.
    pub(super) description: String,
    /// Names of the series with their looks.
    pub(super) key: Vec<(String, Look)>,
    /// Notes below the drawing: what was left out, and why.
    pub(super) notes: Vec<String>,
    /// Width and height of the drawing.
    pub(super) size: (f64, f64),
    /// Whether a narrow page scrolls the drawing rather than shrinks it.
    pub(super) scrolls: bool,
}

impl Figure {
    pub(super) fn new(id: &str, title: &str, description: &str) -> Self {
        Self {
            id: identifier(id),
            title: visible(title),
            description: shared::failure::printable(description),
            ..Self::default()
        }
    }

    /// The figure around a drawing. `looks` are those whose patterns the drawing fills areas with.
    pub(super) fn around(&self, drawing: &Markup, looks: &BTreeSet<usize>) -> Markup {
        let Self { id, size: (width, height), .. } = self;
        let (title_id, description_id) = (format!("{id}-t"), format!("{id}-d"));
        let svg = html! {
            svg viewBox=(format!("0 0 {width} {height}")) role="img" aria-labelledby=(format!("{title_id} {description_id}")) {
                title id=(title_id) { (self.title) }
                desc id=(description_id) { (self.description) }
                @if !looks.is_empty() { defs { @for look in looks { (marks::pattern(id, *look)) } } }
                (drawing)
            }
        };
        html! {
            figure class="chart" id=(id) {
                figcaption { (self.title) }
                @if self.key.len() > 1 {
                    ul class="key" { @for (name, look) in &self.key { li { (marks::sample(*look)) span { (name) } } } }
                }
                // What scrolls must be within reach of the keyboard.
                @if self.scrolls {
                    div class="scroll" tabindex="0" role="region" aria-label=(format!("{} (scrolls)", self.title)) { (svg) }
                } @else { (svg) }
                @for note in &self.notes { p class="note" { (shared::failure::printable(note)) } }
            }
        }
    }
}

/// An identifier that is safe in an attribute and in a reference: letters, digits and hyphens.
fn identifier(id: &str) -> String {
    let safe: String = id.chars().take(64).map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    if safe.starts_with(|c: char| c.is_ascii_alphabetic()) { safe } else { format!("c{safe}") }
}

/// Text shortened to a width, keeping beginning and end, which is where layer names differ. Control characters, which no
/// page may hold, become visible.
pub(super) fn fitting(text: &str, pixels: f64) -> String {
    let text = shared::failure::printable(text);
    let most = ((pixels / CHARACTER) as usize).max(2);
    let count = text.chars().count();
    if count <= most {
        return text;
    }
    let head = most / 2;
    let tail = most - head - 1;
    let start: String = text.chars().take(head).collect();
    let end: String = text.chars().skip(count - tail).collect();
    format!("{start}…{end}")
}

/// Text of a tooltip or key: visible characters only, and at most 300 of them.
pub(super) fn visible(text: &str) -> String {
    shared::failure::printable(text).chars().take(300).collect()
}

/// Evenly spaced indices of a series, all of them if they are few.
pub(super) fn thinned(count: usize, most: usize) -> impl Iterator<Item = usize> {
    let kept = count.min(most.max(1));
    (0..kept).map(move |i| if kept < count { i * count / kept } else { i })
}

/// The note about marks that are left out.
pub(super) fn left_out(count: usize, why: &str) -> Option<String> {
    match count {
        0 => None,
        1 => Some(format!("One value is left out: {why}.")),
        _ => Some(format!("{} values are left out: {why}.", number(count as f64))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_does_not_fit_keeps_both_ends() {
        assert_eq!(fitting("abcdefghij", 5.0 * CHARACTER), "ab…ij");
        assert_eq!(fitting("äbc", 3.0 * CHARACTER), "äbc");
        assert_eq!(fitting("a\u{1b}b", 100.0), "a\u{fffd}b");
    }

    #[test]
    fn identifiers_hold_nothing_that_could_break_out() {
        assert_eq!(identifier("a b\"><script>"), "a-b---script-");
        assert_eq!(identifier("1x"), "c1x");
    }

    #[test]
    fn thinning_keeps_to_its_limit_and_spreads_out() {
        assert_eq!(thinned(5, 10).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
        assert_eq!(thinned(10, 5).collect::<Vec<_>>(), [0, 2, 4, 6, 8]);
        assert_eq!(thinned(0, 5).count(), 0);
    }
}
