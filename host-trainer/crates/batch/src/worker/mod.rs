//! A worker: claims tasks of a batch, trains them, keeps their results, and stops when asked to.

mod computation;
mod energy;
mod event;
mod settings;
mod work;

pub use event::Event;
pub use settings::Settings;
pub use work::Worker;
