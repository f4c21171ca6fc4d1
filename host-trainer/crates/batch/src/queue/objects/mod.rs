//! Tasks in an object store alone: no server, and nothing that is ever changed but signs of life.
//!
//! Each task has a ledger of what happened to it: claimed, handed back, failed, done. Appending is creating an object of the next
//! number unless it is there, so of two workers that want the same task one gets it, and what a worker appends after its claim was
//! taken over is refused: the number of the claim is its fencing token. A worker shows that it lives by writing an object named for
//! its claim again and again; how old that is tells the store's own clock.

mod choice;
mod clock;
mod ended;
mod event;
mod listing;
mod places;
mod queue;
mod rows;

pub use queue::ObjectQueue;
