//! The simulated board in real time: a runner that sleeps draws on it, and a source reads its sensor.

use super::{Pacing, PowerSource, SourceError};
use crate::sys;
use shared::random::Random;
use shared::run_folder::{PowerSetup, Rail, Sample, Sensor, Total};
use simulate::{Cycle, Piece, PollModel, Reader, Register, SensorFilter, SensorModel};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

struct State {
    filter: SensorFilter,
    reader: Reader,
    pieces: VecDeque<Piece>,
    idle_w: f64,
    updates: Vec<Sample>,
    keep_updates: bool,
    /// After this many readings the sensor is gone; a fault for tests.
    lost_after: Option<u64>,
    readings: u64,
}

/// Load and sensor, shared by runner and source.
#[derive(Clone)]
pub struct SimulatedBoard {
    state: Arc<Mutex<State>>,
}

impl SimulatedBoard {
    /// A board that has always been idle.
    #[must_use]
    pub fn new(sensor: SensorModel, idle_w: f64, seed: u64) -> Self {
        let mut random = Random::new(seed);
        let reader = Reader::new(&sensor, random.fork(1));
        let filter = SensorFilter::new(sensor, sys::monotonic_ns(), idle_w, random);
        let state = State {
            filter,
            reader,
            pieces: VecDeque::new(),
            idle_w,
            updates: Vec::new(),
            keep_updates: false,
            lost_after: None,
            readings: 0,
        };
        Self { state: Arc::new(Mutex::new(state)) }
    }

    /// Makes the sensor vanish after a number of readings.
    pub fn lose_sensor_after(&self, readings: u64) {
        self.lock().lost_after = Some(readings);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A poisoned lock holds a consistent state: every change to it is made whole or not at all.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a cycle on the board. Until its start the board is as it was; after its last piece it is idle.
    pub fn run(&self, cycle: &Cycle) {
        let mut state = self.lock();
        let idle_w = state.idle_w;
        state.pieces.push_back(Piece { end_ns: cycle.start_ns, watts: idle_w });
        state.pieces.extend(&cycle.pieces);
    }

    /// Draws a power from now on, when no cycle runs.
    pub fn draw(&self, watts: f64) {
        self.advance(sys::monotonic_ns()).idle_w = watts;
    }

    fn advance(&self, now_ns: u64) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        let State { filter, reader, pieces, idle_w, updates, keep_updates, .. } = &mut *state;
        let mut record = |t_ns: u64, _: Register, new: Register| {
            if *keep_updates {
                updates.extend(reader.read(t_ns, new));
            }
        };
        while let Some(piece) = pieces.front().copied() {
            filter.advance(piece.end_ns.min(now_ns), piece.watts, &mut record);
            if piece.end_ns > now_ns {
                break;
            }
            pieces.pop_front();
        }
        filter.advance(now_ns, *idle_w, &mut record);
        state
    }
}

/// Reads a [`SimulatedBoard`].
pub struct SimulatedSource {
    board: SimulatedBoard,
    setup: PowerSetup,
    streaming: bool,
}

impl SimulatedSource {
    /// Reads the register when asked; or, when `poll` streams, hands over every update.
    #[must_use]
    pub fn new(board: SimulatedBoard, poll: PollModel) -> Self {
        let streaming = poll.period_ns == 0;
        let model = {
            let mut state = board.lock();
            state.keep_updates = streaming;
            *state.filter.model()
        };
        Self { board, setup: setup(&model), streaming }
    }
}

/// How a run folder describes a simulated sensor.
#[must_use]
pub(crate) fn setup(model: &SensorModel) -> PowerSetup {
    let sensor = Sensor {
        quantum_ma: Some(model.quantum_ma),
        quantum_mv: Some(0.0),
        noise_ma: Some(model.reading_noise_ma()),
        known_from: Some("configured".into()),
        ..Sensor::default()
    }
    .with_family(model.family);
    let rail = Rail { label: "VDD_IN".into(), place: "simulated".into(), voltage_measured: true, sensor };
    PowerSetup { source: "simulated".into(), rails: vec![rail], total: Total::Rail(0), requested_hz: None }
}

impl PowerSource for SimulatedSource {
    fn setup(&self) -> &PowerSetup {
        &self.setup
    }

    fn pacing(&self) -> Pacing {
        if self.streaming { Pacing::Stream } else { Pacing::Poll }
    }

    fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
        if self.streaming {
            // As a USB meter delivers: in blocks of some milliseconds.
            sys::sleep_until(sys::monotonic_ns() + 5_000_000);
        }
        let now = sys::monotonic_ns();
        let mut state = self.board.advance(now);
        state.readings += 1;
        if state.lost_after.is_some_and(|after| state.readings > after) {
            return Err(SourceError::Lost("the simulated sensor is gone".into()));
        }
        if self.streaming {
            out.append(&mut state.updates);
        } else {
            let register = state.filter.register();
            out.extend(state.reader.read(now, register));
        }
        Ok(())
    }
}
