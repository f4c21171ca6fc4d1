//! Charts as static, accessible SVG for pages that run no script.
//!
//! A chart is a value: build it from numbers, then render it. The same numbers always give the same markup. A chart needs no
//! script, no style attribute and no other file, so a page with a strict content-security policy can hold it. Colours come
//! from [`STYLE`] by class, for light and dark pages. Colour is never the only difference: points differ in shape, lines in
//! dashes, areas in hatching, and each mark has a tooltip. Text from outside is escaped. Values that are not numbers are left
//! out and counted below the chart, and so are marks beyond [`MOST_MARKS`].
//!
//! ```
//! use charts::{Axis, Plot, Point, page};
//!
//! let points = vec![Point::named("conv1", 0.21, 0.19), Point::named("fc", 0.03, 0.04)];
//! let chart = Plot::new("runtime", "Run time", "Predicted against measured run time of two layers",
//!     Axis::log("measured, ms"), Axis::log("predicted, ms"))
//!     .points("layers", points)
//!     .equality()
//!     .render();
//! let html = page::render("Run time", "", &chart);
//! assert!(html.contains("<svg") && html.contains("conv1"));
//! ```

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
mod style;

pub use axis::Axis;
pub use bars::{Bar, Bars};
pub use breakdown::{Breakdown, Share};
pub use columns::{Column, Columns};
pub use coverage::{Coverage, CoverageRow};
pub use histogram::histogram;
pub use marks::{LOOKS, MOST_MARKS};
pub use number::{number, percent};
pub use plot::{Plot, Point, Span};
pub use style::STYLE;

#[cfg(test)]
mod tests;
