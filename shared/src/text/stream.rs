//! A text read as a stream, whatever its encoding.

use super::encoding::Encoding;
use std::io::{self, Read};

/// Bytes read at a time where they are looked at; plain UTF-8 is handed through as the caller asks for it.
const CHUNK: usize = 1 << 16;
/// Fewest bytes by which an encoding is recognised, unless the source ends before.
const FEWEST: usize = 4;

/// A source of bytes that gives UTF-8 without a byte-order mark, whatever encoding it is in. UTF-8 passes through as it is,
/// foreign bytes included; memory does not grow with the source.
///
/// ```
/// use shared::text::TextStream;
/// use std::io::Read;
///
/// let mut text = String::new();
/// TextStream::new(&b"\xff\xfea\0b\0"[..]).read_to_string(&mut text)?;
/// assert_eq!(text, "ab");
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Debug)]
pub struct TextStream<R> {
    source: R,
    /// The encoding, once the first bytes are there.
    encoding: Option<Encoding>,
    /// Text that was decoded and not yet handed on.
    ready: Vec<u8>,
    at: usize,
    /// Bytes of UTF-16 that wait for their other half.
    rest: Vec<u8>,
    ended: bool,
}

impl<R: Read> TextStream<R> {
    /// A stream from the start of a text.
    pub fn new(source: R) -> Self {
        Self { source, encoding: None, ready: Vec::new(), at: 0, rest: Vec::new(), ended: false }
    }

    /// The beginning of the text, up to 64 KiB of the source; nothing of it is taken from the stream. It must be asked for before
    /// anything is read.
    ///
    /// # Errors
    /// When the source cannot be read.
    pub fn head(&mut self) -> io::Result<&[u8]> {
        self.start()?;
        Ok(&self.ready[self.at..])
    }

    /// The encoding; UTF-8 before anything was read.
    #[must_use]
    pub fn encoding(&self) -> Encoding {
        self.encoding.unwrap_or_default()
    }

    fn start(&mut self) -> io::Result<()> {
        if self.encoding.is_some() {
            return Ok(());
        }
        let mut first = vec![0; CHUNK];
        let mut filled = 0;
        while filled < FEWEST {
            match self.source.read(&mut first[filled..]) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Err(e),
            }
        }
        first.truncate(filled);
        let (encoding, mark) = Encoding::of(&first);
        self.encoding = Some(encoding);
        if encoding == Encoding::Utf8 {
            self.ready = first;
            self.at = mark;
        } else {
            self.rest = first[mark..].to_vec();
            self.decode();
        }
        Ok(())
    }

    /// Moves whole characters of UTF-16 from `rest` to `ready`.
    fn decode(&mut self) {
        let encoding = self.encoding();
        let units: Vec<u16> = self.rest.chunks_exact(2).map(|pair| encoding.unit([pair[0], pair[1]])).collect();
        // The last unit may be the first half of a pair whose second half is still to come.
        let half = units.last().is_some_and(|unit| (0xd800..0xdc00).contains(unit)) && !self.ended;
        let whole = units.len() - usize::from(half);
        self.rest.drain(..whole * 2);
        let mut text = String::from_utf16_lossy(&units[..whole]);
        if self.ended && !self.rest.is_empty() {
            text.push(char::REPLACEMENT_CHARACTER);
            self.rest.clear();
        }
        self.ready = text.into_bytes();
        self.at = 0;
    }
}

impl<R: Read> Read for TextStream<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.start()?;
        while self.at == self.ready.len() {
            if self.encoding() == Encoding::Utf8 {
                return self.source.read(buffer);
            }
            if self.ended || buffer.is_empty() {
                return Ok(0);
            }
            let kept = self.rest.len();
            self.rest.resize(kept + CHUNK, 0);
            let read = self.source.read(&mut self.rest[kept..]);
            self.rest.truncate(kept + *read.as_ref().unwrap_or(&0));
            self.ended = read? == 0;
            self.decode();
        }
        let count = buffer.len().min(self.ready.len() - self.at);
        buffer[..count].copy_from_slice(&self.ready[self.at..self.at + count]);
        self.at += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::super::encoding::decode;
    use super::super::encoding::tests::utf16;
    use super::*;
    use proptest::prelude::*;

    /// A source that gives a few bytes at a time.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = self.1.min(self.0.len()).min(buffer.len());
            buffer[..count].copy_from_slice(&self.0[..count]);
            self.0 = &self.0[count..];
            Ok(count)
        }
    }

    fn streamed(bytes: &[u8], step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        TextStream::new(Drip(bytes, step)).read_to_end(&mut out).expect("memory");
        out
    }

    #[test]
    fn the_head_stays_in_the_stream() {
        let mut stream = TextStream::new(&b"\xef\xbb\xbfa,b\n"[..]);
        assert_eq!(stream.head().expect("memory"), b"a,b\n");
        let mut text = String::new();
        stream.read_to_string(&mut text).expect("memory");
        assert_eq!(text, "a,b\n");
    }

    proptest! {
        #[test]
        fn a_stream_gives_what_the_whole_gives(text in "\\PC{0,200}", step in 1_usize..9, cut in 0_usize..3) {
            for encoding in [Encoding::Utf16Le, Encoding::Utf16Be] {
                let bytes = utf16(&text, encoding, true);
                let bytes = &bytes[..bytes.len() - cut.min(bytes.len() - 2)];
                let whole = decode(bytes).text;
                prop_assert_eq!(streamed(bytes, step), whole.as_bytes());
            }
            prop_assert_eq!(streamed(text.as_bytes(), step), text.as_bytes());
        }

        #[test]
        fn bytes_of_no_encoding_pass_through(bytes in proptest::collection::vec(1_u8..0xfe, 0..200), step in 1_usize..9) {
            prop_assume!(!bytes.starts_with(b"\xef\xbb\xbf"));
            prop_assert_eq!(streamed(&bytes, step), bytes);
        }
    }
}
