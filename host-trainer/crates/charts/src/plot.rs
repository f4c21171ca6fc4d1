//! Charts of numbers against numbers: points, lines, spans and bands between two axes.

use super::axis::{Axis, Scale};
use super::figure::{CHARACTER, Figure, fitting, left_out, thinned, visible};
use super::marks::{self, LOOKS, Look, MOST_MARKS};
use super::number::{number, px};
use maud::{Markup, html};
use std::collections::BTreeSet;
use std::fmt::Write;

/// A point of a chart.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Along the horizontal axis.
    pub x: f64,
    /// Along the vertical axis.
    pub y: f64,
    /// Its name in the tooltip, before its numbers. May be empty.
    pub name: String,
}

impl Point {
    /// A point without a name.
    #[must_use]
    pub fn new(x: f64, y: f64) -> Self {
        Self { x, y, name: String::new() }
    }

    /// A point with a name.
    pub fn named(name: impl Into<String>, x: f64, y: f64) -> Self {
        Self { x, y, name: name.into() }
    }
}

/// A block from zero to a height over a stretch of the horizontal axis.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    /// Where it begins.
    pub from: f64,
    /// Where it ends.
    pub to: f64,
    /// How high it is.
    pub height: f64,
    /// Its look, 0 to [`LOOKS`] − 1; none: grey.
    pub look: Option<usize>,
    /// Its name in the tooltip, before its numbers.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq)]
enum Layer {
    Band { low: Vec<(f64, f64)>, high: Vec<(f64, f64)> },
    Spans(Vec<Span>),
    Guide(Vec<(f64, f64)>),
    Line { look: usize, points: Vec<Point> },
    Points { look: usize, points: Vec<Point> },
}

/// A chart with two axes of numbers.
///
/// Later parts are drawn over earlier ones. Points and lines are series: each takes the next look.
#[derive(Debug, Clone, PartialEq)]
pub struct Plot {
    figure: Figure,
    x: Axis,
    y: Axis,
    layers: Vec<Layer>,
    series: usize,
}

impl Plot {
    /// An empty chart. `id` is unique in its page; `description` is read to those who cannot see the chart.
    #[must_use]
    pub fn new(id: &str, title: &str, description: &str, x: Axis, y: Axis) -> Self {
        let mut figure = Figure::new(id, title, description);
        figure.size = (440.0, 310.0);
        Self { figure, x, y, layers: Vec::new(), series: 0 }
    }

    /// As wide as two charts, for what has much to show from left to right; narrow pages scroll it.
    #[must_use]
    pub fn wide(mut self) -> Self {
        self.figure.size = (960.0, 290.0);
        self.figure.scrolls = true;
        self
    }

    /// A series of points.
    #[must_use]
    pub fn points(mut self, name: &str, points: Vec<Point>) -> Self {
        let look = self.series;
        self.series += 1;
        self.figure.key.push((visible(name), Look::Point(look)));
        self.layers.push(Layer::Points { look, points });
        self
    }

    /// A series joined by a line; `marked` draws its points too.
    #[must_use]
    pub fn line(mut self, name: &str, points: Vec<Point>, marked: bool) -> Self {
        let look = self.series;
        self.series += 1;
        self.figure.key.push((visible(name), if marked { Look::Point(look) } else { Look::Line(look) }));
        self.layers.push(Layer::Line { look, points: points.clone() });
        if marked {
            self.layers.push(Layer::Points { look, points });
        }
        self
    }

    /// A dashed line that belongs to no series: a limit, an ideal. Without a name it has no place in the key.
    #[must_use]
    pub fn guide(mut self, name: &str, points: Vec<(f64, f64)>) -> Self {
        if !name.is_empty() {
            self.figure.key.push((visible(name), Look::Guide));
        }
        self.layers.push(Layer::Guide(points));
        self
    }

    /// A shaded area between two lines.
    #[must_use]
    pub fn band(mut self, name: &str, low: Vec<(f64, f64)>, high: Vec<(f64, f64)>) -> Self {
        self.figure.key.push((visible(name), Look::Band));
        self.layers.push(Layer::Band { low, high });
        self
    }

    /// Blocks over stretches of the horizontal axis.
    #[must_use]
    pub fn spans(mut self, spans: Vec<Span>) -> Self {
        self.layers.push(Layer::Spans(spans));
        self
    }

