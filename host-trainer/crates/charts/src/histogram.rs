//! Histograms.

use super::axis::{Axis, step};
use super::figure::left_out;
use super::number::{drawable, number};
use super::plot::{Plot, Span};
use maud::Markup;

/// Bins aimed at.
const BINS: usize = 24;

/// A histogram of values. Bins are 1, 2 or 5 times a power of ten wide. Values beyond ±`cut` are counted in the outermost
/// bins, so that a few outliers do not squeeze the rest.
///
/// ```
/// let errors = [-4.0, 1.5, 2.0, 180.0];
/// let chart = charts::histogram("errors", "Errors", "Relative errors of four layers", "error, %", &errors, Some(50.0));
/// assert!(chart.into_string().contains("1 values beyond ±50"));
/// ```
#[must_use]
pub fn histogram(id: &str, title: &str, description: &str, label: &str, values: &[f64], cut: Option<f64>) -> Markup {
    let good: Vec<f64> = values.iter().filter_map(|v| drawable(*v)).collect();
    let cut = cut.and_then(drawable).filter(|c| *c > 0.0);
    let beyond = cut.map_or(0, |cut| good.iter().filter(|v| v.abs() > cut).count());
    let held: Vec<f64> = good.iter().map(|v| cut.map_or(*v, |cut| v.clamp(-cut, cut))).collect();
    let (low, high) =
        held.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(*v), high.max(*v)));
    let mut spans = Vec::new();
    if low <= high {
        let width = step(low, high, BINS).max(low.abs().max(high.abs()) * 1e-9).max(1e-90);
        let first = (low / width).floor();
        let bins = (((high / width).floor() - first) as usize).min(10 * BINS) + 1;
        let mut counts = vec![0usize; bins];
        for value in &held {
            let bin = ((value / width).floor() - first).max(0.0) as usize;
            counts[bin.min(bins - 1)] += 1;
        }
        for (i, count) in counts.into_iter().enumerate().filter(|(_, count)| *count > 0) {
            let from = (first + i as f64) * width;
            let name = format!("{} to {}", number(from), number(from + width));
            spans.push(Span { from, to: from + width, height: count as f64, look: Some(0), name });
        }
    }
    let mut plot =
        Plot::new(id, title, description, Axis::linear(label), Axis::linear("count").including(0.0)).spans(spans);
    if let Some(note) = left_out(values.len() - good.len(), "they are no number") {
        plot = plot.note(note);
    }
    if let Some(cut) = cut.filter(|_| beyond > 0) {
        plot = plot.note(format!(
            "{} values beyond ±{} stand in the outermost columns.",
            number(beyond as f64),
            number(cut)
        ));
    }
    plot.render()
}
