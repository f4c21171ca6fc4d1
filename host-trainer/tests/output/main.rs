//! What every command writes for people, and its CSV and JSON, held in snapshots: a change of output is a change that
//! somebody has looked at. `INSTA_UPDATE=always cargo test -p host-trainer --test output` writes them again.
//!
//! Each test runs the real binary in a folder of its own. Times, paths, digests and the program's version are replaced,
//! and figures are cut to six decimals, so that a snapshot holds on every machine.

mod compare;
mod data;
mod fits;
mod help;
mod mistakes;
mod models;
mod predict;
mod runs;
mod session;
