//! External meters on a serial port: PowerSensor3, and anything that writes lines `t_us,V,A`.
//!
//! The protocols work on any `Read + Write`, so they are tested over pseudo-terminals and over memory alike.

mod csv_lines;
mod device_clock;
mod meter_clock;
mod powersensor3;
mod turns;
mod watch;

pub use csv_lines::CsvLines;
pub use device_clock::DeviceClock;
pub use powersensor3::PowerSensor3;

use super::{PowerSource, SourceError};
use std::io;
use std::time::Duration;

/// Longest wait for data in one reading.
const TIMEOUT: Duration = Duration::from_millis(100);
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
