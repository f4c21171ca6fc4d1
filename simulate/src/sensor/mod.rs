//! Power sensors: what a chip makes of a load, and when a program reads it.

mod filter;
mod front;
mod model;
mod reader;

pub use filter::{Register, SensorFilter};
pub use model::SensorModel;
pub use reader::{PollModel, Poller, Reader};
