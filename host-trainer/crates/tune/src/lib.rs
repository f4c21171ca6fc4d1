//! Tuning: studies that search for a plan's best options.
//!
//! A study is a row of a database that any number of processes and machines share; its trials are rows as well. What
//! trial number *n* tries depends on the seed, on *n* and on the trials of earlier *generations*, a generation being a
//! fixed number of trials; whether it is pruned depends on the same. So a study is the same however many work on it, in
//! whatever order they finish, and whoever is killed meanwhile.

pub mod database;
pub mod defaults;
pub mod export;
pub mod folder;
pub mod leases;
pub mod objective;
pub mod origin;
pub mod pruner;
pub mod sampler;
pub mod search;
pub mod space;
pub mod studies;
pub mod subject;
pub mod worker;
