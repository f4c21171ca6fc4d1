//! External meters on a serial port: PowerSensor3, and anything that writes lines `t_us,V,A`.
//!
//! The protocols work on any `Read + Write`, so they are tested over pseudo-terminals and over memory alike.

mod csv_lines;
mod device_clock;
mod powersensor3;

pub use csv_lines::CsvLines;
pub use device_clock::DeviceClock;
pub use powersensor3::PowerSensor3;

use super::{PowerSource, SourceError};
use crate::sys;
use std::io;
use std::time::Duration;

/// Longest wait for data in one reading.
const TIMEOUT: Duration = Duration::from_millis(100);
/// Silence after which a meter counts as gone. A cable pulled out is often no error, just silence.
const SILENCE_NS: u64 = 3_000_000_000;

/// A serial meter's protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `t_us,V,A` lines.
    CsvLines,
    /// PowerSensor3, firmware 1.x.
    PowerSensor3,
}

/// Opens a meter. `baud` matters to UARTs; USB meters ignore it.
///
/// # Errors
/// When the port cannot be opened, or a PowerSensor3 does not answer as one.
pub fn open(port: &str, protocol: Protocol, baud: u32) -> Result<Box<dyn PowerSource>, SourceError> {
    let opened = serialport::new(port, baud).timeout(TIMEOUT).open_native().map_err(|e| {
        let advice = match e.kind() {
            serialport::ErrorKind::Io(io::ErrorKind::PermissionDenied) => "; add your user to the group `dialout`",
            serialport::ErrorKind::NoDevice => "; check the cable and the port's name",
            _ => "",
        };
        SourceError::Lost(format!("{port}: {e}{advice}"))
    })?;
    Ok(match protocol {
        Protocol::CsvLines => Box::new(CsvLines::new(opened, port)),
        Protocol::PowerSensor3 => Box::new(PowerSensor3::start(opened, port)?),
    })
}

/// Sorts an error of a port: a time-out is no data yet, everything else is the end of it.
fn sort_error(error: &io::Error, place: &str) -> Option<SourceError> {
    match error.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted => None,
        _ => Some(SourceError::Lost(format!("{place}: {error}; was the cable pulled out?"))),
    }
}

/// Notices silence.
#[derive(Debug)]
struct Watch {
    last_ns: u64,
}

impl Watch {
    fn new() -> Self {
        Self { last_ns: sys::monotonic_ns() }
    }

    fn heard(&mut self) {
        self.last_ns = sys::monotonic_ns();
    }

    fn check(&self, place: &str) -> Result<(), SourceError> {
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
