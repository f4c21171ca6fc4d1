//! Bodies of requests, within a limit each and a limit for all together.

use crate::error::ApiError;
use crate::settings::Limits;
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
    /// The largest body, bytes.
    largest: usize,
}

/// Memory that a request holds. Dropping it releases the memory, so it goes with the request, not with its handler: the
/// handler ends when its client leaves, and the request may wait for longer.
#[derive(Debug)]
pub(crate) struct BodyPermit {
    _permit: OwnedSemaphorePermit,
}

impl BodyMemory {
    /// The memory that limits allow: at least that of the largest body, which could not be read otherwise.
    pub(crate) fn new(limits: &Limits) -> Self {
        let bytes = limits.waiting_bytes.max(limits.body_bytes);
        let pieces = bytes.div_ceil(PIECE).min(Semaphore::MAX_PERMITS);
        Self { pieces: Arc::new(Semaphore::new(pieces)), largest: limits.body_bytes }
    }

    /// Takes the memory of a body before it is read: its `Content-Length`, at most the largest body. A body without
    /// `Content-Length` takes that of the largest.
    ///
    /// # Errors
    /// 429 where the memory is taken.
    pub(crate) fn reserve(&self, headers: &HeaderMap) -> Result<BodyPermit, ApiError> {
        let bytes = declared(headers).map_or(self.largest, |length| length.min(self.largest as u64) as usize);
        let pieces = u32::try_from(bytes.div_ceil(PIECE)).unwrap_or(u32::MAX);
        let permit = Arc::clone(&self.pieces).try_acquire_many_owned(pieces);
        permit
            .map(|_permit| BodyPermit { _permit })
            .map_err(|_| ApiError::busy("queue_full", "too many large requests at once", 1))
    }

    /// Reads a body with the memory that it takes.
    ///
    /// # Errors
    /// 413 for a body larger than the largest, 400 for an incomplete one, 429 where the memory is taken.
    pub(crate) async fn read(&self, headers: &HeaderMap, body: Body) -> Result<(Bytes, BodyPermit), ApiError> {
        let limit = self.largest;
        let too_large = || ApiError::too_large(format!("the body is larger than the {limit} bytes that are read"));
        if declared(headers).is_some_and(|length| length > limit as u64) {
            return Err(too_large());
        }
        let permit = self.reserve(headers)?;
        match to_bytes(body, limit).await {
            Ok(bytes) => Ok((bytes, permit)),
            Err(error) if is_length_limit(&error) => Err(too_large()),
            Err(_) => Err(ApiError::bad_request("the body broke off")),
        }
    }
}

/// The length of a body as its request states it, bytes.
fn declared(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
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
        let memory = BodyMemory::new(&Limits { waiting_bytes: PIECE, body_bytes: PIECE, ..Limits::default() });
        let none = HeaderMap::new();
        let (bytes, permit) = memory.read(&none, Body::from(vec![0; PIECE])).await.expect("fits");
        assert_eq!(bytes.len(), PIECE);
        let full = memory.read(&none, Body::from("x")).await.expect_err("no memory");
        assert_eq!(full.code, "queue_full");
        drop(permit);
        let long = memory.read(&none, Body::from(vec![0; PIECE + 1])).await.expect_err("too large");
        assert_eq!(long.code, "too_large");
        let large = BodyMemory::new(&Limits { waiting_bytes: PIECE, body_bytes: 2 * PIECE, ..Limits::default() });
        assert!(large.read(&none, Body::from(vec![0; 2 * PIECE])).await.is_ok(), "the largest body can be read alone");
        let declared = HeaderMap::from_iter([(header::CONTENT_LENGTH, "9999999".parse().expect("a header"))]);
        assert_eq!(memory.read(&declared, Body::empty()).await.expect_err("too large").code, "too_large");
    }
}
