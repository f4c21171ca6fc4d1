//! Bodies of requests, within a limit each and a limit for all together.

use crate::error::ApiError;
use axum::body::{Body, Bytes, to_bytes};
use axum::http::{HeaderMap, header};
use std::error::Error;
use std::sync::Arc;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Memory is counted in pieces of this many bytes.
const PIECE: usize = 4096;

/// The memory for bodies that are read, queued or predicted.
#[derive(Debug)]
pub(crate) struct BodyMemory {
    pieces: Arc<Semaphore>,
}

impl BodyMemory {
    /// Memory of a number of bytes.
    pub(crate) fn new(bytes: usize) -> Self {
        Self { pieces: Arc::new(Semaphore::new(bytes.div_ceil(PIECE).min(Semaphore::MAX_PERMITS))) }
    }

    /// Reads a body of at most `limit` bytes. Dropping the permit releases its memory. A body without `Content-Length` takes
    /// `limit` bytes.
    ///
    /// # Errors
    /// 413 for a body that is larger, 400 for an incomplete one, 429 where the memory is taken.
    pub(crate) async fn read(
        &self,
        headers: &HeaderMap,
        body: Body,
        limit: usize,
    ) -> Result<(Bytes, OwnedSemaphorePermit), ApiError> {
        let too_large = || ApiError::too_large(format!("the body is larger than the {limit} bytes that are read"));
        let declared = headers.get(header::CONTENT_LENGTH).and_then(|v| v.to_str().ok()).and_then(|v| v.parse().ok());
        if declared.is_some_and(|length: u64| length > limit as u64) {
            return Err(too_large());
        }
        let length = declared.map_or(limit, |length| length as usize);
        let pieces = u32::try_from(length.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces);
        let permit = permit.map_err(|_| ApiError::busy("queue_full", "too many large requests at once", 1))?;
        match to_bytes(body, limit).await {
            Ok(bytes) => Ok((bytes, permit)),
            Err(error) if is_length_limit(&error) => Err(too_large()),
            Err(_) => Err(ApiError::bad_request("the body broke off")),
        }
    }
}

/// Whether a body was longer than its limit. axum's error wraps one of http-body-util, which is not a dependency.
fn is_length_limit(error: &axum::Error) -> bool {
    let mut cause: Option<&dyn Error> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit") {
            return true;
        }
        cause = error.source();
    }
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_is_taken_before_a_body_is_read_and_given_back() {
        let memory = BodyMemory::new(2 * PIECE);
        let none = HeaderMap::new();
        let (bytes, permit) = memory.read(&none, Body::from(vec![0; PIECE]), 2 * PIECE).await.expect("fits");
        assert_eq!(bytes.len(), PIECE);
        let full = memory.read(&none, Body::from("x"), 2 * PIECE).await.expect_err("no memory");
        assert_eq!(full.code, "queue_full");
        drop(permit);
        let long = memory.read(&none, Body::from(vec![0; PIECE + 1]), PIECE).await.expect_err("too large");
        assert_eq!(long.code, "too_large");
        let declared = HeaderMap::from_iter([(header::CONTENT_LENGTH, "9999999".parse().expect("a header"))]);
        assert_eq!(memory.read(&declared, Body::empty(), PIECE).await.expect_err("too large").code, "too_large");
    }
}
