//! How a meter's silence and the errors of its port are understood.

use crate::power::SourceError;
use crate::sys;
use std::io::{self, Read};

/// Silence after which a meter counts as gone. A cable pulled out is often no error, just silence.
const SILENCE_NS: u64 = 3_000_000_000;

/// Reads what came in at a port, into the beginning of a buffer; how many bytes it is, 0 if nothing came in time.
pub(super) fn receive(port: &mut impl Read, buffer: &mut [u8], place: &str) -> Result<usize, SourceError> {
    match port.read(buffer) {
        Ok(0) => Err(SourceError::Lost(format!("{place}: the port was closed"))),
        Ok(length) => Ok(length),
        Err(e) => sort_error(&e, place).map_or(Ok(0), Err),
    }
}

/// Sorts an error of a port: a time-out is no data yet, everything else is the end of it.
pub(super) fn sort_error(error: &io::Error, place: &str) -> Option<SourceError> {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => None,
        _ => Some(SourceError::Lost(format!("{place}: {error}; was the cable pulled out?"))),
    }
}

/// Notices silence.
#[derive(Debug)]
pub(super) struct Watch {
    last_ns: u64,
}

impl Watch {
    pub(super) fn new() -> Self {
        Self { last_ns: sys::monotonic_ns() }
    }

    pub(super) fn heard(&mut self) {
        self.last_ns = sys::monotonic_ns();
    }

    pub(super) fn check(&self, place: &str) -> Result<(), SourceError> {
        let silent_ns = sys::monotonic_ns().saturating_sub(self.last_ns);
        if silent_ns > SILENCE_NS {
            Err(SourceError::Lost(format!(
                "{place}: silent for {:.1} s; was the cable pulled out?",
                silent_ns as f64 * 1e-9
            )))
        } else {
            Ok(())
        }
    }
}
