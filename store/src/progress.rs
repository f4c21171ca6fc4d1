//! How far something has come, for whoever watches.

use std::sync::atomic::{AtomicU64, Ordering};

/// Bytes done of bytes to do. Shared with a thread that draws it.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes done.
    pub done_bytes: AtomicU64,
    /// Bytes to do, as far as is known.
    pub total_bytes: AtomicU64,
}

impl Progress {
    pub(crate) fn total(&self, bytes: u64) {
        self.done_bytes.store(0, Ordering::Relaxed);
        self.total_bytes.store(bytes, Ordering::Relaxed);
    }

    pub(crate) fn done(&self, bytes: u64) {
        self.done_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub(crate) fn finish(&self) {
        self.done_bytes.store(self.total_bytes.load(Ordering::Relaxed), Ordering::Relaxed);
    }
}
