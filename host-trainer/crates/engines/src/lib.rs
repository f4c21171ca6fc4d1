//! Engines that start workers on a folder: processes here, ssh, Slurm, Kubernetes.
//!
//! An engine only starts workers. Who works on what is the workers' matter, so that what an engine starts twice, kills,
//! requeues or forgets does no harm.
//!
//! - [`Engine`], [`Resources`]: which one, and what a worker may take;
//! - [`Job`], [`Family`]: the folder that is worked on, and the command of its workers;
//! - [`Job::files`]: scripts and manifests that lie in the folder;
//! - [`start`], [`record`], [`submissions`], [`cancel`]: what was started, kept in the folder;
//! - [`documents`], [`copies`], [`published`]: what makes a folder self-contained, here and in an object store.

mod choice;
mod command;
pub mod copies;
pub mod documents;
mod files;
mod job;
mod kubernetes;
pub mod local;
mod owner;
pub mod published;
mod slurm;
mod ssh;
mod submit;
mod yaml;

pub use choice::{Engine, Resources, Secret};
pub use copies::ProgramStamp;
pub use job::{Family, Job};
pub use owner::{host, owner};
pub use slurm::{Jobs, states as slurm_states};
pub use submit::{Started, Submission, cancel, record, start, submissions};
