//! The API for programs: handlers with their description, and the document made of it.

mod batches;
mod events;
mod models;
mod openapi;
mod predict;
mod registry;
mod routes;
mod server;
mod studies;

pub(crate) use openapi::ApiDocument;
pub(crate) use routes::routes;
