//! What goes wrong with studies.

use crate::database::DatabaseError;

/// What goes wrong with studies.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The location of studies is invalid.
    #[error("{0}")]
    Location(String),
    /// There is no file of that name.
    #[error("no such database of studies")]
    Missing,
    /// A database in which no study was begun.
    #[error("the database holds no studies: none was begun in it")]
    Empty,
    /// What is not a database of studies. It was not changed.
    #[error("the database holds no studies: {0}")]
    Foreign(String),
    /// The database failed.
    #[error("the study database: {0}")]
    Database(#[from] sqlx::Error),
    /// There is no such study.
    #[error("there is no study `{0}`")]
    Unknown(String),
    /// A study of this name exists and is another one.
    #[error("the study `{name}` was begun with another {what}")]
    Differs {
        /// The study.
        name: String,
        /// What differs: `seed`, `space`.
        what: String,
    },
    /// A name that no study can have.
    #[error("`{0}` is no name for a study; use letters, digits, `-`, `_` and `.`")]
    Name(String),
    /// What the database holds is not what was written there.
    #[error("the study database holds {0}")]
    Garbled(String),
    /// No proposal can be made.
    #[error("{0}")]
    Space(String),
}

impl From<DatabaseError> for StudyError {
    fn from(error: DatabaseError) -> Self {
        match error {
            DatabaseError::Location(reason) => Self::Location(reason),
            DatabaseError::Missing => Self::Missing,
            DatabaseError::Empty => Self::Empty,
            DatabaseError::Foreign(reason) => Self::Foreign(reason),
            DatabaseError::Sql(error) => Self::Database(error),
        }
    }
}
