//! A text file that is read at places, whatever its encoding.

use super::read_at::{ReadAt, read_at_retrying};
use crate::failure::Failure;
use crate::fs::read_capped;
use crate::limits;
use crate::text::{Encoding, decode};
use std::fs::File;
use std::io;
use std::path::Path;

/// A text file as UTF-8 without a byte-order mark, read at places. UTF-8 is read where it lies; other encodings, which only a
/// copy through another program makes, are decoded into memory.
#[derive(Debug)]
pub struct TextFile(Content);

#[derive(Debug)]
enum Content {
    /// The file, and the length of its byte-order mark.
    Utf8(File, u64),
    Decoded(Vec<u8>),
}

impl TextFile {
    /// Opens a file.
    ///
    /// # Errors
    /// When it cannot be read, or would have to be decoded and is larger than
    /// [`limits::LAYER_LATENCY_BYTES`].
    pub fn open(path: &Path) -> Result<Self, Failure> {
        let failed = |e| Failure::io(path, "read", &e);
        let file = File::open(path).map_err(failed)?;
        let mut head = vec![0; 1 << 12];
        let mut filled = 0;
        while filled < head.len() {
            match read_at_retrying(&file, filled as u64, &mut head[filled..]).map_err(failed)? {
                0 => break,
                count => filled += count,
            }
        }
        Ok(Self(match Encoding::of(&head[..filled]) {
            (Encoding::Utf8, mark) => Content::Utf8(file, mark as u64),
            _ => Content::Decoded(
                decode(&read_capped(path, limits::LAYER_LATENCY_BYTES)?).text.into_owned().into_bytes(),
            ),
        }))
    }
}

impl ReadAt for TextFile {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        match &self.0 {
            Content::Utf8(file, mark) => file.read_at(offset + mark, buffer),
            Content::Decoded(text) => text.as_slice().read_at(offset, buffer),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::cursor::LayerCursor;
    use super::super::index::index_layers;
    use super::*;
    use crate::run_folder::diagnostics::Diagnostics;

    #[test]
    fn each_encoding_gives_the_same_layers() {
        let text = "{\"conv\u{1e}relü\": [[0.5, \"20241121-00:00:01.50\"], [0.25, \"20241121-00:00:02.50\"]]}";
        let utf16 =
            |mark: &str| -> Vec<u8> { format!("{mark}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect() };
        let folder = tempfile::tempdir().expect("folder");
        let path = folder.path().join("latency.json");
        let marked = format!("\u{feff}{text}").into_bytes();
        for content in [text.as_bytes().to_vec(), marked, utf16("\u{feff}"), utf16("")] {
            std::fs::write(&path, content).expect("writes");
            let file = TextFile::open(&path).expect("opens");
            let mut diagnostics = Diagnostics::default();
            let layers = index_layers(&file, &mut diagnostics).expect("layers");
            assert_eq!((layers[0].name.as_str(), layers[0].entries), ("conv\u{1e}relü", 2));
            let mut cursor = LayerCursor::new(&file, &layers[0]);
            let mut times = Vec::new();
            while let Some(entry) = cursor.next_entry().expect("reads") {
                times.push(entry.duration.0);
            }
            assert_eq!((times.as_slice(), diagnostics.bad), ([0.5, 0.25].as_slice(), 0));
        }
        assert!(TextFile::open(&folder.path().join("absent")).is_err());
    }
}
