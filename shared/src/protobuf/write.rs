//! Writes messages, field by field.

/// A message under construction. Fields stand in it in the order in which they were added.
///
/// ```
/// use shared::protobuf::Message;
///
/// let dimension = Message::default().number(1, 224);
/// let shape = Message::default().message(1, &dimension).text(2, "NCHW");
/// assert_eq!(shape.content(), b"\x0a\x03\x08\xe0\x01\x12\x04NCHW");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Message(Vec<u8>);

impl Message {
    /// Adds an integer. Negative numbers take ten bytes, as the encoding has it.
    #[must_use]
    pub fn number(mut self, field: u32, value: i64) -> Self {
        varint(&mut self.0, u64::from(field) << 3);
        varint(&mut self.0, value as u64);
        self
    }

    /// Adds a floating-point number of four bytes.
    #[must_use]
    pub fn float(mut self, field: u32, value: f32) -> Self {
        varint(&mut self.0, u64::from(field) << 3 | 5);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// Adds bytes or a text.
    #[must_use]
    pub fn bytes(mut self, field: u32, content: &[u8]) -> Self {
        put_header(&mut self.0, field, content.len() as u64);
        self.0.extend_from_slice(content);
        self
    }

    /// Adds a text, which is left out if it is empty.
    #[must_use]
    pub fn text(self, field: u32, content: &str) -> Self {
        if content.is_empty() { self } else { self.bytes(field, content.as_bytes()) }
    }

    /// Adds a message.
    #[must_use]
    pub fn message(self, field: u32, content: &Self) -> Self {
        self.bytes(field, &content.0)
    }

    /// Adds fields that are encoded already, for example the [`raw`](super::MessageField::raw) ones of another message.
    #[must_use]
    pub fn encoded(mut self, fields: &[u8]) -> Self {
        self.0.extend_from_slice(fields);
        self
    }

    /// The bytes.
    #[must_use]
    pub fn content(&self) -> &[u8] {
        &self.0
    }

    /// The bytes, without a copy.
    #[must_use]
    pub fn into_bytes(self) -> Vec<u8> {
        self.0
    }
}

/// What precedes `length` bytes of content in a field, for content that is streamed.
///
/// ```
/// assert_eq!(shared::protobuf::header(9, 300), [0x4a, 0xac, 0x02]);
/// ```
#[must_use]
pub fn header(field: u32, length: u64) -> Vec<u8> {
    let mut out = Vec::new();
    put_header(&mut out, field, length);
    out
}

fn put_header(out: &mut Vec<u8>, field: u32, length: u64) {
    varint(out, u64::from(field) << 3 | 2);
    varint(out, length);
}

fn varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the format's own description, protobuf.dev/programming-guides/encoding.
    #[test]
    fn bytes_are_those_of_the_published_examples() {
        assert_eq!(Message::default().number(1, 150).content(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").content(), b"\x12\x07testing");
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, &inner).content(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::default().number(1, -1).content().len(), 11);
    }

    #[test]
    fn an_empty_text_is_left_out_and_empty_bytes_are_not() {
        assert_eq!(Message::default().text(2, "").content(), b"");
        assert_eq!(Message::default().bytes(2, b"").into_bytes(), b"\x12\x00");
    }
}
