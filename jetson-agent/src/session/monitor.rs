//! Watching a session: progress, the board's state, a lost sensor, the wall clock.

use crate::board::StateReader;
use crate::power::{Live, Root};
use crate::sys;
use shared::run_folder::{Event, Record};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

/// Between two looks at whether to end. Each wakes the processor: at 20 µs apiece, fifty per second were a tenth of a percent of a core.
const PATIENCE_NS: u64 = 100_000_000;
/// Between two ticks of a progress display.
const TICK_NS: u64 = 200_000_000;
/// The board's files are looked for again this often: a processor that was switched off and on has new ones.
const REOPEN_NS: u64 = 60_000_000_000;

/// How a session is asked to end.
#[derive(Debug, Clone, Default)]
pub struct Stop {
    /// Ends the cycle under way and then the session.
    pub stop: Arc<AtomicBool>,
    /// Whether it was the user who asked.
    pub interrupted: Arc<AtomicBool>,
    /// Whether the session took longer than it may.
    overdue: Arc<AtomicBool>,
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

    /// Whether it was asked because it took too long.
    #[must_use]
    pub fn is_overdue(&self) -> bool {
        self.overdue.load(Ordering::Relaxed)
    }

    /// Ends a session that takes too long.
    pub fn expire(&self) {
        self.overdue.store(true, Ordering::Relaxed);
        self.stop.store(true, Ordering::Relaxed);
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
        self.stop.store(true, Ordering::SeqCst);
    }

    /// Sleeps until an instant, or until asked to end.
    pub fn sleep_until(&self, deadline_ns: u64) {
        while !self.is_set() {
            let now = sys::monotonic_ns();
            if now >= deadline_ns {
                return;
            }
            sys::sleep_until(deadline_ns.min(now + PATIENCE_NS));
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
        progress: Arc<dyn Fn(Tick) + Send + Sync>,
    ) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let ended = Arc::clone(&end);
        let thread = std::thread::spawn(move || {
            let (mut offset, _) = sys::clock_offset();
            let (mut state_due, mut celsius) = (0, None);
            let (mut reader, mut opened) = (StateReader::open(&root), sys::monotonic_ns());
            while !ended.load(Ordering::Relaxed) {
                let now = sys::monotonic_ns();
                if live.is_lost() {
                    stop.stop.store(true, Ordering::Relaxed);
                }
                if now >= state_due {
                    state_due = now + 1_000_000_000;
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
                progress(Tick {
                    done: done.load(Ordering::Relaxed),
                    readings: live.readings(),
                    watts: live.watts(),
                    celsius,
                });
                sys::sleep_until(now + TICK_NS);
            }
        });
        Self { end, thread }
    }

    pub(super) fn finish(self) {
        self.end.store(true, Ordering::Relaxed);
        // A panic there has lost a display and some temperatures, nothing that should fail the run.
        let _ = self.thread.join();
    }
}
