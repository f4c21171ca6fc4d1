//! Learning what layers cost: from training tables to models, and from models to predictions.
//!
//! - [`features`]: the columns of each kind of layer, and how a layer becomes a row;
//! - [`training`]: training tables, read; [`tabular`]: tables that are no layers;
//! - [`fit`]: plans, model kinds, fitting and judging;
//! - [`model`]: what a fitted model is: its trait, its card, its folder;
//! - [`predict`]: an engine's layers to predictions and totals;
//! - [`evaluate`]: how good models are, and why.

pub mod evaluate;
pub mod features;
pub mod fit;
pub mod model;
pub mod predict;
pub mod tabular;
pub mod training;
