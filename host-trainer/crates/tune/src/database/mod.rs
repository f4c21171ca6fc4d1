//! The databases that keep studies and batches: SQLite for one machine, PostgreSQL for several, behind one code path.

mod connect;
mod error;
mod file;
mod location;
mod schema;

pub use connect::{Access, Dialect, connect, retried};
pub use error::DatabaseError;
pub use location::Location;
pub use schema::Schema;
