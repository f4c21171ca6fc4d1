//! Shares of a whole: one stacked bar with the figures beside it.

use super::figure::{Figure, fitting, left_out, visible};
use super::marks::{self, LOOKS};
use super::number::{drawable, number, px};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// A part of a whole.
#[derive(Debug, Clone, PartialEq)]
pub struct Share {
    /// Its name.
    pub name: String,
    /// Its amount, in the whole's unit.
    pub amount: f64,
}

/// A whole and its parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Breakdown {
    figure: Figure,
    unit: String,
    shares: Vec<Share>,
    /// Whether the parts are all there is.
    is_whole: bool,
}

impl Breakdown {
    /// A chart of these parts, largest first. Parts beyond [`LOOKS`] − 1 are drawn as one.
    #[must_use]
    pub fn new(id: &str, title: &str, description: &str, unit: &str, shares: Vec<Share>) -> Self {
        Self { figure: Figure::new(id, title, description), unit: visible(unit), shares, is_whole: true }
    }

    /// The chart of parts that are not all there is; `note` says what is missing.
    #[must_use]
    pub fn lacking(mut self, note: impl Into<String>) -> Self {
        self.figure.notes.push(note.into());
        self.is_whole = false;
        self
    }

    /// The chart as a figure.
    #[must_use]
    pub fn render(&self) -> Markup {
        const ROW: f64 = 24.0;
        let mut figure = self.figure.clone();
        let mut parts: Vec<(String, f64)> = self
            .shares
            .iter()
            .filter_map(|share| Some((share.name.clone(), drawable(share.amount).filter(|v| *v > 0.0)?)))
            .collect();
        let nothing = self.shares.iter().filter(|share| share.amount == 0.0).count();
        figure.notes.extend(left_out(self.shares.len() - parts.len() - nothing, "they are no number, or negative"));
        parts.sort_by(|a, b| b.1.total_cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        if parts.len() > LOOKS {
            let rest = parts.split_off(LOOKS - 1);
            parts.push((format!("{} others", rest.len()), rest.iter().map(|p| p.1).sum()));
        }
        let whole: f64 = parts.iter().map(|p| p.1).sum();
        let (width, left, top, bar) = (440.0, 4.0, 4.0, 34.0);
        let across = width - 2.0 * left;
        let looks: BTreeSet<usize> = (0..parts.len()).collect();
        figure.size = (width, top + bar + 10.0 + ROW * (parts.len().max(1) + 1) as f64);
        let mut before = 0.0;
        let row = |i: usize| top + bar + 26.0 + ROW * i as f64;
        let drawing = html! {
            @for (i, (name, amount)) in parts.iter().enumerate() {
                ({
                    let share = amount / whole;
                    let x = left + across * before;
                    before += share;
                    let words = format!("{name}: {} {}, {:.1} %", number(*amount), self.unit, 100.0 * share);
                    html! {
                        rect fill=(marks::fill(&figure.id, i)) x=(px(x)) y=(px(top)) width=(px((across * share - 1.0).max(0.5))) height=(px(bar)) {
                            title { (visible(&words)) }
                        }
                        rect fill=(marks::fill(&figure.id, i)) x=(px(left)) y=(px(row(i) - 12.0)) width="22" height="14" {}
                        text x=(px(left + 30.0)) y=(px(row(i))) { (fitting(name, 200.0)) }
                        text class="tick" x=(px(width - 90.0)) y=(px(row(i))) text-anchor="end" { (number(*amount)) " " (self.unit) }
                        text class="tick" x=(px(width - 4.0)) y=(px(row(i))) text-anchor="end" { (format!("{:.1} %", 100.0 * share)) }
                    }
                })
            }
            @if !parts.is_empty() {
                line class="grid" x1=(px(left)) x2=(px(width - left)) y1=(px(row(parts.len()) - 16.0)) y2=(px(row(parts.len()) - 16.0)) {}
                text x=(px(left + 30.0)) y=(px(row(parts.len()))) { (if self.is_whole { "total" } else { "sum of these" }) }
                text x=(px(width - 90.0)) y=(px(row(parts.len()))) text-anchor="end" { (number(whole)) " " (self.unit) }
            } @else {
                text x=(px(width / 2.0)) y=(px(row(0))) text-anchor="middle" { "nothing to show" }
            }
        };
        figure.around(&drawing, &looks)
    }
}
