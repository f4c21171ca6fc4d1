//! Learning what layers cost: from training tables to models, and from models to predictions.
//!
//! - [`features`]: the columns of each kind of layer, and how a layer becomes a row;
//! - [`training`]: training tables, read; [`tabular`]: tables that are no layers;
//! - [`fit`]: plans, model kinds, fitting and judging;
//! - [`model`]: what a fitted model is: its trait, its card, its folder;
//! - [`predict`]: an engine's layers to predictions and totals;
//! - [`what_if`]: predictions in other power modes, at other clocks, in other batches and number formats;
//! - [`mod@transfer`]: the models of one device carried over to another by a few measurements;
//! - [`network_times`]: times of whole networks at other clocks and on other boards, from tables alone;
//! - [`evaluate`]: how good models are, and why.

pub mod evaluate;
pub mod features;
pub mod fit;
pub mod model;
pub mod network_times;
pub mod predict;
pub mod tabular;
pub mod training;
pub mod transfer;
pub mod what_if;
