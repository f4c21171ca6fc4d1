//! Fitting: from training tables to predictors.
//!
//! A program calls [`options`], which turns choices into a plan, and [`run`], which turns a plan into models in a folder.
//! [`kinds`] puts the estimators together as recipes, [`plan`] says which recipe with which options, and [`train`] judges
//! whichever recipe it is given.

pub mod kinds;
pub mod options;
pub mod plan;
mod roofline;
pub mod run;
pub mod train;
