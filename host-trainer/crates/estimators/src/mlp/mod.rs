//! Multi-layer perceptrons for tables of numbers: rows in, one or several targets out, whatever they stand for.
//!
//! Scalers, network and the output's scale are one thing: [`Network::predict`] takes raw rows and gives values in their own
//! unit, and so does the graph that [`Network::export`] writes. Training is in single precision, what comes after it in
//! double.
//!
//! The passes are written out here (`layers`) over tiles that fit the processor (`kernels`): networks for such tables are
//! small, and a step of a general library spends its time on the way to the arithmetic.

mod data;
mod dropout;
mod hyperparams;
mod kernels;
mod layers;
mod network;
mod progress;
mod sampling;
mod scale;
mod settings;
mod split;
mod train;

pub use data::Data;
pub use hyperparams::read_hyperparams;
pub use network::{Epoch, History, Network};
pub use progress::Progress;
pub use sampling::{Partition, Sampling};
pub use settings::{Optimizer, Settings, TargetScale};
pub use train::{Stepwise, train, train_stepwise};
