//! Fitting: from training tables to predictors.
//!
//! [`kinds`] lists the model kinds, a [`plan`] says which of them with which options, [`estimator`] is what they all are,
//! [`cross_validation`] fits them without some of the rows, and [`train`] makes and evaluates artefacts. A program calls
//! [`options`], which turns choices into a plan, and [`run`], which turns a plan into models in a folder.

pub mod cross_validation;
pub mod estimator;
pub mod kind_options;
pub mod kinds;
pub mod options;
pub mod plan;
mod plan_file;
mod roofline;
pub mod run;
pub mod train;

pub use plan_file::toml_failure;
