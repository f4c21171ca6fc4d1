//! Power readings of the board's total, whatever file they come from.

use super::diagnostics::Diagnostics;
use crate::units::{Microwatts, Milliamps, Millivolts, Watts};
use std::io;

/// Readings that a stream hands on at a time.
pub const CHUNK: usize = 1 << 14;

/// One reading of the board's total power.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PowerReading {
    /// When it was read, in nanoseconds since 1970 in the log's own zone.
    pub wall_ns: i64,
    /// Bus voltage.
    pub voltage: Millivolts,
    /// Current.
    pub current: Milliamps,
}

impl PowerReading {
    /// Voltage times current.
    #[must_use]
    pub fn power(&self) -> Watts {
        self.voltage * self.current
    }

    /// Voltage times current in microwatts: one product of two doubles, as EdgeProfiler multiplies them.
    #[must_use]
    pub fn microwatts(&self) -> Microwatts {
        Microwatts(self.voltage.0 * self.current.0)
    }
}

/// A stream of power readings, in the order in which the log has them.
pub trait PowerReadings {
    /// Replaces `chunk` by the next readings, about [`CHUNK`] of them; it is empty at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn read_chunk(&mut self, chunk: &mut Vec<PowerReading>) -> io::Result<()>;

    /// What could not be read so far.
    fn diagnostics(&self) -> Diagnostics;
}

impl<R: PowerReadings + ?Sized> PowerReadings for Box<R> {
    fn read_chunk(&mut self, chunk: &mut Vec<PowerReading>) -> io::Result<()> {
        (**self).read_chunk(chunk)
    }

    fn diagnostics(&self) -> Diagnostics {
        (**self).diagnostics()
    }
}
