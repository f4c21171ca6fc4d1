//! Engines that start workers: processes here, ssh, Slurm, Kubernetes.
//!
//! An engine only starts workers. What is claimed and done is the queue's matter, so that what an engine starts twice, kills,
//! requeues or forgets does no harm.

mod choice;
mod command;
mod files;
mod kubernetes;
mod slurm;
mod ssh;
mod submit;
mod yaml;

pub use choice::{Engine, Resources, Secret};
pub use slurm::{Jobs, states as slurm_states};
pub use submit::{Started, Submission, Submit, cancel, submissions};
