//! Reads messages, field by field, from a file or from memory. What is not wanted is passed over, never read into memory.

use std::fs::File;
use std::io::{self, BufReader, Read};

/// A source of bytes that can be passed over.
pub trait Source {
    /// Fills a buffer.
    ///
    /// # Errors
    /// Those of the source; [`io::ErrorKind::UnexpectedEof`] if it ends before the buffer is full.
    fn fill(&mut self, buffer: &mut [u8]) -> io::Result<()>;

    /// Passes over bytes, which need not be in memory for that.
    ///
    /// # Errors
    /// Those of the source. A file may end before the bytes do without an error.
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
#[derive(Debug, thiserror::Error)]
pub enum WireError {
    /// The source could not be read.
    #[error("cannot read")]
    Io(#[source] io::Error),
    /// The bytes are not the message: what is wrong, and at which byte.
    #[error("{0} at byte {1}")]
    Broken(&'static str, u64),
    /// The message has more of something than the limit allows.
    #[error("has more {0} than {1}")]
    TooMuch(&'static str, u64),
}

/// A field as [`Wire`] finds it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Field {
    /// Its number in the message.
    pub number: u32,
    /// Its value, or where the value ends.
    pub value: Value,
}

/// The value of a field; of bytes, the place where they end.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value {
    /// A number of variable length.
    Number(u64),
    /// Eight bytes.
    Double(f64),
    /// Four bytes.
    Float(f32),
    /// A text, a message or packed numbers, up to this byte of the file.
    Bytes(u64),
}

/// A reader of messages. Messages inside a message are read by the same reader: their fields come next.
///
/// ```
/// use shared::protobuf::{Value, Wire, WireError};
///
/// // A text in field 2, then a message in field 3 with the number 150 in its field 1.
/// let file = b"\x12\x07testing\x1a\x03\x08\x96\x01";
/// let (length, mut found) = (file.len() as u64, Vec::new());
/// let mut wire = Wire::new(&file[..], 1000);
/// while let Some(field) = wire.field(length)? {
///     match (field.number, field.value) {
///         (3, Value::Bytes(end)) => {
///             while let Some(inner) = wire.field(end)? {
///                 found.push(inner.value);
///                 wire.pass(inner.value)?;
///             }
///         }
///         (_, value) => wire.pass(value)?,
///     }
/// }
/// assert_eq!(found, [Value::Number(150)]);
/// # Ok::<(), WireError>(())
/// ```
#[derive(Debug)]
pub struct Wire<S> {
    source: S,
    at: u64,
    kept: u64,
    limit: u64,
}

impl<S: Source> Wire<S> {
    /// A reader that keeps at most `limit` bytes in all, what [`keep`](Self::keep) counts included.
    #[must_use]
    pub fn new(source: S, limit: u64) -> Self {
        Self { source, at: 0, kept: 0, limit }
    }

