//! One layer's entries, in order.

use super::entry::LayerEntry;
use super::index::LayerSeries;
use super::read_at::{ReadAt, read_at_retrying};
use crate::run_folder::diagnostics::Diagnostics;
use crate::run_folder::stamp::StampParser;
use crate::units::Millis;
use std::io::{self, Write};

/// Bytes that a cursor reads at a time.
const CURSOR_BYTES: usize = 64 << 10;
/// Longest entry.
const ENTRY_BYTES: usize = 1 << 10;
/// Longest text of a number that is kept as it stands.
const CAPACITY: usize = 31;

/// The text of a number as the file has it, without memory of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NumberText {
    bytes: [u8; CAPACITY],
    length: u8,
}

impl NumberText {
    /// Takes a number's text; one that is too long to keep is written again from its value.
    #[must_use]
    pub fn new(text: &[u8], value: f64) -> Self {
        if text.len() > CAPACITY {
            return Self::of(value);
        }
        let mut bytes = [0; CAPACITY];
        bytes[..text.len()].copy_from_slice(text);
        Self { bytes, length: text.len() as u8 }
    }

    /// The shortest text that reads back as this number, with a decimal point or an exponent.
    #[must_use]
    pub fn of(value: f64) -> Self {
        let mut bytes = [0; CAPACITY];
        let mut rest = bytes.as_mut_slice();
        // No double is longer than 24 bytes, so that this cannot fail.
        let _ = write!(rest, "{value:?}");
        let length = CAPACITY - rest.len();
        Self { bytes, length: length as u8 }
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// Reads one layer's entries in order.
#[derive(Debug)]
pub struct LayerCursor<'a, S: ?Sized> {
    source: &'a S,
    next: u64,
    end: u64,
    buffer: Vec<u8>,
    at: usize,
    filled: usize,
    turn: usize,
    of: usize,
    count: u64,
    stamps: StampParser,
    name: &'a str,
    /// Entries that could not be read.
    pub diagnostics: Diagnostics,
}

impl<'a, S: ReadAt + ?Sized> LayerCursor<'a, S> {
    /// A cursor before the first entry of a layer.
    pub fn new(source: &'a S, series: &'a LayerSeries) -> Self {
        Self {
            source,
            next: series.bytes.start,
            end: series.bytes.end,
            buffer: Vec::new(),
            at: 0,
            filled: 0,
            turn: series.turn,
            of: series.of,
            count: 0,
            stamps: StampParser::default(),
            name: &series.name,
            diagnostics: Diagnostics::default(),
        }
    }

    /// The next entry that can be read; `None` at the end.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_entry(&mut self) -> io::Result<Option<LayerEntry>> {
        self.next_with(entry)
    }

    /// As [`next_entry`](Self::next_entry), with the duration's text as the file has it.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn next_with_text(&mut self) -> io::Result<Option<(LayerEntry, NumberText)>> {
        self.next_with(|stamps, number, stamp| {
            let entry = entry(stamps, number, stamp)?;
            Some((entry, NumberText::new(number, entry.duration.0)))
        })
    }

    fn next_with<T>(
        &mut self,
        mut take: impl FnMut(&mut StampParser, &[u8], &[u8]) -> Option<T>,
    ) -> io::Result<Option<T>> {
        loop {
            let Some(close) = memchr::memchr(b']', &self.buffer[self.at..self.filled]) else {
                if self.refill()? {
                    continue;
                }
                return Ok(None);
            };
            let entry = &self.buffer[self.at..self.at + close];
            self.at += close + 1;
            let number = self.count;
            self.count += 1;
            if (number % self.of as u64) as usize != self.turn {
                continue;
            }
            let taken = split_entry(entry).and_then(|(ms, stamp)| take(&mut self.stamps, ms, stamp));
            if taken.is_some() {
                return Ok(taken);
            }
            let name = self.name;
            self.diagnostics.note(|| format!("layer `{name}`, measurement {}: no [milliseconds, time]", number + 1));
        }
    }

    fn refill(&mut self) -> io::Result<bool> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; CURSOR_BYTES];
        }
        if self.filled - self.at > ENTRY_BYTES {
            self.at = self.filled;
            let name = self.name;
            self.diagnostics.note(|| format!("layer `{name}` has a measurement of more than {ENTRY_BYTES} bytes"));
        }
        self.buffer.copy_within(self.at..self.filled, 0);
        self.filled -= self.at;
        self.at = 0;
        let room = (self.buffer.len() - self.filled).min((self.end - self.next) as usize);
        let count = read_at_retrying(self.source, self.next, &mut self.buffer[self.filled..self.filled + room])?;
        self.next += count as u64;
        self.filled += count;
        Ok(count > 0)
    }
}

/// An entry from its two texts; `None` when one of them is not what it should be.
fn entry(stamps: &mut StampParser, number: &[u8], stamp: &[u8]) -> Option<LayerEntry> {
    let ms = std::str::from_utf8(number).ok()?.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0)?;
    Some(LayerEntry { duration: Millis(ms), wall_ns: stamps.parse(stamp)? })
}

/// `, [ ms, "stamp" ` without its closing bracket, into its two texts.
fn split_entry(entry: &[u8]) -> Option<(&[u8], &[u8])> {
    let open = memchr::memchr(b'[', entry)?;
    let inner = &entry[open + 1..];
    let comma = memchr::memchr(b',', inner)?;
    let stamp = inner[comma + 1..].trim_ascii();
    Some((inner[..comma].trim_ascii(), stamp.strip_prefix(b"\"")?.strip_suffix(b"\"")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_of_any_length_keeps_its_value() {
        let long = "0.1250000000000000000000000000000000000000";
        for (text, value) in [("0.5", 0.5), (long, 0.125), ("1e-3", 1e-3)] {
            let kept = NumberText::new(text.as_bytes(), value);
            assert_eq!(std::str::from_utf8(kept.as_bytes()).expect("UTF-8").parse(), Ok(value));
        }
        for value in [0.5, -f64::MIN_POSITIVE / 3.0, f64::MAX, f64::from(0.1_f32)] {
            assert_eq!(NumberText::of(value).as_bytes(), format!("{value:?}").as_bytes());
        }
    }
}
