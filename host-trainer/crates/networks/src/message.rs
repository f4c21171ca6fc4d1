//! Protocol-buffer messages, field by field.

/// A message under construction.
#[derive(Debug, Clone, PartialEq, Default)]
pub(crate) struct Message(Vec<u8>);

impl Message {
    /// An integer field. Negative numbers take ten bytes, as the format has it.
    pub(crate) fn number(mut self, field: u64, value: i64) -> Self {
        varint(&mut self.0, field << 3);
        varint(&mut self.0, value as u64);
        self
    }

    /// A field of four bytes.
    pub(crate) fn float(mut self, field: u64, value: f32) -> Self {
        varint(&mut self.0, field << 3 | 5);
        self.0.extend_from_slice(&value.to_le_bytes());
        self
    }

    /// A field of bytes or text.
    pub(crate) fn bytes(mut self, field: u64, content: &[u8]) -> Self {
        self.0.extend_from_slice(&header(field, content.len() as u64));
        self.0.extend_from_slice(content);
        self
    }

    /// A text field that is left out where the text is empty.
    pub(crate) fn text(self, field: u64, content: &str) -> Self {
        if content.is_empty() { self } else { self.bytes(field, content.as_bytes()) }
    }

    /// A field that is a message itself.
    pub(crate) fn message(self, field: u64, content: &Self) -> Self {
        self.bytes(field, &content.0)
    }

    /// The bytes.
    pub(crate) fn content(&self) -> &[u8] {
        &self.0
    }
}

/// What stands before a field of `length` bytes, for fields that are streamed.
pub(crate) fn header(field: u64, length: u64) -> Vec<u8> {
    let mut out = Vec::new();
    varint(&mut out, field << 3 | 2);
    varint(&mut out, length);
    out
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

    /// The examples of the format's own description, developers.google.com/protocol-buffers/docs/encoding.
    #[test]
    fn bytes_are_those_of_the_published_examples() {
        assert_eq!(Message::default().number(1, 150).content(), [0x08, 0x96, 0x01]);
        assert_eq!(Message::default().text(2, "testing").content(), b"\x12\x07testing");
        let inner = Message::default().number(1, 150);
        assert_eq!(Message::default().message(3, &inner).content(), [0x1a, 0x03, 0x08, 0x96, 0x01]);
        assert_eq!(Message::default().number(1, -1).content().len(), 11);
    }
}
