//! The networks, from the papers' tables.

pub(crate) mod classics;
pub(crate) mod compact;
pub(crate) mod connected;
pub(crate) mod dense_prediction;
pub(crate) mod residual;
pub(crate) mod transformer;

/// Classes of ImageNet.
const CLASSES: u64 = 1_000;
