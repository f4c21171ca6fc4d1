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
            Error::Backend { source, .. } if is_full(source) => "free some space and run the same command again",
            Error::Backend { source, .. } if source.to_string().contains(METADATA) => {
                "no credentials were found, so a cloud's own machine was assumed; set them in the environment \
                 (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or those of your cloud)"
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

/// Where a cloud's machines ask for credentials of their own.
const METADATA: &str = "169.254.169.254";

fn is_full(error: &object_store::Error) -> bool {
    let causes = std::iter::successors(Some(error as &dyn std::error::Error), |error| error.source());
    causes
        .filter_map(|error| error.downcast_ref::<std::io::Error>())
        .any(|error| error.kind() == std::io::ErrorKind::StorageFull)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    fn told(source: impl std::error::Error + Send + Sync + 'static) -> String {
        let source = Box::new(object_store::Error::Generic { store: "S", source: Box::new(source) });
        let key = Key::new("packs/ab").expect("a key");
        Failure::from(Error::Backend { store: "file:///s".into(), doing: "write", key, source }).report(false)
    }

    #[test]
    fn a_full_disk_and_missing_credentials_have_steps_of_their_own() {
        assert!(told(io::Error::from(io::ErrorKind::StorageFull)).contains("hint: free some space"));
        let asked = io::Error::other("PUT http://169.254.169.254/latest/api/token: error sending request");
        assert!(told(asked).contains("hint: no credentials were found"));
        assert!(told(io::Error::from(io::ErrorKind::TimedOut)).contains("hint: check that the store can be reached"));
    }
}
