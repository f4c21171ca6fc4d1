//! Studies in a database: SQLite for one machine, PostgreSQL for several.
//!
//! A trial is claimed with a lease, which its worker renews while it works, and a token, which every claim raises: what
//! is reported under an old token is refused. A trial whose lease has run out is claimed again, with the same parameters.
//! All times are the database's, so that machines need not agree on theirs.

mod claims;
mod error;
mod records;
mod repository;

pub use crate::database::Location;
pub use crate::leases::{MOST_FAILURES, MOST_LOST};
pub use claims::{Claim, Next, Outcome};
pub use error::StudyError;
pub use records::{Counts, MOST_TRIALS, Progress, Specification, Study, Trial, TrialState};
pub use repository::Studies;

#[cfg(test)]
mod tests;
