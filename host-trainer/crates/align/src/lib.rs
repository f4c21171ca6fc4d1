//! From a run's logs to per-layer power and energy, each with its uncertainty.

pub mod attribute;
pub mod batch;
pub mod cycles;
pub mod design;
pub mod files;
pub mod latency;
pub mod linalg;
pub mod parquet;
pub mod power;
pub mod quality;
pub mod refresh;
pub mod rows;
pub mod run;
pub mod sensor;
pub mod share;
mod side;
pub mod solve;
pub mod stamp;
pub mod step;
pub mod summary;
pub mod timeline;
pub mod totals;
mod tune;
pub mod window;
