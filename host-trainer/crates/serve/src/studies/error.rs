//! Errors of studies.

use crate::error::ApiError;
use shared::failure::{Failure, Kind, printable};
use tune::studies::StudyError;

/// The failure of an error of studies.
pub(super) fn study_failure(error: StudyError) -> Failure {
    match error {
        // What lies at the place of the database is no business of a client's.
        StudyError::Database(_)
        | StudyError::Garbled(_)
        | StudyError::Location(_)
        | StudyError::Missing
        | StudyError::Empty
        | StudyError::Foreign(_) => Failure::new(Kind::Io, error.to_string()),
        other => Failure::usage(other.to_string()),
    }
}

/// The error of a study as a client gets it.
impl From<StudyError> for ApiError {
    fn from(error: StudyError) -> Self {
        match error {
            StudyError::Unknown(name) => Self::not_found(format!("there is no study `{}`", printable(&name))),
            other => study_failure(other).into(),
        }
    }
}

/// The error of a request for a study, with the name of the file that the client sent. Paths of this machine are left out.
pub(super) fn request_error(failure: Failure) -> ApiError {
    let name = failure.path.as_ref().and_then(|path| path.file_name()).map(|name| name.to_string_lossy().into_owned());
    let usage = failure.kind == Kind::Usage;
    let error = ApiError::from(failure);
    match name.filter(|_| usage) {
        Some(name) => error.place(name),
        None => error,
    }
}
