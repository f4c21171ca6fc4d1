//! Predictions and the model store over HTTP.
//!
//! - [`Settings`]: what a server is told; [`bind`] gives a server that serves until it is asked to end.
//! - [`App`]: what every handler shares: the deployed models, the queue to the workers, metrics, events.
//! - `models`: where models come from, and how a new set takes the place of the old.
//! - `predict`: requests for predictions, the queue, the workers.
//! - `access`: who may do what, and from where.
//! - `listen`, `tls`, `patience`: the socket, and what it does to clients that are too many or too slow.
//! - `page`: the page for people.

mod access;
mod app;
pub mod defaults;
mod error;
mod events;
mod gate;
mod health;
mod json;
mod listen;
pub mod log;
mod metrics;
mod models;
mod openapi;
mod page;
mod patience;
mod predict;
mod router;
mod settings;
mod studies;
mod tls;

pub use access::{Client, Scope, Tokens};
pub use app::App;
pub use error::ApiError;
pub use events::{Event, Events};
pub use listen::{Bound, bind};
pub use predict::{Answer, Budget, Options, Predicted};
pub use settings::{Limits, ModelSource, Settings, Tls};
