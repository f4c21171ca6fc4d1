//! Everything `host-trainer` does, as functions and types that know nothing of a command line or a terminal.
//!
//! `cli` is the exception: it holds one module a command, each with the command's arguments and the function that runs
//! it, and it is the only part that prints.

pub mod align;
pub mod charts;
pub mod cli;
pub mod dataset;
pub mod evaluate;
pub mod features;
pub mod fit;
pub mod ingest;
pub mod model;
pub mod onnx;
pub mod page;
pub mod predict;
pub mod registry;
pub mod report;
pub mod serve;
pub mod tabular;
pub mod training;
pub mod tune;
