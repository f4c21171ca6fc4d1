//! What goes wrong with studies.

/// What goes wrong with studies.
#[derive(Debug, thiserror::Error)]
pub enum StudyError {
    /// The location of studies is invalid.
    #[error("{0}")]
    Location(String),
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
