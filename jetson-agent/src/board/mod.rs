//! The board: what it is, how it stands, and whether one can measure on it.

mod doctor;
mod mode;
mod probe;
mod state;

pub use doctor::{DoctorInput, examine};
pub use mode::{ModeError, ModeGuard, restore_mode_from_stdin};
pub use probe::probe;
pub use state::{StateReader, read_state, throttle_events};
