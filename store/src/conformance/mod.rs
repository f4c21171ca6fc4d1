//! What every backend must do: one suite for all, with and without injected faults. For tests only.

mod faults;
mod folder;
mod suite;

pub use faults::Faults;
pub use folder::{fill, read_all};
pub use suite::{half_pushes_are_invisible, run, run_one_by_one, writers};
