//! Who works on which task: one trait, and three places that keep it.
//!
//! A task is claimed with a lease, which its worker renews, and a token that no earlier claim had: what is reported under an old
//! claim is refused. So each task gets exactly one result, whoever is killed, started twice or given up for dead.
//!
//! - [`SqlQueue`]: SQLite for one machine, PostgreSQL for several; the leases of studies.
//! - [`ObjectQueue`]: any object store, a folder on a shared disk included, without a server: one append-only ledger per task.

#[cfg(feature = "conformance")]
pub mod conformance;
mod error;
mod objects;
mod record;
mod sql;

pub use error::QueueError;
pub use objects::ObjectQueue;
pub use record::{Asking, Claim, Entry, Next, Outcome, Queue, Row, State, WorkerRow};
pub use sql::SqlQueue;
