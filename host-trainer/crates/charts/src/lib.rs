//! Charts as static, accessible SVG for pages that run no script.
//!
//! Every chart is a value: it is given its numbers and renders to markup that is always the same for the same numbers.
//! Nothing in it depends on a script, a style attribute or another file, so that a page with a strict content-security
//! policy can hold it; colours come from [`STYLE`], by classes, for light and dark pages. Colour never tells alone: points
//! differ by shape, lines by dashes, areas by hatching, and all of them by what they say when pointed at. Text from outside
//! is escaped. Numbers that are none are left out and counted below the chart, as are marks beyond [`MOST_MARKS`].

mod axis;
mod bars;
mod breakdown;
mod columns;
mod coverage;
mod figure;
mod histogram;
mod marks;
mod number;
pub mod page;
mod plot;

pub use axis::Axis;
pub use bars::{Bar, Bars};
pub use breakdown::{Breakdown, Share};
pub use columns::{Column, Columns};
pub use coverage::{Coverage, Held};
pub use histogram::histogram;
pub use number::{number, percent};
pub use plot::{Plot, Point, Span};

/// Marks that one series of a chart draws at most; of more, evenly spaced ones are drawn.
pub const MOST_MARKS: usize = 1_500;
/// Series that look different from each other; the next one looks like the first again.
pub const LOOKS: usize = 8;

/// The style sheet of all charts, to be served or put into a page's `<style>` once.
///
/// Charts take their colours from custom properties (`--chart-ink`, `--chart-faint`, `--chart-0` …), which a page may set
/// again to match its own.
pub const STYLE: &str = include_str!("style.css");

#[cfg(test)]
mod tests;
