//! A layer's measured runs.

/// A layer and its measured runs.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct LayerRuns {
    /// The layer's name.
    pub name: String,
    /// Duration in ms and, where known, end of each run in Unix ns.
    pub runs: Vec<(f64, Option<i64>)>,
}
