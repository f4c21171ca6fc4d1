//! Boosted regression trees, small and readable: they are what an ONNX tree ensemble is made of.
//!
//! Why not a crate: the residual is learnt from sums of layers over several tables at once, one tree a table and round;
//! thresholds are drawn within the gap between two training values, so that sizes which training did not see are
//! interpolated instead of snapped to a neighbour; and all is float32 where the graph is, so that both agree.

mod bins;
mod export;
mod tree;

pub use bins::Bins;
pub use tree::{Forest, Grower, Growth, Node, Tree};
