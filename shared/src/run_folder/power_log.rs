//! The reference's power log: one line a sample, `YYYYMMDD-HH:MM:SS.ffffff,mV,mA`.

use super::stamp::{format_stamp, parse_stamp};
use crate::units::{Milliamps, Millivolts, Watts};
use std::io::BufRead;

/// Longest line looked at; a longer one is no sample. It bounds what a file without line ends can allocate.
const LINE_BYTES: usize = 256;

/// One line of a power log.
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
}

/// A line that is no sample.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {message}")]
pub struct LineFault {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub message: String,
    /// Whether it is the file's last line and lacks its line end: what a power cut leaves, not damage.
    pub torn: bool,
}

/// Writes one line, its line end included. Numbers carry a decimal point, as the reference's floats do.
#[must_use]
pub fn format_line(reading: &PowerReading) -> String {
    format!("{},{:?},{:?}\n", format_stamp(reading.wall_ns), reading.voltage.0, reading.current.0)
}

/// Reads a power log line by line; memory does not grow with the file. Blank lines are passed over.
#[derive(Debug)]
pub struct PowerLogReader<R> {
    source: R,
    line: u64,
    buffer: Vec<u8>,
}

impl<R: BufRead> PowerLogReader<R> {
    /// Reads from the start of a log.
    pub fn new(source: R) -> Self {
        Self { source, line: 0, buffer: Vec::with_capacity(LINE_BYTES) }
    }

    /// The next line into the buffer: whether there was one, and whether it had its line end.
    fn next_line(&mut self) -> std::io::Result<Option<bool>> {
        self.buffer.clear();
        let mut any = false;
        loop {
            let available = self.source.fill_buf()?;
            if available.is_empty() {
                return Ok(any.then_some(false));
            }
            any = true;
            let (used, ended) = match available.iter().position(|&b| b == b'\n') {
                Some(at) => (at + 1, true),
                None => (available.len(), false),
            };
            let room = LINE_BYTES.saturating_sub(self.buffer.len());
            self.buffer.extend_from_slice(&available[..(used - usize::from(ended)).min(room)]);
            self.source.consume(used);
            if ended {
                return Ok(Some(true));
            }
        }
    }
}

impl<R: BufRead> Iterator for PowerLogReader<R> {
    type Item = std::io::Result<Result<PowerReading, LineFault>>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let ended = match self.next_line() {
                Ok(Some(ended)) => ended,
                Ok(None) => return None,
                Err(e) => return Some(Err(e)),
            };
            self.line += 1;
            if self.buffer.iter().all(u8::is_ascii_whitespace) {
                continue;
            }
            return Some(Ok(parse_line(&self.buffer).map_err(|message| LineFault {
                line: self.line,
                message,
                torn: !ended,
            })));
        }
    }
}

fn parse_line(line: &[u8]) -> Result<PowerReading, String> {
    if line.len() >= LINE_BYTES {
        return Err(format!("is longer than {LINE_BYTES} bytes"));
    }
    let text = std::str::from_utf8(line).map_err(|_| "is not UTF-8".to_owned())?;
    let mut fields = text.trim().split(',').map(str::trim);
    let (Some(stamp), Some(voltage), Some(current), None) =
        (fields.next(), fields.next(), fields.next(), fields.next())
    else {
        return Err("does not have the three fields `YYYYMMDD-HH:MM:SS.ffffff,mV,mA`".to_owned());
    };
    let wall_ns = parse_stamp(stamp).ok_or_else(|| format!("`{stamp}` is not a time `YYYYMMDD-HH:MM:SS.ffffff`"))?;
    Ok(PowerReading {
        wall_ns,
        voltage: Millivolts(number(voltage, "voltage")?),
        current: Milliamps(number(current, "current")?),
    })
}

fn number(text: &str, what: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value.is_finite() => Ok(value),
        _ => Err(format!("{what} `{text}` is not a finite number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Vec<Result<PowerReading, LineFault>> {
        PowerLogReader::new(text).map(|r| r.expect("memory does not fail")).collect()
    }

    #[test]
    fn the_reference_lines_are_read_and_written_back() {
        let text = "20250128-13:38:25.982678,5008.0,1728.0\n20250128-13:38:25.984955,5008.0,1720.0\n";
        let readings: Vec<_> = read(text.as_bytes()).into_iter().map(|r| r.expect("a sample")).collect();
        assert_eq!(readings.len(), 2);
        assert!((readings[0].power().0 - 8.653_824).abs() < 1e-9);
        assert_eq!(readings.iter().map(format_line).collect::<String>(), text);
    }

    #[test]
    fn damage_is_named_and_the_rest_read() {
        let mut text = b"20250128-13:38:25.98,5008,1728\n\nx,1,2\n20250128-13:38:25.98,NaN,1\n\xff,1,1\n".to_vec();
        text.extend(vec![b'7'; 10_000]);
        text.extend(b"\n20250128-13:38:25.99,1.0,1.0\n20250128-13:3");
        let lines = read(&text);
        assert_eq!(lines.iter().filter(|l| l.is_ok()).count(), 2);
        let faults: Vec<_> = lines.into_iter().filter_map(Result::err).collect();
        assert_eq!(
            faults.iter().map(|f| (f.line, f.torn)).collect::<Vec<_>>(),
            [(3, false), (4, false), (5, false), (6, false), (8, true)]
        );
    }

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let _ = read(&bytes);
        }

        #[test]
        fn what_is_written_is_read(us in 0_i64..4_000_000_000_000_000, mv in 0.0_f64..60_000.0, ma in -10.0_f64..60_000.0) {
            let reading = PowerReading { wall_ns: us * 1000, voltage: Millivolts(mv), current: Milliamps(ma) };
            prop_assert_eq!(read(format_line(&reading).as_bytes()), vec![Ok(reading)]);
        }
    }
}
