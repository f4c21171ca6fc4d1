//! EdgeProfiler's power log, read as a stream: one line for each reading, `YYYYMMDD-HH:MM:SS.ffffff,mV,mA`.

use super::diagnostics::Diagnostics;
use super::readings::{CHUNK, PowerReading, PowerReadings};
use super::stamp::{StampParser, format_stamp};
use crate::text::{Moment, TextStream, number as lenient_number};
use crate::units::{Milliamps, Millivolts};
use std::io::{self, Read};

/// Longest part of a line that is kept while its end is looked for. It bounds what a file without line ends can allocate.
const LINE_BYTES: usize = 256;
const BUFFER_BYTES: usize = 1 << 18;

/// A line that is not a reading.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} {message}")]
pub struct LineFault {
    /// The line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub message: &'static str,
    /// Whether it is the file's last line and lacks its line end: what a power cut leaves, not damage.
    pub torn: bool,
}

/// Writes one line, its line end included. Numbers carry a decimal point, as EdgeProfiler's floats do.
#[must_use]
pub fn format_line(reading: &PowerReading) -> String {
    format!("{},{:?},{:?}\n", format_stamp(reading.wall_ns), reading.voltage.0, reading.current.0)
}

/// Reads a power log line by line; memory does not grow with the file. Any prefix of a log is accepted. Blank lines are
/// passed over.
///
/// It is an iterator over lines, for callers that look at each fault, and a stream of chunks ([`PowerReadings`]), for
/// callers that want speed and a summary of the faults.
///
/// ```
/// use shared::run_folder::PowerLogReader;
///
/// let log = b"20250128-13:38:25.982678,5008.0,1728.0\nnot a reading\n";
/// let lines: Vec<_> = PowerLogReader::new(log.as_slice()).collect::<Result<_, _>>()?;
/// let first = lines[0].as_ref().expect("a reading");
/// assert!((first.power().0 - 8.653_824).abs() < 1e-9);
/// assert_eq!(lines[1].as_ref().map_err(|fault| fault.line), Err(2));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct PowerLogReader<R> {
    source: TextStream<R>,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    done: bool,
    line: u64,
    stamps: StampParser,
    diagnostics: Diagnostics,
}

impl<R: Read> PowerLogReader<R> {
    /// Reads from the start of a log.
    pub fn new(source: R) -> Self {
        Self {
            source: TextStream::new(source),
            buffer: vec![0; BUFFER_BYTES],
            at: 0,
            filled: 0,
            done: false,
            line: 0,
            stamps: StampParser::default(),
            diagnostics: Diagnostics::default(),
        }
    }

