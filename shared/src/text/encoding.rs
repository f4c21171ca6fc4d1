//! How bytes stand for characters.

use std::borrow::Cow;
use std::fmt;

/// Bytes of a file's beginning by which its encoding is recognised.
const HEAD: usize = 1 << 12;

/// How a text's bytes stand for characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Encoding {
    /// UTF-8, of which ASCII is a part.
    #[default]
    Utf8,
    /// UTF-16, low byte first.
    Utf16Le,
    /// UTF-16, high byte first.
    Utf16Be,
}

impl Encoding {
    /// The encoding of a text by its first bytes, and the length of its byte-order mark. UTF-16 without a mark is
    /// recognised where it is certain: its first characters and most others are ASCII, so that one byte of each pair is zero.
    #[must_use]
    pub fn of(head: &[u8]) -> (Self, usize) {
        match head {
            [0xef, 0xbb, 0xbf, ..] => (Self::Utf8, 3),
            [0xff, 0xfe, ..] => (Self::Utf16Le, 2),
            [0xfe, 0xff, ..] => (Self::Utf16Be, 2),
            head if is_utf16(head, 0) => (Self::Utf16Le, 0),
            head if is_utf16(head, 1) => (Self::Utf16Be, 0),
            _ => (Self::Utf8, 0),
        }
    }

    /// The unit of UTF-16 that two bytes are.
    pub(super) fn unit(self, pair: [u8; 2]) -> u16 {
        if self == Self::Utf16Be { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Utf8 => "UTF-8",
            Self::Utf16Le | Self::Utf16Be => "UTF-16",
        })
    }
}

/// Whether a text without a mark is UTF-16 whose low bytes stand at `low` (0 or 1) of each pair.
fn is_utf16(head: &[u8], low: usize) -> bool {
    let pairs = &head[..head.len().min(HEAD)];
    let is_text = |byte: u8| (b' '..0x7f).contains(&byte) || matches!(byte, b'\t' | b'\n' | b'\r');
    let is_ascii = |pair: &&[u8]| pair[1 - low] == 0 && is_text(pair[low]);
    let count = pairs.len() / 2;
    let ascii = || pairs.chunks_exact(2).filter(is_ascii).count();
    let none_is_nul = || pairs.chunks_exact(2).all(|pair| pair != [0, 0]);
    // The first pairs tell nearly all files apart.
    count >= 2 && pairs.chunks_exact(2).take(2).all(|pair| is_ascii(&pair)) && none_is_nul() && ascii() * 2 >= count
}

/// Bytes of a text that its encoding does not have, such as a degree sign of an old code page in UTF-8. Each is read as
/// U+FFFD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Foreign {
    /// Places at which such bytes stand.
    pub places: u64,
    /// Line of the first of them, from 1; 0 where there is none.
    pub first_line: u64,
}

impl Foreign {
    /// What there is, in words; none where there is nothing.
    #[must_use]
    pub fn sentence(&self, encoding: Encoding) -> Option<String> {
        match (self.places, self.first_line) {
            (0, _) => None,
            (1, line) => Some(format!("a byte on line {line} is not {encoding} and is read as U+FFFD")),
            (n, line) => {
                Some(format!("{n} bytes are not {encoding}, the first on line {line}; each is read as U+FFFD"))
            }
        }
    }
}

/// A file's content as text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decoded<'a> {
    /// The text, without a byte-order mark. UTF-8 is borrowed.
    pub text: Cow<'a, str>,
    /// How the bytes stood for it.
    pub encoding: Encoding,
    /// Bytes that could not be read.
    pub foreign: Foreign,
}

/// Reads a file's content as text: UTF-8 or UTF-16, with or without a byte-order mark. No content is refused; whether it
/// is a text at all is for the caller to say.
///
/// ```
/// use shared::text::{Encoding, decode};
///
/// let decoded = decode(b"\xff\xfea\0b\0");
/// assert_eq!((&*decoded.text, decoded.encoding), ("ab", Encoding::Utf16Le));
/// let decoded = decode(b"ok\n25 \xb0C\n");
/// assert_eq!((&*decoded.text, decoded.foreign.places, decoded.foreign.first_line), ("ok\n25 \u{fffd}C\n", 1, 2));
/// ```
#[must_use]
pub fn decode(content: &[u8]) -> Decoded<'_> {
    let (encoding, mark) = Encoding::of(content);
    let content = &content[mark..];
    let mut foreign = Foreign::default();
    let text = if encoding == Encoding::Utf8 {
        // Checking is much faster than looking for what to replace, and nearly all are UTF-8.
        match std::str::from_utf8(content) {
            Ok(text) => Cow::Borrowed(text),
            Err(_) => Cow::Owned(replaced(content, &mut foreign)),
        }
    } else {
        Cow::Owned(from_utf16(encoding, content, &mut foreign))
    };
    Decoded { text, encoding, foreign }
}

