//! Sessions: a power source and an engine runner joined into a run folder, so that nothing measured is lost.
//!
//! One thread samples, one writes the log, one watches the board; the runner has the caller's thread. All of them put
//! records into one channel, and only the log's writer touches the disk while a session runs. The reference's files are
//! made from the log when the session ends, or by `recover` when it could not.

mod campaign;
mod design;
mod experiment;
mod export;
mod idle;
mod info;
mod log;
mod loops;
mod monitor;
mod prefixes;
mod profile;
mod program;
mod recover;
mod verify;
mod virtual_session;

pub use campaign::{CampaignLog, latency};
pub use design::{DESIGN_FOLDER, outside_power, period, plan_pauses, settled_means, settling, time_left};
pub use experiment::{ExperimentPlan, ModelPlan, Step, needs_measuring, steps};
pub use export::write_reference_files;
pub use idle::{IdleOutcome, idle_files, measure_idle};
pub use info::{RunInfo, describe};
pub use log::{LogThread, RunLog};
pub use loops::{Compared, LoopLayer, compare, in_engine, layer_times, loop_layers, plan_loops};
pub use monitor::{Progress, Stop, Tick};
pub use prefixes::plan_prefixes;
pub use profile::{ProfileOutcome, ProfilePlan, profile};
pub use program::program;
pub use recover::{Recovered, recover};
pub use verify::{Finding, verify};
pub use virtual_session::profile_virtually;
