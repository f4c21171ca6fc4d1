//! What the board draws and how it stands, now and since the start: for a display, for lines of JSON and for Prometheus.

mod address;
mod follow;
mod metrics;
mod server;
mod view;

pub use address::{Listen, Token};
pub use follow::{Display, FollowPlan, follow};
pub use metrics::metrics;
pub use server::{Latest, serve};
pub use view::{RailView, SamplingView, ThrottleView, View};