fn replaced(content: &[u8], foreign: &mut Foreign) -> String {
    let mut text = String::with_capacity(content.len() + 8);
    for chunk in content.utf8_chunks() {
        text.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            note(foreign, &text);
            text.push(char::REPLACEMENT_CHARACTER);
        }
    }
    text
}

fn from_utf16(encoding: Encoding, content: &[u8], foreign: &mut Foreign) -> String {
    let pairs = content.chunks_exact(2);
    let torn = !pairs.remainder().is_empty();
    let mut text = String::with_capacity(content.len() / 2 + 8);
    for character in char::decode_utf16(pairs.map(|pair| encoding.unit([pair[0], pair[1]]))) {
        let character = character.unwrap_or_else(|_| {
            note(foreign, &text);
            char::REPLACEMENT_CHARACTER
        });
        text.push(character);
    }
    if torn {
        note(foreign, &text);
        text.push(char::REPLACEMENT_CHARACTER);
    }
    text
}

fn note(foreign: &mut Foreign, before: &str) {
    if foreign.places == 0 {
        foreign.first_line = 1 + before.bytes().filter(|&byte| byte == b'\n').count() as u64;
    }
    foreign.places += 1;
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A text as UTF-16.
    pub(crate) fn utf16(text: &str, encoding: Encoding, mark: bool) -> Vec<u8> {
        let mark = if mark { "\u{feff}" } else { "" };
        let bytes = |unit: u16| if encoding == Encoding::Utf16Be { unit.to_be_bytes() } else { unit.to_le_bytes() };
        mark.encode_utf16().chain(text.encode_utf16()).flat_map(bytes).collect()
    }

    #[test]
    fn utf16_without_a_mark_is_recognised_only_where_it_is_certain() {
        for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
            let table = "t_ms,mW,Größe\n0,6000,ü\n";
            assert_eq!(decode(&utf16(table, encoding, false)).text, table);
            assert_eq!(decode(&utf16(table, encoding, false)).encoding, encoding);
        }
        for other in [&b""[..], b"a", b"a\0", b"ab\0\0", b"\0\0\0\0", b"ftrt\0\0\0\0", b"a\0b\0\0\0\0\0", b"plain text"]
        {
            assert_eq!(Encoding::of(other), (Encoding::Utf8, 0), "{other:?}");
        }
    }

    #[test]
    fn what_is_torn_or_foreign_is_counted() {
        let decoded = decode(b"\xef\xbb\xbfa\nb\xffc\xfe\xfe\n");
        assert_eq!(decoded.foreign, Foreign { places: 3, first_line: 2 });
        assert!(
            decoded
                .foreign
                .sentence(decoded.encoding)
                .expect("some")
                .contains("3 bytes are not UTF-8, the first on line 2")
        );
        assert_eq!(decode(b"\xff\xfea\0b").foreign, Foreign { places: 1, first_line: 1 });
        assert_eq!(decode(b"\xfe\xff\xd8\x00\x00a").text, "\u{fffd}a");
        assert_eq!(decode(b"plain").foreign.sentence(Encoding::Utf8), None);
    }

    proptest! {
        #[test]
        fn every_encoding_gives_the_same_text(text in "\\PC{0,80}") {
            let marked = [b"\xef\xbb\xbf", text.as_bytes()].concat();
            prop_assert_eq!(&*decode(&marked).text, text.as_str());
            for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
                let bytes = utf16(&text, encoding, true);
                let decoded = decode(&bytes);
                prop_assert_eq!(&*decoded.text, text.as_str());
                prop_assert_eq!((decoded.encoding, decoded.foreign), (encoding, Foreign::default()));
            }
        }

        #[test]
        fn a_table_in_ascii_is_read_without_a_mark(text in "[ -~\n]{2,80}") {
            prop_assert_eq!(&*decode(text.as_bytes()).text, text.as_str());
            for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
                let bytes = utf16(&text, encoding, false);
                prop_assert_eq!(&*decode(&bytes).text, text.as_str());
            }
        }

        #[test]
        fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let decoded = decode(&bytes);
            let marked = decoded.text.matches(char::REPLACEMENT_CHARACTER).count() as u64;
            prop_assert!(decoded.foreign.places <= marked);
        }
    }
}
