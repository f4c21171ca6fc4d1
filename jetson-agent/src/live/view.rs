//! One look at the board.

use serde::Serialize;

/// What the board draws and how it stands. What is not known is `None` or absent.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct View {
    /// Version of this document's shape.
    pub schema_version: u32,
    /// Unix time, s.
    pub unix_seconds: f64,
    /// Since the start, s.
    pub elapsed_seconds: f64,
    /// The board's model.
    pub board: Option<String>,
    /// The power mode by name, else by number.
    pub power_mode: Option<String>,
    /// The kind of power source.
    pub source: String,
    /// The board as a whole; `None` where no rail or sum of rails stands for it.
    pub total: Option<RailView>,
    /// Each rail.
    pub rails: Vec<RailView>,
    /// How the sensors are read.
    pub sampling: SamplingView,
    /// Temperatures in °C by thermal zone.
    pub temperatures_c: Vec<(String, f64)>,
    /// Clocks in MHz by unit.
    pub clocks_mhz: Vec<(String, f64)>,
    /// GPU load from 0 to 1.
    pub gpu_load: Option<f64>,
    /// Counters of throttling; empty where none can be read, and then nothing is known.
    pub throttling: Vec<ThrottleView>,
    /// CPU time of this program since the start, s.
    pub agent_cpu_seconds: f64,
}

/// A rail, or the total: in the last interval and since the start.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
pub struct RailView {
    /// The rail's label.
    pub label: String,
    /// Mean power in the last interval, W; `None` where no reading came.
    pub watts: Option<f64>,
    /// The lowest reading of the last interval, W.
    pub lowest_watts: Option<f64>,
    /// The highest reading of the last interval, W.
    pub highest_watts: Option<f64>,
    /// The last voltage, V; `None` where it is not measured.
    pub volts: Option<f64>,
    /// The last current, A; `None` where it is not measured.
    pub amperes: Option<f64>,
    /// Mean power since the start, W.
    pub mean_watts: Option<f64>,
    /// The highest reading since the start, W.
    pub peak_watts: Option<f64>,
    /// Energy since the start, J.
    pub joules: Option<f64>,
}

/// How the sensors are read.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct SamplingView {
    /// Readings per second of each rail in the last interval.
    pub readings_hz: f64,
    /// Between two new values of the slowest sensor, ms; `None` where neither the chip says it nor readings showed it.
    pub refresh_ms: Option<f64>,
    /// New values per second: not more than readings, and not more than the sensor has.
    pub effective_hz: Option<f64>,
    /// Readings since the start.
    pub readings: u64,
}

/// A counter of throttling.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct ThrottleView {
    /// The counter.
    pub counter: String,
    /// Events since boot.
    pub events: u64,
    /// Events since the start.
    pub since_start: u64,
}
