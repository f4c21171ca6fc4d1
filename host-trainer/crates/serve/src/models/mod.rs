//! The deployed models.
//!
//! The models of a device are loaded together and validated (hashes, operators, self-test of every model) before the pointer to
//! the current deployment is replaced. A request takes the pointer once and keeps it to its end.

mod deployment;
mod deployments;
mod folder;
mod promotions;
mod provider;
mod validate;

pub(crate) use deployment::{DeployedModels, Deployment};
pub(crate) use deployments::Deployments;
pub(crate) use promotions::{DeploymentChange, NumberedPromotion, PromoteRequest, RollbackRequest, registry_error};
