//! The one place where the command line, which is synchronous, waits for what is asynchronous.

use shared::failure::{Failure, Kind};
use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::runtime::Runtime;

/// Threads for what is asynchronous.
pub(super) fn build() -> Result<Runtime, Failure> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::new(Kind::Io, format!("cannot start threads: {e}")).caused_by(e))
}

/// Runs a future to its end.
pub(super) fn block_on<F: Future>(future: F) -> Result<F::Output, Failure> {
    Ok(build()?.block_on(future))
}

/// Ends at SIGINT or SIGTERM.
pub(super) fn interrupted() -> Result<impl Future<Output = ()>, Failure> {
    use tokio::signal::unix::{SignalKind, signal};
    let listen =
        |kind| signal(kind).map_err(|e| Failure::new(Kind::Io, format!("cannot wait for signals: {e}")).caused_by(e));
    let (mut interrupt, mut terminate) = (listen(SignalKind::interrupt())?, listen(SignalKind::terminate())?);
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Becomes true at the first SIGINT or SIGTERM, for what does not wait by futures. The second ends the program at once.
pub(super) fn interruption(runtime: &Runtime) -> Result<Arc<AtomicBool>, Failure> {
    let flag = Arc::new(AtomicBool::new(false));
    let _entered = runtime.enter();
    let (set, first) = (Arc::clone(&flag), interrupted()?);
    runtime.spawn(async move {
        first.await;
        set.store(true, Ordering::Relaxed);
        if let Ok(second) = interrupted() {
            second.await;
            std::process::exit(Kind::Interrupted as i32);
        }
    });
    Ok(flag)
}
