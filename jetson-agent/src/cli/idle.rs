//! `idle`.

use super::context::Context;
use super::progress::display;
use super::source_args::{SourceArgs, SourceSpec};
use crate::power::{PowerSource, SimulatedBoard, SimulatedSource};
use crate::session::measure_idle;
use clap::Args;
use shared::failure::Failure;
use shared::units::Watts;
use simulate::{PollModel, SensorModel};
use std::path::PathBuf;
use std::time::Duration;

/// Measure idle power.
#[derive(Debug, Args)]
pub(super) struct IdleArgs {
    /// How long.
    #[arg(long, default_value = "120s", value_parser = super::values::duration)]
    duration: Duration,
    /// Where `idling_power.json` goes.
    #[arg(long, default_value = "raw_data")]
    result_dir: PathBuf,
    #[command(flatten)]
    source: SourceArgs,
    /// Where the simulated source's randomness comes from.
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

impl IdleArgs {
    pub(super) fn run(&self, context: &Context) -> Result<(), Failure> {
        let stop = context.stop_on_signals()?;
        let _restores = self.source.set_sensor(context)?;
        let source: Box<dyn PowerSource> = match self.source.source {
            SourceSpec::Simulated => {
                let board = SimulatedBoard::new(SensorModel::ina3221_fast(), 4.2, self.seed);
                Box::new(SimulatedSource::new(board, PollModel::reference_loop()))
            }
            _ => self.source.open(context)?,
        };
        let progress = display(&context.printer, "idle", 0, self.duration);
        let sampling = self.source.energy_sampling(source.setup());
        let outcome = measure_idle(&self.result_dir, self.duration, source, sampling, &context.root, &stop, progress)?;
        outcome.notes.iter().for_each(|note| context.printer.warn(note));
        context.answer(&outcome.power, |power| {
            let error =
                power.standard_error.map_or(String::new(), |e| format!(" ± {:.4}", Watts::from_microwatts(e).0));
            let watts = Watts::from_microwatts(power.avg_idle_power).0;
            format!("idle power {watts:.4}{error} W from {} readings\n", power.samples.unwrap_or(0))
        })?;
        context.printer.say(format!("wrote {}", outcome.path.display()));
        outcome.failure.map_or(Ok(()), Err)
    }
}
