//! The power log: `YYYYMMDD-HH:MM:SS.ffffff,mV,mA`, one reading a line, read as a stream.

use super::stamp::StampParser;
use std::io::{self, Read};

/// Readings handed on at a time.
pub const CHUNK: usize = 1 << 14;
/// A longer line is no reading.
const LINE_BYTES: usize = 256;
const BUFFER_BYTES: usize = 1 << 18;

/// One reading of the power sensor.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Reading {
    /// When it was read, in microseconds since 1970 of the logger's wall clock.
    pub at_us: i64,
    /// Power in microwatts: millivolts times milliamperes, multiplied in double precision as the reference does.
    pub power_uw: f64,
    /// Bus voltage in millivolts.
    pub millivolts: f64,
    /// Current in milliamperes.
    pub milliamps: f64,
}

/// What was odd about a text log, without holding all of it.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Oddities {
    /// How many lines or entries could not be read.
    pub bad: u64,
    /// The first few of them: place and reason.
    pub named: Vec<String>,
}

impl Oddities {
    /// Most places that are named; the rest is only counted.
    const NAMED: usize = 5;

    /// Counts one, and names its place while there is room.
    pub fn note(&mut self, place: impl FnOnce() -> String) {
        self.bad += 1;
        if self.named.len() < Self::NAMED {
            self.named.push(place());
        }
    }

    /// Adds those of another part of the same file.
    pub fn merge(&mut self, other: &Self) {
        self.bad += other.bad;
        let room = Self::NAMED.saturating_sub(self.named.len());
        self.named.extend(other.named.iter().take(room).cloned());
    }
}

/// Parses one line without its end; `Err` says why it is no reading.
///
/// # Errors
/// The reason, in words for the quality report.
pub fn parse_line(stamps: &mut StampParser, line: &[u8]) -> Result<Reading, &'static str> {
    let mut fields = line.split(|&b| b == b',');
    let stamp = fields.next().unwrap_or_default();
    let (Some(volts), Some(amps)) = (fields.next(), fields.next()) else {
        return Err("has fewer than three fields");
    };
    let at_us = stamps.parse(stamp.trim_ascii()).ok_or("its time is not YYYYMMDD-HH:MM:SS.ffffff")?;
    let millivolts = number(volts).ok_or("its voltage is not a finite number")?;
    let milliamps = number(amps).ok_or("its current is not a finite number")?;
    Ok(Reading { at_us, power_uw: millivolts * milliamps, millivolts, milliamps })
}

fn number(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse::<f64>().ok().filter(|v| v.is_finite())
}

/// Reads a power log chunk by chunk. Any prefix of a log is accepted; a line that is no reading is counted and named.
#[derive(Debug)]
pub struct PowerLog<R> {
    source: R,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    done: bool,
    line: u64,
    stamps: StampParser,
    /// What could not be read so far.
    pub oddities: Oddities,
}

