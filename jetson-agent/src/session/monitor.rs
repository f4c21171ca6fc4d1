//! Watching a session: progress, the board's state, a lost sensor, the wall clock.

use crate::board::StateReader;
use crate::power::{Live, Root};
use crate::sys;
use shared::run_folder::{Event, Record};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// The board's state is read this often. Every wake of a thread costs the processor some 20 µs on a virtual machine, so that nothing
/// here looks more often than it has to: who waits is woken.
const STATE_NS: u64 = 1_000_000_000;
/// The board's files are looked for again this often: a processor that was switched off and on has new ones.
const REOPEN_NS: u64 = 60_000_000_000;

/// How a session is asked to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    stop: Arc<AtomicBool>,
    interrupted: Arc<AtomicBool>,
    /// Whether the session took longer than it may.
    overdue: Arc<AtomicBool>,
    waiting: Arc<(Mutex<()>, Condvar)>,
}

impl Stop {
    /// Whether to end.
    #[must_use]
    pub fn is_set(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }

    /// Whether the user asked.
    #[must_use]
    pub fn is_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::Relaxed)
    }

    /// What is true once the session is to end, for those who only look.
    #[must_use]
    pub fn flag(&self) -> &Arc<AtomicBool> {
        &self.stop
    }

    /// Ends the cycle under way and then the session.
    pub fn set(&self) {
        self.stop.store(true, Ordering::SeqCst);
        // Under the lock: a sleeper has either seen the flag or waits already.
        let _guard = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        self.waiting.1.notify_all();
    }

    /// Whether it was asked because it took too long.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Relaxed)
    }

    /// Ends a session that takes too long.
    pub fn expire(&self) {
        self.overdue.store(true, Ordering::Relaxed);
        self.set();
    }

    /// Lets the next session begin, whatever ended the one before; not after the user asked for an end.
    pub fn renew(&self) {
        self.overdue.store(false, Ordering::SeqCst);
        self.stop.store(false, Ordering::SeqCst);
        // Looked at last, since Ctrl-C may come in between; it sets this first.
        if self.interrupted.load(Ordering::SeqCst) {
            self.stop.store(true, Ordering::SeqCst);
        }
    }

    /// As Ctrl-C does.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
        self.set();
    }

    /// Sleeps until a monotonic instant in ns, or until asked to end.
    pub fn sleep_until(&self, deadline_ns: u64) {
        let mut guard = self.waiting.0.lock().unwrap_or_else(PoisonError::into_inner);
        while !self.is_set() {
            let left = deadline_ns.saturating_sub(sys::monotonic_ns());
            if left == 0 {
                return;
            }
            let waited = self.waiting.1.wait_timeout(guard, Duration::from_nanos(left));
            guard = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

/// What a progress display shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Tick {
    /// Cycles done in this pass.
    pub done: u64,
    /// Readings so far.
    pub readings: u64,
    /// The last reading of the total in W.
    pub watts: f64,
    /// The hottest thermal zone in °C.
    pub celsius: Option<f64>,
}

/// Who is shown how a session goes on.
#[derive(Clone)]
pub struct Progress {
    /// Between two ticks, ns.
    pub every_ns: u64,
    /// Shows one.
    pub show: Arc<dyn Fn(Tick) + Send + Sync>,
}

/// The watching thread.
pub(super) struct Monitor {
    end: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

/// A wall clock that moves by more than this against the monotonic one has jumped.
const JUMP_NS: i64 = 50_000_000;

impl Monitor {
    pub(super) fn start(
        root: Root,
        live: Arc<Live>,
        done: Arc<AtomicU64>,
        stop: Stop,
        records: Sender<Record>,
        progress: Progress,
    ) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            live.wake_when_lost(std::thread::current());
            let (mut offset, _) = sys::clock_offset();
            let (mut state_due, mut celsius) = (0, None);
            let (mut reader, mut opened) = (StateReader::open(&root), sys::monotonic_ns());
            while !ended.load(Ordering::Relaxed) {
                let now = sys::monotonic_ns();
                let lost = live.is_lost();
                if lost {
                    stop.set();
                }
                if now >= state_due {
                    state_due = now + STATE_NS;
                    if now - opened >= REOPEN_NS {
                        (reader, opened) = (StateReader::open(&root), now);
                    }
                    let state = reader.read(now);
                    celsius = state.temperatures_c.iter().map(|(_, c)| *c).reduce(f64::max);
                    let _ = records.send(Record::State(state));
                    let (new, _) = sys::clock_offset();
                    if (new - offset).abs() > JUMP_NS {
                        let message = format!("the wall clock jumped by {:+.3} s", (new - offset) as f64 * 1e-9);
                        let _ = records.send(Record::Event(Event { t_ns: now, kind: "clock_jump".into(), message }));
                    }
                    offset = new;
                }
                (progress.show)(Tick {
                    done: done.load(Ordering::Relaxed),
                    readings: live.readings(),
                    watts: live.watts(),
                    celsius,
                });
                let wake_ns = state_due.min(now + progress.every_ns);
                while !ended.load(Ordering::Relaxed) && (lost || !live.is_lost()) {
                    let left = wake_ns.saturating_sub(sys::monotonic_ns());
                    if left == 0 {
                        break;
                    }
                    std::thread::park_timeout(Duration::from_nanos(left));
                }
            }
        });
        Self { end, thread }
    }

    pub(super) fn finish(self) {
        self.end.store(true, Ordering::Relaxed);
        self.thread.thread().unpark();
        // A panic there has lost a display and some temperatures, nothing that should fail the run.
        let _ = self.thread.join();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::power::{PowerSource, Sampler, SamplerOptions, SourceError};
    use shared::run_folder::{PowerSetup, Sample};
    use std::time::Instant;

    #[test]
    fn a_sleeper_is_woken_by_who_asks_to_end() {
        let stop = Stop::default();
        let before = Instant::now();
        stop.sleep_until(sys::monotonic_ns() + 20_000_000);
        assert!(before.elapsed() >= Duration::from_millis(20) && !stop.is_set());
        let other = stop.clone();
        let asker = std::thread::spawn(move || {
            std::thread::sleep(Duration::from_millis(20));
            other.interrupt();
        });
        stop.sleep_until(sys::monotonic_ns() + 600_000_000_000);
        assert!(stop.is_set() && stop.is_interrupted() && stop.flag().load(Ordering::Relaxed));
        assert!(before.elapsed() < Duration::from_secs(60), "woken, not slept out");
        asker.join().expect("ends");
    }

    /// A sensor that gives three readings and is gone.
    struct Vanishing(PowerSetup, u64);

    impl PowerSource for Vanishing {
        fn setup(&self) -> &PowerSetup {
            &self.0
        }

        fn read(&mut self, out: &mut Vec<Sample>) -> Result<(), SourceError> {
            self.1 += 1;
            if self.1 > 3 {
                return Err(SourceError::Lost("gone".into()));
            }
            out.push(Sample { t_ns: sys::monotonic_ns(), rail: 0, mv: 1.0, ma: 1.0 });
            Ok(())
        }
    }

    #[test]
    fn a_lost_sensor_ends_the_session_at_once_and_the_end_does_not_wait_for_a_tick() {
        let (records, _receiver) = std::sync::mpsc::channel();
        let (stop, nowhere) = (Stop::default(), tempfile::tempdir().expect("temporary folder"));
        let source = Vanishing(PowerSetup::default(), 0);
        let options = SamplerOptions { rate_hz: Some(100.0), realtime: false };
        let sampler = Sampler::start(Box::new(source), options, records.clone());
        let ticks = Arc::new(AtomicU64::new(0));
        let seen = Arc::clone(&ticks);
        let show = move |_| {
            seen.fetch_add(1, Ordering::Relaxed);
        };
        // Nobody looks for ten minutes.
        let progress = Progress { every_ns: 600_000_000_000, show: Arc::new(show) };
        let root = Root::new(Some(nowhere.path()));
        let monitor = Monitor::start(root, sampler.live(), Arc::default(), stop.clone(), records, progress);
        let before = Instant::now();
        stop.sleep_until(sys::monotonic_ns() + 600_000_000_000);
        monitor.finish();
        assert!(before.elapsed() < Duration::from_secs(60), "{:?}", before.elapsed());
        assert!(ticks.load(Ordering::Relaxed) > 0);
        assert_eq!(sampler.finish().expect("joins").lost, Some(SourceError::Lost("gone".into())));
    }
}
