//! Progress on stderr: a bar on a terminal, a line now and then elsewhere.

use crate::session::{Progress, Tick};
use crate::sys;
use indicatif::{ProgressBar, ProgressStyle};
use shared::printer::Printer;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Between two looks of a bar.
const BAR_EVERY: Duration = Duration::from_millis(200);
/// Between two lines where no bar is drawn.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A display of a session's ticks; `total` cycles, or none for a wait of `duration`.
pub(super) fn display(printer: &Printer, what: &str, total: u64, duration: Duration) -> Progress {
    let started = Instant::now();
    if printer.shows_progress() {
        let length = if total > 0 { total } else { duration.as_secs() };
        let bar = ProgressBar::new(length);
        if let Ok(style) = ProgressStyle::with_template("{prefix} {wide_bar} {pos}/{len} ({per_sec}) {msg} {eta} left")
        {
            bar.set_style(style);
        }
        bar.set_prefix(what.to_owned());
        let show = move |tick: Tick| {
            bar.set_position(if total > 0 { tick.done.min(total) } else { started.elapsed().as_secs().min(length) });
            bar.set_message(describe(&tick));
        };
        return Progress { every_ns: sys::ns(BAR_EVERY), show: Arc::new(show) };
    }
    let (printer, what) = (*printer, what.to_owned());
    let last = Mutex::new(started);
    let before = AtomicU64::new(0);
    let show = move |tick: Tick| {
        let mut last = last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < LINE_EVERY {
            return;
        }
        let rate = (tick.readings - before.swap(tick.readings, Ordering::Relaxed).min(tick.readings)) as f64
            / last.elapsed().as_secs_f64();
        *last = Instant::now();
        let done = if total > 0 { format!("{}/{total}, ", tick.done) } else { String::new() };
        printer.say(format!("{what}: {done}{}, {rate:.0} readings/s", describe(&tick)));
    };
    Progress { every_ns: sys::ns(LINE_EVERY), show: Arc::new(show) }
}

fn describe(tick: &Tick) -> String {
    let watts = if tick.watts.is_nan() { "no reading yet".to_owned() } else { format!("{:.2} W", tick.watts) };
    match tick.celsius {
        Some(celsius) => format!("{watts}, {celsius:.0} °C"),
        None => watts,
    }
}