    /// The place of the byte that comes next, counted from where the reader began.
    #[must_use]
    pub fn at(&self) -> u64 {
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

    /// Reads the number of the next field of a message that ends at `end`, and its value unless that is bytes; `None` at the end.
    ///
    /// # Errors
    /// Bytes that are not a field or break off.
    pub fn field(&mut self, end: u64) -> Result<Option<Field>, WireError> {
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
            _ => return Err(WireError::Broken("has a field of a type that is out of use", start)),
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
    ///
    /// # Errors
    /// A source that cannot be read.
    pub fn pass_to(&mut self, end: u64) -> Result<(), WireError> {
        if end > self.at {
            self.source.pass(end - self.at).map_err(|e| self.failed(e))?;
            self.at = end;
        }
        Ok(())
    }

    /// Passes over the value of a field that [`field`](Self::field) returned last.
    ///
    /// # Errors
    /// A source that cannot be read.
    pub fn pass(&mut self, value: Value) -> Result<(), WireError> {
        match value {
            Value::Bytes(end) => self.pass_to(end),
            _ => Ok(()),
        }
    }

    /// Reads the bytes up to `end`.
    ///
    /// # Errors
    /// More bytes than may be kept, or a source that breaks off or cannot be read.
    pub fn bytes(&mut self, end: u64) -> Result<Vec<u8>, WireError> {
        let length = end.saturating_sub(self.at);
        self.keep(length)?;
        let mut bytes = vec![0; length as usize];
        self.source.fill(&mut bytes).map_err(|e| self.failed(e))?;
        self.at = end;
        Ok(bytes)
    }

    /// Reads a text up to `end`; what is not UTF-8 in it is replaced.
    ///
    /// # Errors
    /// Those of [`bytes`](Self::bytes).
    pub fn text(&mut self, end: u64) -> Result<String, WireError> {
        let bytes = self.bytes(end)?;
        Ok(String::from_utf8(bytes).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned()))
    }

    /// Counts bytes that the caller keeps.
    ///
    /// # Errors
    /// More bytes than may be kept.
    pub fn keep(&mut self, bytes: u64) -> Result<(), WireError> {
        self.kept = self.kept.saturating_add(bytes);
        if self.kept > self.limit {
            return Err(WireError::TooMuch("bytes of texts and numbers", self.limit));
        }
        Ok(())
    }

    /// Reads whole numbers: one, or as many as are packed. Whether they fit: `into` takes `most` at most, and the rest is passed over.
    ///
    /// # Errors
    /// A value that is not whole numbers, more bytes than may be kept, or a source that breaks off or cannot be read.
    pub fn numbers(&mut self, value: Value, into: &mut Vec<i64>, most: usize) -> Result<bool, WireError> {
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

    /// Reads floating-point numbers: one, or as many as are packed, of `width` bytes each. Whether they fit: `into` takes `most` at most,
    /// and packed ones that do not all fit are passed over.
    ///
    /// # Errors
    /// A value that is not floating-point numbers, more bytes than may be kept, or a source that breaks off or cannot be read.
    pub fn floats(&mut self, value: Value, width: u64, into: &mut Vec<f64>, most: usize) -> Result<bool, WireError> {
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

/// A field of a message in memory.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct MessageField<'a> {
    /// Its number in the message.
    pub number: u32,
    /// All its bytes, with those of its number.
    pub raw: &'a [u8],
    value: Value,
    content: Option<&'a [u8]>,
}

impl<'a> MessageField<'a> {
    /// The bytes of a text, a message or packed numbers; `None` if it is a number.
    #[must_use]
    pub fn bytes(&self) -> Option<&'a [u8]> {
        self.content
    }

    /// The text; `None` if it is a number or not UTF-8.
    #[must_use]
    pub fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.content?).ok()
    }

    /// The number; `None` if it has no variable length.
    #[must_use]
    pub fn as_number(&self) -> Option<u64> {
        match self.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }

    /// The whole numbers: one, or as many as are packed. `None` if it is neither.
    #[must_use]
    pub fn numbers(&self) -> Option<Vec<i64>> {
        let content = self.content.unwrap_or_default();
        let value = match self.value {
            Value::Bytes(_) => Value::Bytes(content.len() as u64),
            number => number,
        };
        let mut numbers = Vec::new();
        // What is kept is at most eight times what is in memory already.
        Wire::new(content, u64::MAX).numbers(value, &mut numbers, usize::MAX).ok()?;
        Some(numbers)
    }
}

/// The fields of a message in memory, in their order. The first error is the last item.
///
/// ```
/// use shared::protobuf::{Message, WireError, fields};
///
/// let message = Message::default().number(1, 150).text(2, "testing");
/// let read = fields(message.content()).collect::<Result<Vec<_>, WireError>>()?;
/// assert_eq!((read[0].number, read[0].as_number()), (1, Some(150)));
/// assert_eq!((read[1].number, read[1].text()), (2, Some("testing")));
/// # Ok::<(), WireError>(())
/// ```
pub fn fields(message: &[u8]) -> impl Iterator<Item = Result<MessageField<'_>, WireError>> {
    let mut wire = Wire::new(message, 0);
    std::iter::from_fn(move || {
        let field = next(&mut wire, message).transpose()?;
        if field.is_err() {
            // Nothing can be read behind what is broken.
            wire.at = message.len() as u64;
        }
        Some(field)
    })
}

fn next<'a>(wire: &mut Wire<&'a [u8]>, message: &'a [u8]) -> Result<Option<MessageField<'a>>, WireError> {
    let start = wire.at as usize;
    let Some(Field { number, value }) = wire.field(message.len() as u64)? else { return Ok(None) };
    let content = wire.at as usize;
    wire.pass(value)?;
    let end = wire.at as usize;
    let content = matches!(value, Value::Bytes(_)).then(|| &message[content..end]);
    Ok(Some(MessageField { number, raw: &message[start..end], value, content }))
}

#[cfg(test)]
mod tests {
    use super::super::Message;
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;
    use std::io::Write;

    /// A field as it is written.
    #[derive(Debug, Clone)]
    enum Written {
        Number(i64),
        Float(f32),
        Text(String),
        Message(Vec<(u32, Written)>),
    }

    fn written() -> impl Strategy<Value = Written> {
        let leaf = prop_oneof![
            any::<i64>().prop_map(Written::Number),
            any::<f32>().prop_map(Written::Float),
            ".{1,300}".prop_map(Written::Text),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| vec((1_u32..1 << 29, inner), 1..4).prop_map(Written::Message))
    }

