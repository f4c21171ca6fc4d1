//! What goes wrong with a database.

/// What goes wrong with a database.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseError {
    /// The location is invalid.
    #[error("{0}")]
    Location(String),
    /// There is no file of that name.
    #[error("there is no such database")]
    Missing,
    /// A database in which nothing of the kind was begun.
    #[error("the database is empty")]
    Empty,
    /// What is not ours. It was not changed.
    #[error("{0}")]
    Foreign(String),
    /// The database failed.
    #[error(transparent)]
    Sql(#[from] sqlx::Error),
}
