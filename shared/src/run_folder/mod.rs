//! A run folder: what the agent leaves on the board and the trainer reads.
//!
//! `<root>/<model>/` holds EdgeProfiler's files (<https://github.com/fuzzylabs/edge-vision-power-estimation>) and, beside
//! them, ours:
//!
//! | file | whose | content |
//! |---|---|---|
//! | `<model>_power_log.log` | EdgeProfiler | one line for each reading of the total: `YYYYMMDD-HH:MM:SS.ffffff,mV,mA` |
//! | `<model>_tensorrt.json` | EdgeProfiler | [`ModelRun`]: configuration, whole-inference latencies in s |
//! | `trt_profiling/trt_engine_info.json` | EdgeProfiler | the engine's layers |
//! | `trt_profiling/trt_layer_latency.json` | EdgeProfiler | [`LayerLatencies`] |
//! | `manifest.json` | ours | [`Manifest`] |
//! | `samples.eplog` | ours | [`Record`]s in checksummed [`frames`]: everything measured, as it was measured |
//! | `truth.json` | ours | simulated runs only: true power and duration of every layer |
//!
//! `<root>/idling_power.json` is EdgeProfiler's [`IdlePower`]; the samples it came from lie beside it.
//!
//! Each format has one reader, here, for both programs. Logs are read as streams: [`PowerLogReader`] and
//! [`SampleLogReadings`] give the same [`PowerReadings`], whichever file they come from.

mod counts;
mod design;
mod diagnostics;
pub mod frames;
mod layer_latency;
mod log_streams;
mod log_summary;
mod manifest;
mod paths;
mod power_log;
mod rail;
mod readings;
mod record;
mod sample_log;
pub mod stamp;
mod status;
mod summary;
mod total;

pub use counts::{Counts, Pass};
pub use design::{Change, Design, DesignKind, DesignStep, OutsidePower};
pub use diagnostics::Diagnostics;
pub use layer_latency::{
    LayerCursor, LayerEntry, LayerLatencies, LayerLatencyError, LayerSeries, NumberText, ReadAt, TextFile,
    index_layers, parse_layer_latencies, read_layer_latencies, split_shared_names, write_layer_latencies,
};
pub use log_streams::{LayerCycles, SampleLogReadings};
pub use log_summary::SampleLogSummary;
pub use manifest::{
    Board, Check, Clock, LayerStamp, LayerTimes, Manifest, PassSpan, PowerSetup, RunnerSetup, SCHEMA_VERSION,
    SamplingReport, Total, Verdict,
};
pub use paths::RunFolder;
pub use power_log::{LineFault, PowerLogReader, format_line};
pub use rail::{Rail, Sensor};
pub use readings::{CHUNK, PowerReading, PowerReadings};
pub use record::{BoardState, Event, InferenceSpan, LayerRun, Record, RecordError, RecordKind, Sample};
pub use sample_log::{LogContent, SampleLogReader, read_sample_log};
pub use status::Status;
pub use summary::{IdlePower, ModelConfig, ModelRun};
pub use total::{TotalReading, TotalReadings, total_readings};
