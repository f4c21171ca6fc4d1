//! Studies on this machine: one worker with a queue that outlives the process.
//!
//! Trials live in a database that `host-trainer tune` shares. Other processes may run the same studies, and their trials show
//! here as well. The queue is a file with the names of the studies that were started here and are not done.

mod data;
mod error;
mod progress;
mod request;
mod runner;
mod worker;

pub(crate) use progress::progress;
pub(crate) use request::{CheckedStudy, MOST_BYTES, StudyRequest};
pub(crate) use runner::{QueueStatus, StudyRunner};
pub(crate) use worker::work;
