//! Reading the query of a request.

use super::error::ApiError;
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;

/// The query of a request.
///
/// # Errors
/// 400 for one that cannot be read.
pub(crate) fn read<T>(query: Result<Query<T>, QueryRejection>) -> Result<T, ApiError> {
    query.map(|Query(query)| query).map_err(|e| ApiError::bad_request(e.body_text()).place("query"))
}