    fn message(fields: &[(u32, Written)]) -> Message {
        fields.iter().fold(Message::default(), |message, (number, field)| match field {
            Written::Number(value) => message.number(*number, *value),
            Written::Float(value) => message.float(*number, *value),
            Written::Text(text) => message.text(*number, text),
            Written::Message(fields) => message.message(*number, &self::message(fields)),
        })
    }

    /// Reads what was written, and fails where it differs.
    fn compare<S: Source>(wire: &mut Wire<S>, end: u64, fields: &[(u32, Written)]) -> Result<(), WireError> {
        for (number, field) in fields {
            let read = wire.field(end)?.expect("a field");
            assert_eq!(read.number, *number);
            match (field, read.value) {
                (Written::Number(value), Value::Number(number)) => assert_eq!(*value, number as i64),
                (Written::Float(value), Value::Float(number)) => assert_eq!(value.to_bits(), number.to_bits()),
                (Written::Text(text), Value::Bytes(end)) => assert_eq!(*text, wire.text(end)?),
                (Written::Message(fields), Value::Bytes(end)) => compare(wire, end, fields)?,
                (field, value) => panic!("{field:?} was read as {value:?}"),
            }
        }
        assert_eq!(wire.field(end)?, None);
        Ok(())
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(written in vec((1_u32..1 << 29, written()), 0..5)) {
            let message = message(&written);
            let length = message.content().len() as u64;
            prop_assert!(compare(&mut Wire::new(message.content(), u64::MAX), length, &written).is_ok());

            let mut file = tempfile::tempfile().expect("a file");
            file.write_all(message.content()).expect("written");
            io::Seek::rewind(&mut file).expect("at the start");
            prop_assert!(compare(&mut Wire::new(BufReader::with_capacity(16, file), u64::MAX), length, &written).is_ok());

            let read = fields(message.content()).collect::<Result<Vec<_>, WireError>>().expect("a message");
            prop_assert_eq!(read.iter().flat_map(|field| field.raw).copied().collect::<Vec<u8>>(), message.content());
            for ((number, written), read) in written.iter().zip(&read) {
                prop_assert_eq!(*number, read.number);
                match written {
                    Written::Number(value) => prop_assert_eq!(read.numbers(), Some(vec![*value])),
                    Written::Float(_) => prop_assert_eq!((read.bytes(), read.numbers()), (None, None)),
                    Written::Text(text) => prop_assert_eq!(read.text(), Some(text.as_str())),
                    Written::Message(fields) => prop_assert_eq!(read.bytes(), Some(&*self::message(fields).into_bytes())),
                }
            }
        }

        #[test]
        fn packed_numbers_are_read(values in vec(any::<i64>(), 0..40)) {
            // The number of field 0 alone takes one byte, which is left away.
            let packed: Vec<u8> =
                values.iter().flat_map(|value| Message::default().number(0, *value).content()[1..].to_vec()).collect();
            let message = Message::default().bytes(8, &packed);
            let field = fields(message.content()).next().expect("a field").expect("a message");
            prop_assert_eq!(field.numbers(), Some(values));
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
            let end = bytes.len() as u64;
            let mut wire = Wire::new(bytes.as_slice(), 1000);
            while let Ok(Some(field)) = wire.field(end) {
                if wire.pass(field.value).is_err() {
                    break;
                }
                prop_assert!(wire.at() <= end);
            }
            let mut length = 0;
            for field in fields(&bytes).flatten() {
                let _ = field.numbers();
                length += field.raw.len();
            }
            prop_assert!(length <= bytes.len());
        }
    }

    #[test]
    fn a_field_longer_than_the_file_breaks_off() {
        let mut wire = Wire::new(&[0x0a, 0x05, 1, 2][..], 10);
        assert!(matches!(wire.field(4), Err(WireError::Broken(_, 0))));
        let mut list = fields(&[0x0a, 0x05, 1, 2]);
        assert!(matches!(list.next(), Some(Err(WireError::Broken(_, 0)))));
        assert!(list.next().is_none(), "nothing comes after an error");
    }

    #[test]
    fn more_than_may_be_kept_is_refused() {
        let message = Message::default().text(1, "0123456789");
        let mut wire = Wire::new(message.content(), 9);
        let end = match wire.field(12).expect("a field").expect("one").value {
            Value::Bytes(end) => end,
            value => panic!("{value:?}"),
        };
        assert!(matches!(wire.text(end), Err(WireError::TooMuch(_, 9))));
    }
}