impl<R: Read> PowerLog<R> {
    /// A log read from `source`.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: vec![0; BUFFER_BYTES],
            at: 0,
            filled: 0,
            done: false,
            line: 0,
            stamps: StampParser::default(),
            oddities: Oddities::default(),
        }
    }

    /// Replaces `chunk` by the next readings, at most [`CHUNK`]; it is empty at the end.
    ///
    /// # Errors
    /// Whatever the source says.
    pub fn next_chunk(&mut self, chunk: &mut Vec<Reading>) -> io::Result<()> {
        chunk.clear();
        while chunk.len() < CHUNK {
            let rest = &self.buffer[self.at..self.filled];
            let Some(end) = memchr::memchr(b'\n', rest) else {
                if self.refill()? {
                    continue;
                }
                let last = self.buffer[self.at..self.filled].to_vec();
                self.at = self.filled;
                self.take_line(&last, chunk);
                break;
            };
            let (start, stop) = (self.at, self.at + end);
            self.at = stop + 1;
            self.line += 1;
            let line = self.buffer[start..stop].trim_ascii();
            if line.is_empty() {
                continue;
            }
            match parse_line(&mut self.stamps, line) {
                Ok(reading) => chunk.push(reading),
                Err(why) => {
                    let number = self.line;
                    self.oddities.note(|| format!("line {number} {why}"));
                }
            }
        }
        Ok(())
    }

    fn take_line(&mut self, line: &[u8], chunk: &mut Vec<Reading>) {
        let line = line.trim_ascii();
        if line.is_empty() {
            return;
        }
        self.line += 1;
        // A line without its end may have lost digits: only behind a decimal point does that change nothing that counts.
        let whole = line.rsplit(|&b| b == b',').next().is_some_and(|current| current.contains(&b'.'));
        let parsed = parse_line(&mut self.stamps, line);
        match parsed {
            Ok(reading) if whole => chunk.push(reading),
            other => {
                let (number, why) = (self.line, other.err().unwrap_or("may have lost digits"));
                self.oddities.note(|| format!("line {number}, the last, has no end and {why}: the log was cut off"));
            }
        }
    }

    /// Moves the unread rest to the front and reads more; false at the end of the source.
    fn refill(&mut self) -> io::Result<bool> {
        if self.done {
            return Ok(false);
        }
        if self.filled - self.at > BUFFER_BYTES - LINE_BYTES {
            // A line that fills the buffer is no reading: drop what is there and go on after its end.
            self.at = self.filled - LINE_BYTES;
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        loop {
            match self.source.read(&mut self.buffer[self.filled..]) {
                Ok(0) => {
                    self.done = true;
                    return Ok(false);
                }
                Ok(count) => {
                    self.filled += count;
                    return Ok(true);
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_all(text: &[u8]) -> (Vec<Reading>, Oddities) {
        let mut log = PowerLog::new(text);
        let (mut all, mut chunk) = (Vec::new(), Vec::new());
        loop {
            log.next_chunk(&mut chunk).expect("reading from memory");
            if chunk.is_empty() {
                return (all, log.oddities);
            }
            all.extend_from_slice(&chunk);
        }
    }

    #[test]
    fn readings_and_bad_lines() {
        let text = b"20241121-00:00:01.00,5000.0,1100.0\nnonsense\n20241121-00:00:01.20,nan,1\r\n\n20241121-00:00:01.40,5000,1300.";
        let (readings, oddities) = read_all(text);
        assert_eq!(readings.iter().map(|r| r.power_uw).collect::<Vec<_>>(), [5_500_000.0, 6_500_000.0]);
        assert_eq!(readings[1].at_us - readings[0].at_us, 400_000);
        assert_eq!(oddities.bad, 2);
        assert!(oddities.named[0].starts_with("line 2"), "{oddities:?}");
        assert!(oddities.named[1].contains("voltage"), "{oddities:?}");
    }

    #[test]
    fn a_line_without_end_does_not_take_memory() {
        let mut text = vec![b'x'; 1 << 20];
        text.extend_from_slice(b"\n20241121-00:00:01.00,5000.0,1100.0\n");
        let (readings, oddities) = read_all(&text);
        assert_eq!((readings.len(), oddities.bad), (1, 1));
    }

    proptest! {
        #[test]
        fn any_prefix_is_accepted(count in 0_usize..40, cut in 0_usize..2000) {
            let mut text = Vec::new();
            for i in 0..count {
                text.extend_from_slice(format!("20241121-00:00:01.{i:06},5000.0,{}.0\n", 1000 + i).as_bytes());
            }
            let cut = cut.min(text.len());
            let (readings, oddities) = read_all(&text[..cut]);
            // Whole lines are all there; at most the cut one is bad, or short by some digits of its last number.
            let whole = text[..cut].iter().filter(|&&b| b == b'\n').count();
            prop_assert!(readings.len() >= whole && readings.len() <= whole + 1);
            prop_assert!(oddities.bad <= 1);
            for (i, reading) in readings.iter().enumerate() {
                prop_assert_eq!(reading.milliamps, (1000 + i) as f64);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = read_all(&bytes);
        }
    }
}
