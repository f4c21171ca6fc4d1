//! Coverage of prediction intervals: the share of measurements inside their interval, with its confidence interval.

use super::axis::Axis;
use super::figure::{CHARACTER, Figure, fitting, visible};
use super::number::{number, px};
use maud::{Markup, html};

/// Rows drawn at most.
const MOST_ROWS: usize = 60;

/// The intervals of one row of the chart.
#[derive(Debug, Clone, PartialEq)]
pub struct CoverageRow {
    /// The row's label.
    pub name: String,
    /// Intervals that hold their measurement.
    pub held: usize,
    /// All intervals.
    pub of: usize,
}

impl CoverageRow {
    /// The coverage in percent, with the lower and upper end of its 95 % confidence interval (Wilson, 1927). `None` without
    /// intervals.
    #[must_use]
    pub fn percent(&self) -> Option<(f64, f64, f64)> {
        if self.of == 0 {
            return None;
        }
        let (n, z) = (self.of as f64, 1.959_964);
        let share = (self.held as f64 / n).min(1.0);
        let (centre, widened) = (share + z * z / (2.0 * n), 1.0 + z * z / n);
        let room = z * (share * (1.0 - share) / n + z * z / (4.0 * n * n)).sqrt();
        Some((
            100.0 * share,
            (100.0 * (centre - room) / widened).max(0.0),
            (100.0 * (centre + room) / widened).min(100.0),
        ))
    }
}

/// A chart of the coverage of intervals beside their nominal level.
#[derive(Debug, Clone, PartialEq)]
pub struct Coverage {
    figure: Figure,
    nominal_percent: f64,
    rows: Vec<CoverageRow>,
}

impl Coverage {
    /// A chart of intervals that should hold `nominal_percent` of the measurements.
    #[must_use]
    pub fn new(id: &str, title: &str, description: &str, nominal_percent: f64, rows: Vec<CoverageRow>) -> Self {
        Self { figure: Figure::new(id, title, description), nominal_percent, rows }
    }

    /// The chart as a figure.
    #[must_use]
    pub fn render(&self) -> Markup {
        const ROW: f64 = 24.0;
        const NAMES: f64 = 164.0;
        let mut figure = self.figure.clone();
        let all: Vec<(&CoverageRow, (f64, f64, f64))> =
            self.rows.iter().filter_map(|row| Some((row, row.percent()?))).collect();
        let shown = &all[..all.len().min(MOST_ROWS)];
        if shown.len() < all.len() {
            figure.notes.push(format!("Shown are the first {} of {}.", shown.len(), all.len()));
        }
        figure.notes.push(
            "Mark: the share that held. Box: what chance leaves open (95 %, rows taken as independent). Orange, with a cross: \
             the box misses the promised share."
                .to_owned(),
        );
        let width = 440.0;
        let (left, right, top) = (NAMES, width - 122.0, 20.0);
        let bottom = top + ROW * shown.len().max(1) as f64;
        figure.size = (width, bottom + 40.0);
        let axis = Axis::linear("held by their interval, %").including(100.0).including(self.nominal_percent);
        let scale = axis.span(shown.iter().flat_map(|(_, (share, low, _))| [*share, *low]), left, right);
        let nominal = scale.at(self.nominal_percent);
        let drawing = html! {
            @for tick in scale.ticks_that_fit(CHARACTER, 10.0) {
                line class="grid" x1=(px(tick.at)) x2=(px(tick.at)) y1=(px(top)) y2=(px(bottom)) {}
                text class="tick" x=(px(tick.at)) y=(px(bottom + 16.0)) text-anchor="middle" { (tick.label) }
            }
            @for (i, (row, (share, low, high))) in shown.iter().enumerate() {
                ({
                    let middle = top + ROW * (i as f64 + 0.5);
                    let hit = (*low..=*high).contains(&self.nominal_percent);
                    let (from, to, at) = (scale.at(*low), scale.at(*high), scale.at(*share));
                    let words = format!(
                        "{}: {} of {} held, {share:.1} % ({low:.1} to {high:.1} %)", row.name, row.held, row.of
                    );
                    html! {
                        text x=(px(left - 8.0)) y=(px(middle + 4.0)) text-anchor="end" { (fitting(&row.name, NAMES - 12.0)) title { (visible(&row.name)) } }
                        rect class=(if hit { "f0" } else { "off" }) fill-opacity=".35" x=(px(from)) y=(px(middle - 7.0))
                            width=(px((to - from).max(1.0))) height="14" { title { (visible(&words)) } }
                        @if hit {
                            line class="whisker" x1=(px(at)) x2=(px(at)) y1=(px(middle - 8.0)) y2=(px(middle + 8.0)) {}
                        } @else {
                            path class="whisker" d=(format!("M{} {}l8 8m0 -8l-8 8", px(at - 4.0), px(middle - 4.0))) {}
                        }
                        text class="tick" x=(px(width - 4.0)) y=(px(middle + 4.0)) text-anchor="end" {
                            (format!("{share:.1} %, n = {}", number(row.of as f64)))
                        }
                    }
                })
            }
            line class="guide" x1=(px(nominal)) x2=(px(nominal)) y1=(px(top - 4.0)) y2=(px(bottom)) {}
            text class="tick" x=(px(nominal)) y=(px(top - 8.0)) text-anchor="middle" { "promised " (number(self.nominal_percent)) " %" }
            text class="tick" x=(px(right)) y=(px(bottom + 34.0)) text-anchor="end" { (axis.label()) }
            @if shown.is_empty() { text x=(px(width / 2.0)) y=(px(top + 15.0)) text-anchor="middle" { "nothing to show" } }
        };
        figure.around(&drawing, &Default::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wilson_bounds_of_a_case_by_hand() {
        // 9 of 10: centre (0.9 + 0.19207) / 1.38415, half-width 1.96 · √(0.009 + 0.0096036) / 1.38415.
        let (share, low, high) = CoverageRow { name: String::new(), held: 9, of: 10 }.percent().expect("some");
        assert!((share - 90.0).abs() < 1e-9);
        assert!((low - 59.585).abs() < 0.01 && (high - 98.212).abs() < 0.01, "{low} {high}");
        assert_eq!(CoverageRow { name: String::new(), held: 0, of: 0 }.percent(), None);
    }
}