    /// The next line that is not blank; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    fn next_line(&mut self) -> io::Result<Option<Result<PowerReading, LineFault>>> {
        loop {
            let rest = &self.buffer[self.at..self.filled];
            let Some(end) = memchr::memchr(b'\n', rest) else {
                if self.refill()? {
                    continue;
                }
                return Ok(self.last_line());
            };
            let (start, stop) = (self.at, self.at + end);
            self.at = stop + 1;
            self.line += 1;
            let line = self.buffer[start..stop].trim_ascii();
            if !line.is_empty() {
                let line = parse_line(&mut self.stamps, line);
                return Ok(Some(line.map_err(|message| LineFault { line: self.line, message, torn: false })));
            }
        }
    }

    /// What stands behind the last line end.
    fn last_line(&mut self) -> Option<Result<PowerReading, LineFault>> {
        let line = self.buffer[self.at..self.filled].trim_ascii();
        self.at = self.filled;
        if line.is_empty() {
            return None;
        }
        self.line += 1;
        // A line without its end may have lost digits: only behind a decimal point does that change nothing that counts.
        let whole = line.rsplit(|&b| b == b',').next().is_some_and(|current| current.contains(&b'.'));
        let fault = |message| LineFault { line: self.line, message, torn: true };
        Some(match parse_line(&mut self.stamps, line) {
            Ok(reading) if whole => Ok(reading),
            Ok(_) => Err(fault("may have lost digits")),
            Err(message) => Err(fault(message)),
        })
    }

    /// Moves the unread rest to the front and reads more; false at the end of the source.
    fn refill(&mut self) -> io::Result<bool> {
        if self.done {
            return Ok(false);
        }
        if self.filled - self.at > BUFFER_BYTES - LINE_BYTES {
            // A line that fills the buffer is not a reading: drop what is there and go on after its end.
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

impl<R: Read> PowerReadings for PowerLogReader<R> {
    fn read_chunk(&mut self, chunk: &mut Vec<PowerReading>) -> io::Result<()> {
        chunk.clear();
        while chunk.len() < CHUNK {
            match self.next_line()? {
                Some(Ok(reading)) => chunk.push(reading),
                Some(Err(LineFault { line, message, torn: true })) => self
                    .diagnostics
                    .note(|| format!("line {line}, the last, has no end and {message}: the log was cut off")),
                Some(Err(fault)) => self.diagnostics.note(|| fault.to_string()),
                None => break,
            }
        }
        Ok(())
    }

    fn diagnostics(&self) -> Diagnostics {
        self.diagnostics.clone()
    }
}

impl<R: Read> Iterator for PowerLogReader<R> {
    type Item = io::Result<Result<PowerReading, LineFault>>;

    fn next(&mut self) -> Option<Self::Item> {
        self.next_line().transpose()
    }
}

/// Parses one line without its end. Fields behind the third are ignored. A line that is not as EdgeProfiler writes it may be as a
/// spreadsheet saves it.
fn parse_line(stamps: &mut StampParser, line: &[u8]) -> Result<PowerReading, &'static str> {
    plain_line(stamps, line).or_else(|message| spreadsheet_line(line).ok_or(message))
}

/// A line with semicolons or tabs and decimal commas, or with a time in ISO 8601.
fn spreadsheet_line(line: &[u8]) -> Option<PowerReading> {
    let line = std::str::from_utf8(line).ok()?;
    let separator = [';', '\t'].into_iter().find(|&s| line.contains(s)).unwrap_or(',');
    let mut fields = line.split(separator).map(|field| field.trim().trim_matches('"'));
    let wall_ns = Moment::of(fields.next()?)?.unix_ns;
    let mut number = || lenient_number(fields.next()?, None);
    Some(PowerReading { wall_ns, voltage: Millivolts(number()?), current: Milliamps(number()?) })
}

fn plain_line(stamps: &mut StampParser, line: &[u8]) -> Result<PowerReading, &'static str> {
    let mut fields = line.split(|&b| b == b',');
    let stamp = fields.next().unwrap_or_default();
    let (Some(voltage), Some(current)) = (fields.next(), fields.next()) else {
        return Err("has fewer than three fields");
    };
    let wall_ns = stamps.parse(stamp.trim_ascii()).ok_or("its time is not YYYYMMDD-HH:MM:SS.ffffff")?;
    let voltage = Millivolts(number(voltage).ok_or("its voltage is not a finite number")?);
    let current = Milliamps(number(current).ok_or("its current is not a finite number")?);
    Ok(PowerReading { wall_ns, voltage, current })
}

