//! Columns in order: one for each layer of an engine, say, as they run.

use super::axis::Axis;
use super::figure::{CHARACTER, Figure, fitting, left_out, visible};
use super::marks::{self, LOOKS, Look, MOST_MARKS};
use super::number::{number, px};
use maud::{Markup, html};
use std::collections::BTreeSet;

/// One column: its parts from the bottom up.
#[derive(Debug, Clone, PartialEq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Values of its parts, each with the number of its series; parts that are no number or negative are left out.
    pub parts: Vec<(usize, f64)>,
}

/// Columns side by side in a given order, each stacked of parts.
#[derive(Debug, Clone, PartialEq)]
pub struct Columns {
    figure: Figure,
    axis: Axis,
    order: String,
    columns: Vec<Column>,
}

impl Columns {
    /// An empty chart; `order` says what the columns follow: `layer, in execution order`.
    #[must_use]
    pub fn new(id: &str, title: &str, description: &str, axis: Axis, order: &str) -> Self {
        let mut figure = Figure::new(id, title, description);
        figure.size = (960.0, 290.0);
        figure.scrolls = true;
        Self { figure, axis: axis.including(0.0), order: order.to_owned(), columns: Vec::new() }
    }

    /// Names a series; parts refer to series by number in the order of these calls.
    #[must_use]
    pub fn series(mut self, name: &str) -> Self {
        let look = self.figure.key.len();
        self.figure.key.push((visible(name), Look::Area(look)));
        self
    }

    /// The columns.
    #[must_use]
    pub fn columns(mut self, columns: Vec<Column>) -> Self {
        self.columns = columns;
        self
    }

    /// A sentence below the chart.
    #[must_use]
    pub fn note(mut self, note: impl Into<String>) -> Self {
        self.figure.notes.push(note.into());
        self
    }

    /// The chart as a figure.
    #[must_use]
    pub fn render(&self) -> Markup {
        let mut figure = self.figure.clone();
        let shown = &self.columns[..self.columns.len().min(MOST_MARKS)];
        if shown.len() < self.columns.len() {
            figure.notes.push(format!(
                "Shown are the first {} of {}.",
                number(shown.len() as f64),
                number(self.columns.len() as f64)
            ));
        }
        let mut dropped = 0;
        let parts: Vec<Vec<(usize, f64)>> = shown
            .iter()
            .map(|column| {
                let good =
                    column.parts.iter().filter_map(|(s, v)| Some((*s, self.axis.accepts(*v).filter(|v| *v >= 0.0)?)));
                let good: Vec<(usize, f64)> = good.take(LOOKS).collect();
                dropped += column.parts.len() - good.len();
                good
            })
            .collect();
        figure.notes.extend(left_out(dropped, "they are no number, or negative"));
        let (width, height) = figure.size;
        let (top, bottom, right) = (24.0, height - 42.0, width - 10.0);
        let heights = parts.iter().map(|parts| parts.iter().map(|p| p.1).sum::<f64>());
        let scale = self.axis.span(heights, bottom, top);
        let ticks = scale.ticks(6);
        let widest = ticks.iter().map(|t| t.label.chars().count()).max().unwrap_or(1) as f64;
        let left = (widest * CHARACTER + 12.0).clamp(34.0, 96.0);
        let pitch = (right - left) / shown.len().max(1) as f64;
        let (gap, mut looks) = ((pitch * 0.15).min(3.0), BTreeSet::new());
        // A number below every so many columns, as they fit; names are too long, and are told when pointed at.
        let digits = shown.len().max(1).to_string().len() as f64;
        let every = [1, 2, 5, 10, 20, 50, 100, 200, 500]
            .into_iter()
            .find(|n| pitch * f64::from(*n) >= digits * CHARACTER + 10.0);
        let drawing = html! {
            @for tick in &ticks {
                line class="grid" x1=(px(left)) x2=(px(right)) y1=(px(tick.at)) y2=(px(tick.at)) {}
                text class="tick" x=(px(left - 6.0)) y=(px(tick.at + 4.0)) text-anchor="end" { (tick.label) }
            }
            @for (i, (column, parts)) in shown.iter().zip(&parts).enumerate() {
                ({
                    let x = left + pitch * i as f64 + gap / 2.0;
                    let mut below = 0.0;
                    html! {
                        @for (series, value) in parts {
                            ({
                                let (base, tip) = (scale.at(below), scale.at(below + value));
                                below += value;
                                looks.insert(series % LOOKS);
                                let series_name = self.figure.key.get(*series).map_or("", |(name, _)| name);
                                let words = format!("{}. {} ({series_name}): {}", i + 1, column.name, number(*value));
                                html! {
                                    rect fill=(marks::fill(&figure.id, *series)) x=(px(x)) y=(px(tip))
                                        width=(px((pitch - gap).max(0.3))) height=(px((base - tip).max(0.0))) { title { (visible(&words)) } }
                                }
                            })
                        }
                        @if every.is_some_and(|every| (i + 1) % every as usize == 0) {
                            text class="tick" x=(px(x + (pitch - gap) / 2.0)) y=(px(bottom + 16.0)) text-anchor="middle" { (i + 1) }
                        }
                    }
                })
            }
            path class="axis" d=(format!("M{} {}V{}H{}", px(left), px(top), px(bottom), px(right))) {}
            text class="tick" x=(px(right)) y=(px(bottom + 34.0)) text-anchor="end" { (fitting(&self.order, right - left)) }
            text class="tick" x="2" y="13" { (fitting(self.axis.label(), right)) }
            @if shown.is_empty() { text x=(px(width / 2.0)) y=(px(height / 2.0)) text-anchor="middle" { "nothing to show" } }
        };
        figure.around(&drawing, &looks)
    }
}
