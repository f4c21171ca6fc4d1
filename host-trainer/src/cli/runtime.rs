//! The one place where the command line, which is synchronous, waits for what is asynchronous.

use shared::failure::{Failure, Kind};
use std::future::Future;

/// Runs a future to its end.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Io, format!("cannot start threads: {e}")))?;
    Ok(runtime.block_on(future))
}
