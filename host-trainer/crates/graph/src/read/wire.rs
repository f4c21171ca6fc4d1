//! Protocol buffers, field by field from a file or from memory. What is not wanted is passed over, never read into memory.

use std::fs::File;
use std::io::{self, BufReader, Read};

/// Where bytes come from.
pub(crate) trait Source {
    /// Fills a buffer.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()>;

    /// Passes over bytes, which need not be in memory for that.
    fn pass(&mut self, bytes: u64) -> io::Result<()>;
}

impl Source for BufReader<File> {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact(buffer)
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let step = i64::try_from(bytes).map_err(|_| io::ErrorKind::UnexpectedEof)?;
        self.seek_relative(step)
    }
}

impl Source for &[u8] {
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()> {
        self.read_exact(buffer)
    }

    fn pass(&mut self, bytes: u64) -> io::Result<()> {
        let rest = usize::try_from(bytes).ok().and_then(|bytes| self.get(bytes..));
        *self = rest.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(())
    }
}

/// Why bytes are not the message that they should be.
#[derive(Debug)]
pub(crate) enum WireError {
    /// The file could not be read.
    Io(io::Error),
    /// What is wrong, and at which byte.
    Broken(&'static str, u64),
    /// More would have to be kept than is allowed.
    TooMuch(&'static str, u64),
}

/// A field's number and what follows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Field {
    /// Its number in the message.
    pub(crate) number: u32,
    /// Its value, or where it ends.
    pub(crate) value: Value,
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Value {
    /// A number of variable length.
    Number(u64),
    /// Eight bytes.
    Double(f64),
    /// Four bytes.
    Float(f32),
    /// A text, a message or packed numbers, up to this byte of the file.
    Bytes(u64),
}

/// A reader of messages.
#[derive(Debug)]
pub(crate) struct Wire<S> {
    source: S,
    at: u64,
    kept: u64,
    limit: u64,
}

impl<S: Source> Wire<S> {
    /// A reader that keeps at most `limit` bytes in all.
    pub(crate) fn new(source: S, limit: u64) -> Self {
        Self { source, at: 0, kept: 0, limit }
    }

    /// The byte that comes next.
    pub(crate) fn at(&self) -> u64 {
        self.at
    }

    fn byte(&mut self, end: u64) -> Result<u8, WireError> {
        if self.at >= end {
            return Err(WireError::Broken("breaks off inside a number", self.at));
        }
        let mut byte = [0];
        self.source.fill(&mut byte).map_err(|e| self.failed(e))?;
        self.at += 1;
        Ok(byte[0])
    }

    fn failed(&self, error: io::Error) -> WireError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => WireError::Broken("breaks off", self.at),
            _ => WireError::Io(error),
        }
    }

