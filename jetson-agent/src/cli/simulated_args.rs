//! A simulated board for commands that bring no load of their own.

use crate::power::{SimulatedBoard, SimulatedSource};
use clap::Args;
use shared::failure::Failure;
use shared::sensor::SensorFamily;
use simulate::{PollModel, SensorModel};

/// What `--source simulated` reads where no simulated engine draws.
#[derive(Debug, Clone, Args)]
pub(super) struct SimulatedArgs {
    /// Simulated source: what the load draws above idle power (4.2 W), in W.
    #[arg(long, value_name = "WATTS", default_value_t = 5.0, value_parser = watts)]
    pub(super) simulate_watts: f64,
    /// Simulated source: its sensor, by a name that `profile --simulate-sensor` knows.
    #[arg(long, value_name = "SENSOR", default_value = "ina3221-fast", value_parser = sensor)]
    pub(super) simulate_sensor: SensorModel,
    /// Simulated source: where its randomness comes from.
    #[arg(long, default_value_t = 1)]
    pub(super) seed: u64,
}

fn watts(text: &str) -> Result<f64, String> {
    match text.trim_end_matches('W').trim().parse::<f64>() {
        Ok(watts) if (0.0..=1e3).contains(&watts) => Ok(watts),
        _ => Err(format!("`{text}` is not a power from 0 to 1000 W")),
    }
}

fn sensor(name: &str) -> Result<SensorModel, String> {
    let names: Vec<&str> = SensorModel::names().collect();
    SensorModel::named(name)
        .ok_or_else(|| format!("no simulated sensor is named `{name}`{}", shared::near::near(name, &names)))
}

impl SimulatedArgs {
    /// What the simulated board draws when nothing runs.
    pub(super) const IDLE_WATTS: f64 = 4.2;

    /// A source that reads an idle board's sensor.
    pub(super) fn idle() -> SimulatedSource {
        let board = SimulatedBoard::new(SensorModel::ina3221_fast(), Self::IDLE_WATTS, 1);
        SimulatedSource::new(board, PollModel::reference_loop())
    }

    /// An idle board and a source that reads its sensor.
    pub(super) fn open(&self, rate_hz: Option<f64>) -> Result<(SimulatedSource, SimulatedBoard), Failure> {
        let board = SimulatedBoard::new(self.simulate_sensor, Self::IDLE_WATTS, self.seed);
        let poll = match (self.simulate_sensor.family, rate_hz) {
            (SensorFamily::Meter { .. }, _) => PollModel::streaming(),
            (_, Some(hz)) => PollModel { period_ns: ((1e9 / hz) as u64).max(1), ..PollModel::reference_loop() },
            (_, None) => PollModel::reference_loop(),
        };
        Ok((SimulatedSource::new(board.clone(), poll), board))
    }
}
