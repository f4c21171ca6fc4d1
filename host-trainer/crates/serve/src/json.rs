//! Reading small JSON bodies of requests.

use super::error::ApiError;
use axum::body::{Body, to_bytes};
use serde::de::DeserializeOwned;

/// Reads a JSON body of at most `limit` bytes.
///
/// # Errors
/// 413 for a body that is larger or incomplete, 422 for one of another form, with the line and column.
pub(crate) async fn read<T: DeserializeOwned>(body: Body, limit: usize) -> Result<T, ApiError> {
    let bytes = to_bytes(body, limit).await.map_err(|_| {
        ApiError::too_large(format!("the body breaks off or is larger than the {limit} bytes that are read"))
    })?;
    serde_json::from_slice(&bytes).map_err(|e| {
        ApiError::unprocessable("bad_request_body", format!("the body is not what this path takes: {e}"))
            .place(format!("line {}, column {}", e.line(), e.column()))
    })
}
