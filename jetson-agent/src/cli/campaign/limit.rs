//! A limit on the time of what may hang: an engine build that never ends must not cost the items behind it.

use crate::session::Stop;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread::{Builder, scope};
use std::time::Duration;

/// Stack of the thread that works: that of a program's first thread, which engine libraries expect.
const STACK_BYTES: usize = 8 << 20;

/// How long some work may take.
#[derive(Debug, Clone, Copy)]
pub(super) struct Limit {
    /// After so much time it is asked to end, which kills what runs in a process of its own.
    pub(super) time: Duration,
    /// After so much more it counts as something that cannot be ended.
    pub(super) grace: Duration,
}

/// Works in a thread of its own. [`Stop::is_overdue`] says afterwards whether it was asked to end. `hangs` is called if it does not end
/// although it was asked to: nothing but the end of this process ends it then.
///
/// # Errors
/// When no thread can be started.
pub(super) fn within<T: Send>(
    limit: Limit,
    stop: &Stop,
    hangs: impl FnOnce(),
    work: impl FnOnce() -> T + Send,
) -> std::io::Result<T> {
    stop.renew();
    scope(|scope| {
        let (over, end) = channel::<()>();
        let thread = Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, move || {
            let result = work();
            drop(over);
            result
        })?;
        if end.recv_timeout(limit.time) == Err(RecvTimeoutError::Timeout) {
            stop.expire();
            if end.recv_timeout(limit.grace) == Err(RecvTimeoutError::Timeout) {
                hangs();
            }
        }
        thread.join().map_err(|panic| std::panic::resume_unwind(panic))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    const LIMIT: Limit = Limit { time: Duration::from_millis(50), grace: Duration::from_millis(50) };

    #[test]
    fn what_ends_in_time_is_left_alone() {
        let stop = Stop::default();
        let long = Limit { time: Duration::from_secs(60), ..LIMIT };
        assert_eq!(within(long, &stop, || panic!("it ended"), || 7).expect("a thread"), 7);
        assert!(!stop.is_set() && !stop.is_overdue());
    }

    #[test]
    fn what_takes_longer_is_asked_to_end_and_the_next_starts_afresh() {
        let stop = Stop::default();
        let began = Instant::now();
        let long = Limit { grace: Duration::from_secs(60), ..LIMIT };
        within(long, &stop, || panic!("it ends"), || stop.sleep_until(u64::MAX)).expect("a thread");
        assert!(stop.is_overdue() && began.elapsed() >= LIMIT.time);
        within(long, &stop, || panic!("it ended"), || assert!(!stop.is_set())).expect("a thread");
        // Ctrl-C is not forgotten.
        stop.interrupt();
        within(long, &stop, || panic!("it ended"), || assert!(stop.is_set())).expect("a thread");
    }

    #[test]
    fn what_does_not_end_is_reported() {
        let (stop, mut hung) = (Stop::default(), false);
        within(LIMIT, &stop, || hung = true, || std::thread::sleep(Duration::from_millis(400))).expect("a thread");
        assert!(hung && stop.is_overdue());
    }
}