    /// Where prediction equals measurement, and the band of ±10 % around it, over what the points span.
    #[must_use]
    pub fn equality(self) -> Self {
        let values = self.layers.iter().flat_map(|layer| match layer {
            Layer::Points { points, .. } | Layer::Line { points, .. } => points.as_slice(),
            _ => &[],
        });
        let both = values.flat_map(|p| [p.x, p.y]).filter(|v| self.x.accepts(*v).is_some_and(|v| v > 0.0));
        let (low, high) = both.fold((f64::INFINITY, 0.0), |(low, high): (f64, f64), v| (low.min(v), high.max(v)));
        if low > high {
            return self;
        }
        // Straight lines on linear and logarithmic axes alike, so that two points do.
        let (low, high) = (low * 0.95, high * 1.05);
        let line = |factor: f64| vec![(low, low * factor), (high, high * factor)];
        let mut chart = self.band("within ±10 %", line(0.9), line(1.1)).guide("prediction = measurement", line(1.0));
        // Beneath the points.
        chart.layers.rotate_right(2);
        chart
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
        let accepted = |x: f64, y: f64| Some((self.x.accepts(x)?, self.y.accepts(y)?));
        let (mut dropped, mut thinned_out) = (0, 0);
        let mut places: Vec<(f64, f64)> = Vec::new();
        for layer in &self.layers {
            match layer {
                Layer::Points { points, .. } | Layer::Line { points, .. } => {
                    let good = points.iter().filter_map(|p| accepted(p.x, p.y));
                    let before = places.len();
                    places.extend(good);
                    if matches!(layer, Layer::Points { .. }) {
                        let drawn = places.len() - before;
                        dropped += points.len() - drawn;
                        thinned_out += drawn.saturating_sub(MOST_MARKS);
                    }
                }
                Layer::Spans(spans) => {
                    places.extend(spans.iter().filter_map(|s| accepted(s.from, s.height)));
                    places.extend(spans.iter().filter_map(|s| accepted(s.to, s.height)));
                }
                Layer::Guide(line) => places.extend(line.iter().filter_map(|p| accepted(p.0, p.1))),
                Layer::Band { low, high } => {
                    places.extend(low.iter().chain(high).filter_map(|p| accepted(p.0, p.1)));
                }
            }
        }
        let why = "no number that this axis can show";
        figure.notes.extend(left_out(dropped, why));
        if thinned_out > 0 {
            figure.notes.push(format!(
                "{} points are not drawn, evenly spaced among the others; all of them count in every figure.",
                number(thinned_out as f64)
            ));
        }
        let (width, height) = figure.size;
        let frame = Frame::new(&self.x, &self.y, &places, width, height);
        let mut looks = BTreeSet::new();
        let marks: Vec<Markup> = self.layers.iter().map(|layer| self.draw(layer, &frame, &mut looks)).collect();
        let empty = places.is_empty();
        let drawing = html! {
            (frame.axes(&self.x, &self.y))
            @for mark in &marks { (mark) }
            @if empty { text x=(px(width / 2.0)) y=(px(height / 2.0)) text-anchor="middle" { "nothing to show" } }
        };
        figure.around(&drawing, &looks)
    }

