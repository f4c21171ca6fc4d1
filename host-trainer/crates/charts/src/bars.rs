//! Horizontal bars with names and values, in a given order.

use super::axis::Axis;
use super::figure::{CHARACTER, Figure, fitting, left_out, visible};
use super::number::{number, px};
use maud::{Markup, html};

/// Bars drawn at most.
const MOST_BARS: usize = 60;

/// One bar.
#[derive(Debug, Clone, PartialEq)]
pub struct Bar {
    /// Its name.
    pub name: String,
    /// Its length; may be negative.
    pub value: f64,
    /// Its least and greatest value over repetitions, where there were several.
    pub range: Option<(f64, f64)>,
}

/// A chart of horizontal bars.
#[derive(Debug, Clone, PartialEq)]
pub struct Bars {
    figure: Figure,
    axis: Axis,
    bars: Vec<Bar>,
}

impl Bars {
    /// A chart of these bars, from the top down.
    #[must_use]
    pub fn new(id: &str, title: &str, description: &str, axis: Axis, bars: Vec<Bar>) -> Self {
        Self { figure: Figure::new(id, title, description), axis: axis.including(0.0), bars }
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
        const ROW: f64 = 22.0;
        const NAMES: f64 = 164.0;
        const VALUES: f64 = 58.0;
        let mut figure = self.figure.clone();
        let good: Vec<(&Bar, f64)> = self.bars.iter().filter_map(|b| Some((b, self.axis.accepts(b.value)?))).collect();
        figure.notes.extend(left_out(self.bars.len() - good.len(), "they are no number"));
        let shown = &good[..good.len().min(MOST_BARS)];
        if shown.len() < good.len() {
            figure.notes.push(format!("Shown are the first {} of {}.", shown.len(), number(good.len() as f64)));
        }
        let width = 440.0;
        let (left, right, top) = (NAMES, width - VALUES, 8.0);
        let bottom = top + ROW * shown.len().max(1) as f64;
        figure.size = (width, bottom + 40.0);
        let range = |bar: &Bar| {
            let (low, high) = bar.range?;
            Some((self.axis.accepts(low)?, self.axis.accepts(high)?))
        };
        let values = shown.iter().flat_map(|(bar, value)| {
            let (low, high) = range(bar).unwrap_or((*value, *value));
            [*value, low, high]
        });
        let scale = self.axis.span(values, left, right);
        let zero = scale.at(0.0);
        let drawing = html! {
            @for tick in scale.ticks_that_fit(CHARACTER, 10.0) {
                line class="grid" x1=(px(tick.at)) x2=(px(tick.at)) y1=(px(top)) y2=(px(bottom)) {}
                text class="tick" x=(px(tick.at)) y=(px(bottom + 16.0)) text-anchor="middle" { (tick.label) }
            }
            @for (i, (bar, value)) in shown.iter().enumerate() {
                ({
                    let middle = top + ROW * (i as f64 + 0.5);
                    let (from, to) = (zero.min(scale.at(*value)), zero.max(scale.at(*value)));
                    let range = range(bar).map(|(low, high)| (scale.at(low), scale.at(high)));
                    let words = format!("{}: {}", bar.name, number(*value));
                    html! {
                        text x=(px(left - 8.0)) y=(px(middle + 4.0)) text-anchor="end" { (fitting(&bar.name, NAMES - 12.0)) title { (visible(&bar.name)) } }
                        rect class="f0" x=(px(from)) y=(px(middle - 7.0)) width=(px((to - from).max(0.8))) height="14" { title { (visible(&words)) } }
                        @if let Some((low, high)) = range {
                            path class="whisker" d=(format!("M{} {}v8m0 -4H{}m0 -4v8", px(low), px(middle - 4.0), px(high))) {}
                        }
                        text class="tick" x=(px(width - 4.0)) y=(px(middle + 4.0)) text-anchor="end" { (number(*value)) }
                    }
                })
            }
            line class="axis" x1=(px(zero)) x2=(px(zero)) y1=(px(top)) y2=(px(bottom)) {}
            text class="tick" x=(px(width - 4.0)) y=(px(bottom + 34.0)) text-anchor="end" { (fitting(self.axis.label(), width - 8.0)) }
            @if shown.is_empty() { text x=(px(width / 2.0)) y=(px(top + 15.0)) text-anchor="middle" { "nothing to show" } }
        };
        figure.around(&drawing, &Default::default())
    }
}
