//! Fitting: from training tables to predictors.
//!
//! [`kinds`] puts the estimators together as recipes, [`plan`] says which recipe with which options, and [`train`] judges
//! whichever recipe it is given.

pub mod kinds;
pub mod plan;
mod roofline;
pub mod train;
