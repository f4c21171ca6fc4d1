//! `jetson-agent`'s parts: power sources, engine runners, parts of ONNX models, the session that joins them, the board's state.
//!
//! `cli` holds the commands; everything else knows nothing of the command line or the terminal.

pub mod board;
pub mod cli;
pub mod live;
pub mod measure;
pub mod onnx;
pub mod power;
pub mod runner;
pub mod session;
pub mod sys;
