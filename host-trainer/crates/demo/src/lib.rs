//! The whole path from a simulated board to a prediction and a report, as the commands that a user would give.
//!
//! Five networks are recorded on the agent's simulated board, aligned, turned into tables, and fitted. A sixth network, which no model
//! has seen, is predicted and then recorded too, so that the prediction can be held against the simulator's truth.

mod agreement;
mod programs;
mod steps;

pub use agreement::{Agreement, agreement};
pub use programs::{Programs, find_agent};
pub use steps::{NEW_NETWORK, Step, prepare, run, steps};
