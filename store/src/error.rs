//! What can go wrong with a store.

use crate::{Digest, Key, KeyError};
use shared::failure::{Failure, Kind};

/// What can go wrong with a store.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A name that no object may have.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// A URL that names no store.
    #[error("`{url}` names no store: {reason}")]
    Url {
        /// The URL without user, password and query.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// There is no store where one should be: an unmounted disk, another bucket, a mistyped path.
    #[error("{store}: there is no store: {reason}")]
    Absent {
        /// The store, by its path or its URL without secrets.
        store: String,
        /// What was found in its place.
        reason: String,
    },
    /// A store that has lost entries that were there: an older copy, or another store in its place.
    #[error("{store}: the store has gone back: {reason}")]
    Lost {
        /// The store, by its URL without secrets.
        store: String,
        /// What is no longer there.
        reason: String,
    },
    /// The store did not do what it was asked to.
    #[error("{store}: cannot {doing} `{key}`: {source}")]
    Backend {
        /// The store, by its URL without secrets.
        store: String,
        /// What was attempted.
        doing: &'static str,
        /// The object.
        key: Key,
        /// What the store said.
        #[source]
        source: Box<object_store::Error>,
    },
    /// An object that is not what its name says.
    #[error("{store}: `{key}` is damaged: its content hashes to {found}")]
    Damaged {
        /// The store, by its URL without secrets.
        store: String,
        /// The object.
        key: Key,
        /// What its content hashes to.
        found: Digest,
    },
    /// An object that must be there and is not.
    #[error("{store}: `{key}` is missing")]
    Missing {
        /// The store, by its URL without secrets.
        store: String,
        /// The object.
        key: Key,
    },
    /// An object larger than what is read into memory.
    #[error("{store}: `{key}` has {size} bytes, more than the {limit} that are read")]
    TooLarge {
        /// The store, by its URL without secrets.
        store: String,
        /// The object.
        key: Key,
        /// Its size, bytes.
        size: u64,
        /// The cap, bytes.
        limit: u64,
    },
    /// A store that cannot keep branches: there is no way to create an object only once.
    #[error("{store}: a plain web server can only be read from; push to a folder, S3, Google Cloud or Azure")]
    ReadOnly {
        /// The store, by its URL without secrets.
        store: String,
    },
    /// An object that cannot be understood.
    #[error("{store}: `{key}`: {reason}")]
    Content {
        /// The store, by its URL without secrets.
        store: String,
        /// The object.
        key: Key,
        /// What is wrong with it.
        reason: String,
    },
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let kind = match &error {
            Error::Key(_) | Error::Url { .. } | Error::ReadOnly { .. } => Kind::Usage,
            Error::Backend { .. } | Error::Absent { .. } => Kind::Io,
            Error::Lost { .. }
            | Error::Damaged { .. }
            | Error::Missing { .. }
            | Error::TooLarge { .. }
            | Error::Content { .. } => Kind::Data,
        };
        let help = match &error {
            Error::Backend { source, .. } if denied(source) => {
                "check the credentials in the environment or the profile"
            }
            Error::Backend { .. } => "check that the store can be reached and run the same command again",
            Error::Absent { .. } => {
                "mount the disk or correct the path or URL; a new store is made by `data init` or `models register` only"
            }
            Error::Lost { .. } => "mount or restore the store that this folder was last in step with",
            Error::Damaged { .. } | Error::Missing { .. } => {
                "run `verify` to see everything that is damaged, and restore it from another copy"
            }
            _ => return Failure::from_error(kind, error),
        };
        Failure::from_error(kind, error).help(help)
    }
}

fn denied(error: &object_store::Error) -> bool {
    matches!(error, object_store::Error::PermissionDenied { .. } | object_store::Error::Unauthenticated { .. })
}
