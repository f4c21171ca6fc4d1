//! What `jetson-agent` and `host-trainer` agree on.
//!
//! The two programs never depend on each other; they meet in files. This crate holds those files' formats (engine info,
//! run folders), the units their numbers carry, and the one way in which both programs tell a user that something
//! failed. It has no async, no network, no data frames and no machine learning.

pub mod architectures;
pub mod engine;
pub mod failure;
pub mod fs;
pub mod limits;
pub mod printer;
pub mod run_folder;
pub mod simulate;
pub mod units;
