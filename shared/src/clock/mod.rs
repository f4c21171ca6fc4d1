//! Clocks of others: stamps that a logger, a meter or a board wrote, as time that runs on.
//!
//! A wall clock may be set, forwards or back. A counter of fixed width begins again after its range. A log may pause, and
//! its lines may come out of order. [`read_series`] finds these in a whole series by the rhythm of its rows, undoes what is
//! certain, and names every place. [`Counter`] is the part that a reader of a live stream needs as well: how much time
//! passed between two readings of a counter, when about how long it took is known.

mod counter;
mod rhythm;
mod scale;
mod series;
mod spread;
mod straighten;

pub use counter::Counter;
pub use rhythm::Rhythm;
pub use scale::Scale;
pub use series::{Series, TimeError, read_series};
pub use straighten::{Change, ChangeKind};
