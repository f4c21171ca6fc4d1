//! Groups of operators as the layers of an engine info.

mod layers;
mod names;
mod order;
mod tensors;

pub(crate) use layers::{Written, layers};
