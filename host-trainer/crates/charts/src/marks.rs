//! Marks that differ by more than their colour: shapes of points, dashes of lines, hatching of areas.

use super::number::px;
use maud::{Markup, html};

/// The most marks that one series of a chart draws. A longer series draws evenly spaced ones.
pub const MOST_MARKS: usize = 1_500;
/// The number of series that look different from each other. The next one looks like the first again.
pub const LOOKS: usize = 8;

/// How a series looks in the chart and its key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    /// Points of the shape and colour of a number.
    Point(usize),
    /// A line of the dashes and colour of a number.
    Line(usize),
    /// An area of the hatching and colour of a number.
    Area(usize),
    /// A dashed line of no series.
    Guide,
    /// A shaded band of no series.
    Band,
}

/// Half the width of a point.
const RADIUS: f64 = 3.4;

/// A point with its tooltip.
pub(super) fn point(look: usize, x: f64, y: f64, radius: f64, tooltip: &str) -> Markup {
    let look = look % LOOKS;
    let class = format!("point f{look}");
    let title = html! { @if !tooltip.is_empty() { title { (tooltip) } } };
    if look == 0 {
        return html! { circle class=(class) cx=(px(x)) cy=(px(y)) r=(px(radius)) { (title) } };
    }
    html! { path class=(class) d=(outline(look, x, y, radius)) { (title) } }
}

/// The outline of a shape: square, triangle, diamond, triangle downwards, cross, plus, bar.
fn outline(look: usize, x: f64, y: f64, r: f64) -> String {
    let polygon = |corners: &[(f64, f64)]| {
        let corners: Vec<String> =
            corners.iter().map(|(dx, dy)| format!("{} {}", px(x + dx * r), px(y + dy * r))).collect();
        format!("M{}Z", corners.join("L"))
    };
    let arm = 0.35;
    match look {
        1 => polygon(&[(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)]),
        2 => polygon(&[(0.0, -1.2), (1.1, 0.9), (-1.1, 0.9)]),
        3 => polygon(&[(0.0, -1.3), (1.0, 0.0), (0.0, 1.3), (-1.0, 0.0)]),
        4 => polygon(&[(0.0, 1.2), (1.1, -0.9), (-1.1, -0.9)]),
        5 => {
            let (long, short) = (1.2, 0.7);
            polygon(&[
                (-long, -short),
                (-short, -long),
                (0.0, -0.5),
                (short, -long),
                (long, -short),
                (0.5, 0.0),
                (long, short),
                (short, long),
                (0.0, 0.5),
                (-short, long),
                (-long, short),
                (-0.5, 0.0),
            ])
        }
        6 => polygon(&[
            (-arm, -1.2),
            (arm, -1.2),
            (arm, -arm),
            (1.2, -arm),
            (1.2, arm),
            (arm, arm),
            (arm, 1.2),
            (-arm, 1.2),
            (-arm, arm),
            (-1.2, arm),
            (-1.2, -arm),
            (-arm, -arm),
        ]),
        _ => polygon(&[(-1.3, -0.5), (1.3, -0.5), (1.3, 0.5), (-1.3, 0.5)]),
    }
}

/// The point of ordinary size.
pub(super) fn plain_point(look: usize, x: f64, y: f64, tooltip: &str) -> Markup {
    point(look, x, y, RADIUS, tooltip)
}

/// The fill of an area: a reference to its figure's pattern.
pub(super) fn fill(figure: &str, look: usize) -> String {
    format!("url(#{figure}-h{})", look % LOOKS)
}

/// The pattern that areas of a look are filled with: its colour, and from the second on a hatching of its own.
pub(super) fn pattern(figure: &str, look: usize) -> Markup {
    let look = look % LOOKS;
    let hatching = match look {
        1 => "M-2 2L2 -2M-2 10L10 -2M6 10L10 6",
        2 => "M-2 6L2 10M-2 -2L10 10M6 -2L10 2",
        3 => "M0 4H8",
        4 => "M4 0V8",
        5 => "M0 0L8 8M8 0L0 8",
        6 => "M0 4H8M4 0V8",
        _ => "",
    };
    html! {
        pattern id=(format!("{figure}-h{look}")) width="8" height="8" patternUnits="userSpaceOnUse" {
            rect class=(format!("f{look}")) width="8" height="8" {}
            @if !hatching.is_empty() { path class="hatch" d=(hatching) {} }
            @if look == 7 { circle class="hatch-dot" cx="4" cy="4" r="1.5" {} }
        }
    }
}

/// A look's sample in a key. It stands beside its name, so that readers who cannot see it miss nothing.
pub(super) fn sample(look: Look) -> Markup {
    let line = |class: String| html! { line class=(class) x1="1" x2="23" y1="7" y2="7" {} };
    let inside = match look {
        Look::Point(look) => point(look, 12.0, 7.0, 5.0, ""),
        Look::Line(look) => line(format!("line s{}", look % LOOKS)),
        Look::Guide => line("guide".to_owned()),
        Look::Band => html! { rect class="band" x="1" y="2" width="22" height="10" {} },
        // A pattern of its own would need a name of its own: the hatching is small enough to draw.
        Look::Area(look) => area_sample(look % LOOKS),
    };
    html! { svg viewBox="0 0 24 14" aria-hidden="true" { (inside) } }
}

fn area_sample(look: usize) -> Markup {
    let hatching = match look {
        1 => "M3 12L11 2M11 12L19 2M19 12L23 7M1 6L4 2",
        2 => "M5 2L13 12M13 2L21 12M1 6L6 12",
        3 => "M1 5H23M1 9H23",
        4 => "M6 2V12M12 2V12M18 2V12",
        5 => "M3 2L13 12M13 2L3 12M13 2L23 12M23 2L13 12",
        6 => "M1 7H23M6 2V12M12 2V12M18 2V12",
        _ => "",
    };
    html! {
        rect class=(format!("f{look}")) x="1" y="2" width="22" height="10" {}
        @if !hatching.is_empty() { path class="hatch" d=(hatching) {} }
        @if look == 7 { @for x in [6, 12, 18] { circle class="hatch-dot" cx=(x) cy="7" r="1.5" {} } }
    }
}
