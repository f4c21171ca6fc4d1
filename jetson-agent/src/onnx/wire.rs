//! Protocol buffers on the wire: fields, read without copying, and written.

/// One field of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Field<'a> {
    /// Its number.
    pub(super) number: u64,
    /// Its value.
    pub(super) value: Value<'a>,
    /// All its bytes, number included.
    pub(super) raw: &'a [u8],
}

/// A field's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value<'a> {
    /// A number.
    Number(u64),
    /// Bytes: a text or a message.
    Bytes(&'a [u8]),
    /// Four or eight bytes of fixed length.
    Fixed,
}

impl<'a> Field<'a> {
    /// The bytes of a text or a message.
    pub(super) fn bytes(&self) -> Option<&'a [u8]> {
        match self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// A text.
    pub(super) fn text(&self) -> Option<&'a str> {
        std::str::from_utf8(self.bytes()?).ok()
    }

    /// Numbers of seven bits a byte, one behind the other, or a single one.
    pub(super) fn numbers(&self) -> Option<Vec<u64>> {
        let Value::Bytes(mut rest) = self.value else { return self.as_number().map(|number| vec![number]) };
        let mut numbers = Vec::new();
        while !rest.is_empty() {
            let (number, length) = varint(rest)?;
            numbers.push(number);
            rest = &rest[length..];
        }
        Some(numbers)
    }

    /// A number.
    pub(super) fn as_number(&self) -> Option<u64> {
        match self.value {
            Value::Number(number) => Some(number),
            _ => None,
        }
    }
}

/// The fields of a message; `None` where it is not one.
pub(super) fn fields(message: &[u8]) -> impl Iterator<Item = Option<Field<'_>>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let field = field(rest);
        rest = field.map_or(&[][..], |field| &rest[field.raw.len()..]);
        Some(field)
    })
}

fn field(message: &[u8]) -> Option<Field<'_>> {
    let (tag, mut at) = varint(message)?;
    let value = match tag & 7 {
        0 => {
            let (number, length) = varint(&message[at..])?;
            at += length;
            Value::Number(number)
        }
        1 => {
            at = at.checked_add(8)?;
            Value::Fixed
        }
        2 => {
            let (length, start) = varint(&message[at..])?;
            let from = at + start;
            at = from.checked_add(usize::try_from(length).ok()?)?;
            Value::Bytes(message.get(from..at)?)
        }
        5 => {
            at = at.checked_add(4)?;
            Value::Fixed
        }
        // Groups went out of use before ONNX began.
        _ => return None,
    };
    Some(Field { number: tag >> 3, value, raw: message.get(..at)? })
}

/// A number of seven bits a byte, and how many bytes it takes.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0_u64;
    for (index, byte) in bytes.iter().take(10).enumerate() {
        value |= u64::from(byte & 0x7f).checked_shl(7 * index as u32)?;
        if byte & 0x80 == 0 {
            return Some((value, index + 1));
        }
    }
    None
}

/// Appends a number.
pub(super) fn put_number(out: &mut Vec<u8>, field: u64, value: u64) {
    put_varint(out, field << 3);
    put_varint(out, value);
}

/// Appends a text or a message.
pub(super) fn put_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    put_varint(out, field << 3 | 2);
    put_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(number in 1_u64..1 << 20, value: u64, text in ".{0,300}") {
            let mut out = Vec::new();
            put_number(&mut out, number, value);
            put_bytes(&mut out, number, text.as_bytes());
            let read: Vec<Field<'_>> = fields(&out).collect::<Option<_>>().expect("a message");
            prop_assert_eq!(read.len(), 2);
            prop_assert_eq!((read[0].number, read[0].as_number()), (number, Some(value)));
            prop_assert_eq!((read[1].number, read[1].text()), (number, Some(text.as_str())));
            prop_assert_eq!(read[0].raw.len() + read[1].raw.len(), out.len());
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut length = 0;
            for field in fields(&bytes).flatten() {
                length += field.raw.len();
            }
            prop_assert!(length <= bytes.len());
        }
    }
}
