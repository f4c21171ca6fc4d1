//! What goes wrong with a queue.

use shared::failure::{Failure, Kind};
use tune::database::DatabaseError;

/// What goes wrong with a queue.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The database cannot be opened.
    #[error("{place}: {source}")]
    Open {
        /// The database, without a password.
        place: String,
        /// What is wrong.
        source: DatabaseError,
    },
    /// The database failed.
    #[error("{place}: {source}")]
    Sql {
        /// The database, without a password.
        place: String,
        /// What it said.
        source: sqlx::Error,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// What is kept is not what was written there.
    #[error("{place}: {what}")]
    Garbled {
        /// Where.
        place: String,
        /// What was found.
        what: String,
    },
}

impl From<store::KeyError> for QueueError {
    fn from(error: store::KeyError) -> Self {
        Self::Store(error.into())
    }
}

impl From<QueueError> for Failure {
    fn from(error: QueueError) -> Self {
        let reachable = "check that the database can be reached and written, then run the same command again";
        match error {
            QueueError::Store(error) => error.into(),
            QueueError::Open { source: DatabaseError::Missing | DatabaseError::Empty, place } => {
                Failure::new(Kind::Io, format!("{place}: there is no such batch in the database"))
                    .help("name the database that the batch was generated with, by HOST_TRAINER_BATCH_DB")
            }
            QueueError::Open { source: DatabaseError::Foreign(why), place } => {
                Failure::data(format!("{place}: it holds no batches: {why}")).help("it was left as it is")
            }
            error @ (QueueError::Open { .. } | QueueError::Sql { .. }) => {
                Failure::from_error(Kind::Io, error).help(reachable)
            }
            error @ QueueError::Garbled { .. } => Failure::from_error(Kind::Data, error),
        }
    }
}
