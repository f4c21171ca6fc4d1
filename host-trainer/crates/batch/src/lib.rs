//! Batches: many trainings as tasks, on engines that exist.
//!
//! - [`configuration`]: data sets, models and trainings by content, and which of their product are tasks;
//! - [`tasks`]: a training by hash, with the seed that follows from it;
//! - [`generate`], [`folder`]: a self-contained folder of a batch, its parts, where its tasks are kept;
//! - [`grid`]: a batch from a grid of options alone;
//! - [`queue`]: who works on which task, in SQLite, PostgreSQL, or any object store alone;
//! - [`worker`]: claims tasks, trains them, keeps checkpoints and results;
//! - [`submit`]: workers by processes, ssh, Slurm and Kubernetes;
//! - [`status`], [`results`], [`promote`], [`gc`]: what came of it.
//!
//! A result depends on its task alone: on data, model, training and repeat, never on who worked on it, how often and where.

mod checkpoint;
pub mod configuration;
mod data;
mod estimate;
pub mod folder;
pub mod gc;
pub mod generate;
pub mod grid;
pub mod promote;
mod publish;
pub mod queue;
pub mod results;
pub mod status;
pub mod submit;
pub mod tasks;
pub mod training;
pub mod worker;

pub use checkpoint::{LossSoFar, Unfinished, unfinished};
