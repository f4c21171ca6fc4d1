//! What `jetson-agent` and `host-trainer` agree on.
//!
//! The two programs never depend on each other; they meet in files. This crate holds those files' formats (engine info,
//! run folders), the encoding of ONNX files, how text and numbers of foreign files are read, the units their numbers carry, and the one way in which both programs tell a user that something
//! failed. It has no async, no network, no data frames and no machine learning.

pub mod boards;
pub mod campaign;
pub mod clock;
pub mod device;
pub mod digest;
pub mod engine;
pub mod failure;
pub mod figures;
pub mod fs;
pub mod limits;
pub mod near;
pub mod power_modes;
pub mod printer;
pub mod protobuf;
pub mod random;
pub mod run_folder;
pub mod sensor;
pub mod shell;
pub mod text;
pub mod units;
