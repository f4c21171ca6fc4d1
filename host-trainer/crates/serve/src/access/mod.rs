//! Access control: tokens with scopes, the host and the site that a request comes from, rate limits.
//!
//! A route states what it requires where it is registered (`crate::routes`). The gate passes that requirement to
//! [`AccessControl::check`].

mod client;
mod control;
mod origin;
mod scope;
pub(crate) mod tokens;

pub(crate) use client::Client;
pub(crate) use control::{AccessControl, COOKIE};
pub(crate) use scope::RouteAccess;
pub use scope::Scope;
pub use tokens::Tokens;
