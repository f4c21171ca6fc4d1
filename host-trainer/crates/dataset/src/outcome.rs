//! What became of a network.

use serde::Serialize;
use std::collections::BTreeMap;

/// A layer that is in no table, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The layer.
    pub layer: String,
    /// Why it is left out.
    pub why: String,
    /// Whether it has too few measurements, rather than no table.
    pub thin: bool,
}

/// What became of one network.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Outcome {
    /// The network.
    pub model: String,
    /// Rows by table.
    pub rows: BTreeMap<String, usize>,
    /// Layers that are in no table.
    pub left_out: Vec<LeftOut>,
    /// What a user should know of its data, in sentences.
    pub notes: Vec<String>,
}