    fn draw(&self, layer: &Layer, frame: &Frame, looks: &mut BTreeSet<usize>) -> Markup {
        let accepted = |x: f64, y: f64| Some((self.x.accepts(x)?, self.y.accepts(y)?));
        let path = |line: &mut dyn Iterator<Item = (f64, f64)>| {
            let mut d = String::new();
            for (x, y) in line {
                let _ =
                    write!(d, "{}{} {}", if d.is_empty() { "M" } else { "L" }, px(frame.x.at(x)), px(frame.y.at(y)));
            }
            d
        };
        match layer {
            Layer::Band { low, high } => {
                let edge = low.iter().chain(high.iter().rev()).filter_map(|p| accepted(p.0, p.1));
                html! { path class="band" d=(path(&mut edge.into_iter())) {} }
            }
            Layer::Guide(line) => {
                html! { path class="guide" d=(path(&mut line.iter().filter_map(|p| accepted(p.0, p.1)))) {} }
            }
            Layer::Line { look, points } => {
                let good: Vec<(f64, f64)> = points.iter().filter_map(|p| accepted(p.x, p.y)).collect();
                let mut kept = thinned(good.len(), MOST_MARKS).map(|i| good[i]).chain(good.last().copied());
                html! { path class=(format!("line s{}", look % LOOKS)) d=(path(&mut kept)) {} }
            }
            Layer::Points { look, points } => {
                let good: Vec<&Point> = points.iter().filter(|p| accepted(p.x, p.y).is_some()).collect();
                html! {
                    @for point in thinned(good.len(), MOST_MARKS).map(|i| good[i]) {
                        (marks::plain_point(*look, frame.x.at(point.x), frame.y.at(point.y), &tooltip(&point.name, point.x, point.y)))
                    }
                }
            }
            Layer::Spans(spans) => {
                let good: Vec<&Span> = spans
                    .iter()
                    .filter(|s| accepted(s.from, s.height).is_some() && accepted(s.to, s.height).is_some())
                    .collect();
                html! {
                    @for span in thinned(good.len(), MOST_MARKS).map(|i| good[i]) {
                        ({
                            let (left, right) = (frame.x.at(span.from), frame.x.at(span.to));
                            let (base, top) = (frame.y.at(self.y.accepts(0.0).unwrap_or(0.0)), frame.y.at(span.height));
                            let fill = span.look.map(|look| marks::fill(&self.figure.id, look));
                            looks.extend(span.look.map(|look| look % LOOKS));
                            html! {
                                rect class=[span.look.is_none().then_some("rest")] fill=[fill]
                                    x=(px(left.min(right))) y=(px(top.min(base)))
                                    width=(px((right - left).abs().max(0.3))) height=(px((base - top).abs().max(0.3))) {
                                    title { (visible(&format!("{}: {}", span.name, number(span.height)))) }
                                }
                            }
                        })
                    }
                }
            }
        }
    }
}

fn tooltip(name: &str, x: f64, y: f64) -> String {
    let numbers = format!("{} → {}", number(x), number(y));
    visible(&if name.is_empty() { numbers } else { format!("{name}: {numbers}") })
}

/// The drawing area with its two scales.
pub(super) struct Frame {
    pub(super) x: Scale,
    pub(super) y: Scale,
    left: f64,
    right: f64,
    top: f64,
    bottom: f64,
}

impl Frame {
    pub(super) fn new(x: &Axis, y: &Axis, places: &[(f64, f64)], width: f64, height: f64) -> Self {
        let (top, bottom, right) = (24.0, height - 42.0, width - 14.0);
        let vertical = y.span(places.iter().map(|p| p.1), bottom, top);
        // Labels of the vertical axis take the room they need.
        let widest = vertical.ticks(7).iter().map(|t| t.label.chars().count()).max().unwrap_or(1) as f64;
        let left = (widest * CHARACTER + 12.0).clamp(34.0, 96.0);
        Self { x: x.span(places.iter().map(|p| p.0), left, right), y: vertical, left, right, top, bottom }
    }

    /// Grid, ticks and labels.
    pub(super) fn axes(&self, x: &Axis, y: &Axis) -> Markup {
        let Self { left, right, top, bottom, .. } = *self;
        html! {
            @for tick in self.y.ticks(7) {
                line class="grid" x1=(px(left)) x2=(px(right)) y1=(px(tick.at)) y2=(px(tick.at)) {}
                text class="tick" x=(px(left - 6.0)) y=(px(tick.at + 4.0)) text-anchor="end" { (tick.label) }
            }
            @for tick in self.x.ticks_that_fit(CHARACTER, 10.0) {
                line class="grid" x1=(px(tick.at)) x2=(px(tick.at)) y1=(px(top)) y2=(px(bottom)) {}
                ({
                    // The outermost labels stay within the drawing.
                    let half = tick.label.chars().count() as f64 * CHARACTER / 2.0;
                    let at = tick.at.min(right + 12.0 - half).max(half);
                    html! { text class="tick" x=(px(at)) y=(px(bottom + 16.0)) text-anchor="middle" { (tick.label) } }
                })
            }
            path class="axis" d=(format!("M{} {}V{}H{}", px(left), px(top), px(bottom), px(right))) {}
            text class="tick" x=(px(right)) y=(px(bottom + 34.0)) text-anchor="end" { (fitting(x.label(), right - left)) }
            text class="tick" x="2" y="13" { (fitting(y.label(), right)) }
        }
    }
}
