//! Work that takes a processor or a disk, kept off the threads that serve connections.

use super::error::ApiError;
use std::sync::Arc;
use tokio::sync::Semaphore;

/// Runs blocking work on threads of its own, a limited number of pieces at a time.
#[derive(Debug, Clone)]
pub(crate) struct BlockingPool {
    permits: Arc<Semaphore>,
}

impl BlockingPool {
    /// A pool that runs `workers` pieces of work at a time, at least one.
    pub(crate) fn new(workers: usize) -> Self {
        Self { permits: Arc::new(Semaphore::new(workers.max(1))) }
    }

    /// Runs a piece of work when there is a free place.
    ///
    /// # Errors
    /// The error of the work itself; 500 where it panics.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, ApiError> + Send + 'static,
    ) -> Result<T, ApiError> {
        let busy = |_| ApiError::busy("busy", "the server is busy with other pages", 1);
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            work()
        });
        done.await.unwrap_or_else(|_| Err(ApiError::internal()))
    }
}