fn number(field: &[u8]) -> Option<f64> {
    std::str::from_utf8(field.trim_ascii()).ok()?.parse::<f64>().ok().filter(|v| v.is_finite())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(text: &[u8]) -> Vec<Result<PowerReading, LineFault>> {
        PowerLogReader::new(text).map(|r| r.expect("memory does not fail")).collect()
    }

    fn read_chunks(text: &[u8]) -> (Vec<PowerReading>, Diagnostics) {
        let mut log = PowerLogReader::new(text);
        let (mut all, mut chunk) = (Vec::new(), Vec::new());
        loop {
            log.read_chunk(&mut chunk).expect("memory does not fail");
            if chunk.is_empty() {
                return (all, log.diagnostics());
            }
            all.extend_from_slice(&chunk);
        }
    }

    #[test]
    fn lines_are_read_and_written_back() {
        let text = "20250128-13:38:25.982678,5008.0,1728.0\n20250128-13:38:25.984955,5008.0,1720.0\n";
        let readings: Vec<_> = read(text.as_bytes()).into_iter().map(|r| r.expect("a reading")).collect();
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

    #[test]
    fn chunks_hold_the_readings_and_a_summary_of_the_rest() {
        let text = b"20241121-00:00:01.00,5000.0,1100.0\nnonsense\n20241121-00:00:01.20,nan,1\r\n\n20241121-00:00:01.40,5000,1300.";
        let (readings, diagnostics) = read_chunks(text);
        assert_eq!(readings.iter().map(|r| r.microwatts().0).collect::<Vec<_>>(), [5_500_000.0, 6_500_000.0]);
        assert_eq!(readings[1].wall_ns - readings[0].wall_ns, 400_000_000);
        assert_eq!(diagnostics.bad, 2);
        assert!(diagnostics.named[0].starts_with("line 2"), "{diagnostics:?}");
        assert!(diagnostics.named[1].contains("voltage"), "{diagnostics:?}");
        // Without a decimal point the last number may be a part of one.
        assert_eq!(read_chunks(b"20241121-00:00:01.40,5000,13").1.bad, 1);
    }

    #[test]
    fn a_log_that_went_through_another_program_reads_equal() {
        let plain = "20241121-00:00:01.500000,5000.5,1100.0\n20241121-00:00:02.500000,5000.5,-1.0\n";
        let expected = read_chunks(plain.as_bytes());
        assert_eq!((expected.0.len(), expected.1.bad), (2, 0));
        let utf16: Vec<u8> = format!("\u{feff}{plain}").encode_utf16().flat_map(u16::to_le_bytes).collect();
        let semicolons = plain.replace(',', ";").replace(".5,", ",5;").replace(".5;", ",5;").replace(".0\n", ",0\n");
        let iso = plain.replace("20241121-", "2024-11-21T").replace('\n', "\r\n");
        for other in [utf16, format!("\u{feff}{plain}").into_bytes(), semicolons.into_bytes(), iso.into_bytes()] {
            assert_eq!(read_chunks(&other), expected, "{}", String::from_utf8_lossy(&other));
        }
    }

    #[test]
    fn a_line_without_end_does_not_take_memory() {
        let mut text = vec![b'x'; 1 << 20];
        text.extend_from_slice(b"\n20241121-00:00:01.00,5000.0,1100.0\n");
        let (readings, diagnostics) = read_chunks(&text);
        assert_eq!((readings.len(), diagnostics.bad), (1, 1));
    }

    proptest! {
        #[test]
        fn any_prefix_is_accepted(count in 0_usize..40, cut in 0_usize..2000) {
            let mut text = Vec::new();
            for i in 0..count {
                text.extend_from_slice(format!("20241121-00:00:01.{i:06},5000.0,{}.0\n", 1000 + i).as_bytes());
            }
            let cut = cut.min(text.len());
            let (readings, diagnostics) = read_chunks(&text[..cut]);
            // Whole lines are all there; at most the cut one is bad, or short by some digits of its last number.
            let whole = text[..cut].iter().filter(|&&b| b == b'\n').count();
            prop_assert!(readings.len() >= whole && readings.len() <= whole + 1);
            prop_assert!(diagnostics.bad <= 1);
            for (i, reading) in readings.iter().enumerate() {
                prop_assert_eq!(reading.current.0, (1000 + i) as f64);
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            let lines = read(&bytes);
            let (readings, diagnostics) = read_chunks(&bytes);
            prop_assert_eq!(lines.iter().filter(|l| l.is_ok()).count(), readings.len());
            prop_assert_eq!(lines.iter().filter(|l| l.is_err()).count() as u64, diagnostics.bad);
        }

        #[test]
        fn what_is_written_is_read(us in 0_i64..4_000_000_000_000_000, mv in 0.0_f64..60_000.0, ma in -10.0_f64..60_000.0) {
            let reading = PowerReading { wall_ns: us * 1000, voltage: Millivolts(mv), current: Milliamps(ma) };
            prop_assert_eq!(read(format_line(&reading).as_bytes()), vec![Ok(reading)]);
        }
    }
}
