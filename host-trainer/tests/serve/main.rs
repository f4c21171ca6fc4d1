//! `host-trainer serve` as its clients meet it: the real binary, on loopback.

#![allow(clippy::unwrap_used, clippy::print_stdout, dead_code)]

mod access;
mod batches;
#[path = "../registry/fixtures.rs"]
mod fixtures;
#[path = "../functions/mod.rs"]
mod functions;
mod hostile;
mod predictions;
mod promotions;
mod schema;
mod server;
mod studies;
mod tls;
