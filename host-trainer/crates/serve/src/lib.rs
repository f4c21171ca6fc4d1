//! Predictions, models, studies and batches over HTTP: an API for programs and a page for people.
//!
//! [`Settings`] describe a server, [`bind`] loads its models and binds its socket, [`Server::serve`] answers until it is asked
//! to end. [`log::start`] starts the log.
//!
//! The modules, from the outside in:
//!
//! - `listen`, `tls`, `write_timeout`: the socket, and its limits on slow and numerous clients.
//! - `state_lock`: one server per state folder.
//! - `router`, `gate`, `routes`: which path leads where, and what every request passes before its handler.
//! - `api`, `page`: the handlers, for programs and for people.
//! - `app`: the state that handlers share.
//! - `predict`, `models`, `studies`, `batches`, `uploads`: what they do. None of these knows of the API or the page.
//! - `access`: tokens, scopes, origins, rate limits.

mod accept;
mod access;
mod api;
mod app;
mod batch_control;
mod batch_progress;
mod batches;
mod blocking;
pub mod defaults;
mod error;
mod events;
mod gate;
mod json;
mod listen;
pub mod log;
mod metrics;
mod models;
mod page;
mod predict;
mod query;
mod router;
mod routes;
mod settings;
mod sse;
mod state_lock;
mod studies;
mod tls;
mod uploads;
mod write_timeout;

pub use access::{Scope, Tokens};
pub use listen::{Server, bind};
pub use settings::{Limits, ModelSource, Settings, Tls};