    fn number(&mut self, end: u64) -> Result<u64, WireError> {
        let mut value = 0_u64;
        for index in 0..10 {
            let byte = self.byte(end)?;
            value |= u64::from(byte & 0x7f).wrapping_shl(7 * index);
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        Err(WireError::Broken("has a number of more than ten bytes", self.at))
    }

    /// The next field of a message that ends at `end`; none at its end.
    pub(crate) fn field(&mut self, end: u64) -> Result<Option<Field>, WireError> {
        if self.at >= end {
            return Ok(None);
        }
        let start = self.at;
        let tag = self.number(end)?;
        let number =
            u32::try_from(tag >> 3).map_err(|_| WireError::Broken("has a field without a valid number", start))?;
        let value = match tag & 7 {
            0 => Value::Number(self.number(end)?),
            1 => Value::Double(f64::from_le_bytes(self.fixed(end)?)),
            5 => Value::Float(f32::from_le_bytes(self.fixed(end)?)),
            2 => {
                let length = self.number(end)?;
                match self.at.checked_add(length).filter(|&stop| stop <= end) {
                    Some(stop) => Value::Bytes(stop),
                    None => return Err(WireError::Broken("breaks off: a field is longer than what is left", start)),
                }
            }
            _ => return Err(WireError::Broken("has a field of a type that ONNX does not use", start)),
        };
        if number == 0 {
            return Err(WireError::Broken("has a field without a valid number", start));
        }
        Ok(Some(Field { number, value }))
    }

    fn fixed<const N: usize>(&mut self, end: u64) -> Result<[u8; N], WireError> {
        if end - self.at < N as u64 {
            return Err(WireError::Broken("breaks off inside a number", self.at));
        }
        let mut bytes = [0; N];
        self.source.fill(&mut bytes).map_err(|e| self.failed(e))?;
        self.at += N as u64;
        Ok(bytes)
    }

    /// Passes over what is left up to `end`.
    pub(crate) fn pass_to(&mut self, end: u64) -> Result<(), WireError> {
        if end > self.at {
            self.source.pass(end - self.at).map_err(|e| self.failed(e))?;
            self.at = end;
        }
        Ok(())
    }

    /// Passes over a field.
    pub(crate) fn pass(&mut self, value: Value) -> Result<(), WireError> {
        match value {
            Value::Bytes(end) => self.pass_to(end),
            _ => Ok(()),
        }
    }

    /// The bytes up to `end`.
    pub(crate) fn bytes(&mut self, end: u64) -> Result<Vec<u8>, WireError> {
        let length = end.saturating_sub(self.at);
        self.keep(length)?;
        let mut bytes = vec![0; length as usize];
        self.source.fill(&mut bytes).map_err(|e| self.failed(e))?;
        self.at = end;
        Ok(bytes)
    }

    /// A text up to `end`; what is not UTF-8 in it is replaced.
    pub(crate) fn text(&mut self, end: u64) -> Result<String, WireError> {
        let bytes = self.bytes(end)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Counts bytes as kept.
    pub(crate) fn keep(&mut self, bytes: u64) -> Result<(), WireError> {
        self.kept = self.kept.saturating_add(bytes);
        if self.kept > self.limit {
            return Err(WireError::TooMuch("names, attributes and small constants", self.limit >> 20));
        }
        Ok(())
    }

    /// Whole numbers: one, or as many as are packed. No more than `most` are kept; none are returned where there are more.
    pub(crate) fn numbers(&mut self, value: Value, into: &mut Vec<i64>, most: usize) -> Result<bool, WireError> {
        match value {
            Value::Number(number) => {
                if into.len() >= most {
                    return Ok(false);
                }
                self.keep(8)?;
                into.push(number as i64);
            }
            Value::Bytes(end) => {
                while self.at < end {
                    let number = self.number(end)?;
                    if into.len() >= most {
                        self.pass_to(end)?;
                        return Ok(false);
                    }
                    self.keep(8)?;
                    into.push(number as i64);
                }
            }
            Value::Float(_) | Value::Double(_) => {
                return Err(WireError::Broken("has a whole number of the wrong form", self.at));
            }
        }
        Ok(true)
    }

    /// Floating-point numbers of `width` bytes: one, or as many as are packed.
    pub(crate) fn floats(
        &mut self,
        value: Value,
        width: u64,
        into: &mut Vec<f64>,
        most: usize,
    ) -> Result<bool, WireError> {
        match value {
            Value::Float(number) => {
                if into.len() >= most {
                    return Ok(false);
                }
                self.keep(8)?;
                into.push(f64::from(number));
            }
            Value::Double(number) => {
                if into.len() >= most {
                    return Ok(false);
                }
                self.keep(8)?;
                into.push(number);
            }
            Value::Bytes(end) => {
                let count = (end - self.at) / width;
                if count > (most - into.len().min(most)) as u64 {
                    self.pass_to(end)?;
                    return Ok(false);
                }
                self.keep(count * 8)?;
                while end - self.at >= width {
                    into.push(match width {
                        4 => f64::from(f32::from_le_bytes(self.fixed(end)?)),
                        _ => f64::from_le_bytes(self.fixed(end)?),
                    });
                }
                self.pass_to(end)?;
            }
            Value::Number(_) => return Err(WireError::Broken("has a decimal number of the wrong form", self.at)),
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let end = bytes.len() as u64;
            let mut wire = Wire::new(bytes.as_slice(), 1000);
            while let Ok(Some(field)) = wire.field(end) {
                if wire.pass(field.value).is_err() {
                    break;
                }
                prop_assert!(wire.at() <= end);
            }
        }
    }

    #[test]
    fn a_field_longer_than_the_file_breaks_off() {
        let mut wire = Wire::new(&[0x0a, 0x05, 1, 2][..], 10);
        assert!(matches!(wire.field(4), Err(WireError::Broken(_, 0))));
    }
}
