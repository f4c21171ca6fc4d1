//! `replay`.

use super::Context;
use super::source_args::log_of;
use crate::sys;
use clap::Args;
use shared::failure::Failure;
use shared::run_folder::{PowerReading, format_line, read_sample_log, total_readings};
use std::path::PathBuf;

/// Write a recorded run's readings to stdout.
#[derive(Debug, Args)]
pub(super) struct ReplayArgs {
    /// The run folder, or a sample log.
    folder: PathBuf,
    /// How many times faster than it was recorded; 0 does not wait at all.
    #[arg(long, default_value_t = 1.0)]
    speed: f64,
}

impl ReplayArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        if !(self.speed >= 0.0 && self.speed.is_finite()) {
            return Err(Failure::usage(format!("{} is no speed", self.speed)));
        }
        let log = log_of(&self.folder);
        let content = read_sample_log(&log)?;
        let Some(manifest) = &content.manifest else {
            return Err(Failure::data("holds no manifest").at(&log).help("give the folder of a run"));
        };
        let stop = context.stop_on_signals()?;
        let start_ns = sys::monotonic_ns();
        let mut first_ns = None;
        let mut lines = String::new();
        for (t_ns, voltage, current) in total_readings(&manifest.power, &content.samples) {
            let since = t_ns - *first_ns.get_or_insert(t_ns);
            if self.speed > 0.0 {
                let due = start_ns + (since as f64 / self.speed) as u64;
                if due > sys::monotonic_ns() {
                    context.printer.data(&std::mem::take(&mut lines))?;
                    stop.sleep_until(due);
                }
            }
            if stop.is_set() {
                return Err(Failure::new(shared::failure::Kind::Interrupted, "interrupted"));
            }
            lines += &format_line(&PowerReading { wall_ns: manifest.clock.wall_ns(t_ns), voltage, current });
            if lines.len() > 1 << 16 {
                context.printer.data(&std::mem::take(&mut lines))?;
            }
        }
        context.printer.data(&lines)
    }
}
