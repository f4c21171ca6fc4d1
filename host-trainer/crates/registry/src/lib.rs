//! Models under version in any object store: what was fitted, what is deployed, and who decided that when.
//!
//! In the store, below `models/`:
//!
//! - `blobs/<2 digits>/<sha256>`: graphs, cards and device files, each once;
//! - `registered/<device>/<kind>/<target>/<n>`: a ledger of the models of an [`Alias`]; entry *n* is version *n*;
//! - `promotions/<device>/<kind>/<target>/<n>`: a ledger of what was deployed; its last entry is what is deployed now, all
//!   of it together is the audit trail.
//!
//! Blobs are written before the entry that names them, so that whoever sees an entry finds a whole model. Nothing is ever
//! changed or removed. Whoever promotes reads the ledger, decides on what it says, and appends after the entry it has seen;
//! where somebody was quicker it reads and decides again. A reader takes the last entry, then the blobs that it names:
//! each alias moves at once, a device's aliases move one after the other.
//!
//! Everything here is asynchronous; the command line runs it from one place.

mod alias;
mod cache;
mod check;
mod choose;
mod criterion;
mod error;
mod export;
pub mod mlflow;
mod open;
mod promote;
mod promotion;
mod read;
mod record;
mod register;
mod registry;
mod revision;
mod verify;

pub use alias::Alias;
pub use cache::Cache;
pub use choose::who;
pub use criterion::{Comparison, Criterion, EvaluationSet, Metric, Score, Verdict};
pub use error::Error;
pub use open::{Opened, open_deployed};
pub use promote::{Outcome, Request};
pub use promotion::{Action, Promotion, Trail};
pub use read::{Deployment, Generation, Listed, Status};
pub use record::{Provenance, Record, Stamp, Version, short};
pub use register::Registered;
pub use registry::Registry;
pub use revision::data_revision;
pub use verify::Verification;
