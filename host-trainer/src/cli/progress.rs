//! Progress bars, drawn only where somebody looks.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use shared::printer::Printer;
use std::time::Duration;

/// A bar of so many steps, hidden where stderr is no terminal.
pub(super) fn bar(printer: &Printer, steps: u64, unit: &str) -> ProgressBar {
    let bar = ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::hidden());
    if printer.shows_progress() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    // The template is a constant of ours, so that a failure to parse it falls back to the default look.
    let template = format!("{{bar:30}} {{pos}}/{{len}} {unit} {{elapsed}} (left {{eta}}) {{msg}}");
    bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
    bar
}
