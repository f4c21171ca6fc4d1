//! Engine runners: anything that runs an engine and says how long its layers took.

mod engine_runner;
pub mod onnxruntime;
mod simulated;
#[cfg(feature = "tensorrt")]
mod tensorrt;
mod tensorrt_version;
pub mod trtexec;

pub use engine_runner::{EngineRunner, Job, Observer, Prepared, RunnerError};
pub(crate) use simulated::describe as describe_simulated;
pub use simulated::{SimulatedRunner, SimulatedTiming};
#[cfg(feature = "tensorrt")]
pub use tensorrt::TensorRt;
pub use tensorrt_version::{tensorrt_version, tensorrt_version_of};
