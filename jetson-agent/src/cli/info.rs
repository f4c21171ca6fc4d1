//! `info`.

use super::context::Context;
use super::recover::run_folder;
use crate::session::{RunInfo, describe};
use clap::Args;
use shared::failure::Failure;
use std::path::PathBuf;

/// Describe a run folder.
#[derive(Debug, Args)]
pub(super) struct InfoArgs {
    /// The run folder.
    folder: PathBuf,
}

impl InfoArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        context.answer(&describe(&run_folder(&self.folder)?)?, human)
    }
}

fn human(info: &RunInfo) -> String {
    let number = |value: Option<f64>, unit: &str| value.map_or("not known".to_owned(), |v| format!("{v:.4} {unit}"));
    let mut out = format!("model            {}\nstatus           {:?}\n", info.model, info.status);
    if let Some(failure) = &info.failure {
        out += &format!("failure          {failure}\n");
    }
    out += &format!(
        "board            {}\nrunner, source   {}, {}\nlayers           {}\ninferences       {} for power, {} profiled\nsamples          {}\nlatency          {}\nmean power       {}\nidle power       {}\nenergy a cycle   {}\n",
        info.board.as_deref().unwrap_or("not known"),
        info.runner,
        info.source,
        info.layers,
        info.counts.power_inferences,
        info.counts.profiled_inferences,
        info.counts.samples,
        number(info.latency_ms, "ms"),
        number(info.mean_power_w, "W"),
        number(info.idle_power_w, "W"),
        number(info.cycle_energy_mj, "mJ"),
    );
    if let Some(sampling) = &info.sampling {
        out += &format!(
            "sampling         {:.1} Hz, jitter {:.1} µs, longest gap {:.2} ms, {} missed, {} failed, {:.1} % CPU\nsensor refresh   {}\n",
            sampling.achieved_hz,
            sampling.jitter_us,
            sampling.longest_gap_ms,
            sampling.missed,
            sampling.failed,
            100.0 * sampling.cpu_share,
            number(sampling.refresh_ms, "ms"),
        );
        for note in &sampling.notes {
            out += &format!("note             {note}\n");
        }
    }
    for event in &info.events {
        out += &format!("event            {event}\n");
    }
    out
}
