//! The board: what it is, how it stands, and whether one can measure on it.

mod doctor;
mod probe;
mod state;

pub use doctor::{DoctorInput, examine};
pub use probe::probe;
pub use state::{StateReader, read_state};
