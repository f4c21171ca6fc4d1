//! What can go wrong with a registry.

use shared::failure::{Failure, Kind};

/// What can go wrong with a registry.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The store.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// A name that nothing may have.
    #[error("{0}")]
    Name(String),
    /// There is no such model, version, device or entry.
    #[error("{0}")]
    Unknown(String),
    /// The answer is no: not better, declined before, nothing to go back to.
    #[error("{reason}")]
    Declined {
        /// Why.
        reason: String,
        /// What would change the answer.
        help: Option<String>,
    },
    /// A model that may not be deployed, force or not: it is damaged, or not what our models are.
    #[error("model {model} cannot be deployed: {reason}")]
    Unfit {
        /// The model.
        model: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Many others kept changing the same alias.
    #[error("{0}: others changed it again and again")]
    Contended(String),
    /// Files or data outside the store.
    #[error("{0}")]
    Failed(Failure),
}

impl From<Failure> for Error {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let (kind, help) = match error {
            Error::Store(error) => return error.into(),
            Error::Failed(failure) => return failure,
            Error::Name(_) => (Kind::Usage, None),
            Error::Unknown(_) => (Kind::Usage, Some("`host-trainer models list` shows what there is".to_owned())),
            Error::Declined { ref help, .. } => (Kind::AnswerIsNo, help.clone()),
            Error::Unfit { .. } => (Kind::Data, Some("fit it again and register the result".to_owned())),
            Error::Contended(_) => (Kind::Io, Some("run the same command again".to_owned())),
        };
        let failure = Failure::from_error(kind, error);
        match help {
            Some(help) => failure.help(help),
            None => failure,
        }
    }
}
