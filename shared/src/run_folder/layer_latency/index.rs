//! Where the layers' lists lie in a file.

use super::read_at::{ReadAt, read_at_retrying};
use crate::limits;
use crate::run_folder::diagnostics::Diagnostics;
use crate::text::json;
use std::io;
use std::ops::Range;

/// Bytes that are read at a time.
const BUFFER_BYTES: usize = 1 << 20;
/// Longest layer name, in bytes of JSON text.
const NAME_BYTES: usize = 1 << 16;

/// Where a layer's entries lie in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LayerSeries {
    /// The layer's name.
    pub name: String,
    /// Bytes of the list, without its brackets.
    pub bytes: Range<u64>,
    /// Entries in it, whole ones and others.
    pub entries: u64,
    /// Of `of` layers that share the name and the list, the one whose entries stand at `turn`, `turn + of`, ….
    pub turn: usize,
    /// See `turn`; 1 for a name that is used once.
    pub of: usize,
}

/// Finds the layers of a file, in file order. What breaks off is noted and kept as far as it goes.
///
/// ```
/// use shared::run_folder::{Diagnostics, LayerCursor, index_layers};
///
/// let file: &[u8] = br#"{"conv1": [[0.5, "20241121-00:00:01.50"], [0.25, "20241121-00:00:02.50"]]}"#;
/// let mut diagnostics = Diagnostics::default();
/// let layers = index_layers(file, &mut diagnostics)?;
/// assert_eq!((layers[0].name.as_str(), layers[0].entries), ("conv1", 2));
/// let mut cursor = LayerCursor::new(file, &layers[0]);
/// assert_eq!(cursor.next_entry()?.map(|entry| entry.duration.0), Some(0.5));
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// When the source cannot be read, or [`io::ErrorKind::InvalidData`] when it is not a JSON object at all or names too many
/// layers.
pub fn index_layers(source: &(impl ReadAt + ?Sized), diagnostics: &mut Diagnostics) -> io::Result<Vec<LayerSeries>> {
    let mut scan = Scan { source, buffer: vec![0; BUFFER_BYTES], base: 0, at: 0, filled: 0 };
    let mut layers = Vec::new();
    if scan.next_token()? != Some(b'{') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is not a JSON object of layers"));
    }
    loop {
        match scan.next_token()? {
            Some(b',') => {}
            Some(b'"') => {
                let Some(name) = scan.string()? else {
                    diagnostics.note(|| "the file ends inside a layer's name".into());
                    break;
                };
                if scan.next_token()? != Some(b':') || scan.next_token()? != Some(b'[') {
                    diagnostics.note(|| format!("layer `{name}` has no list of measurements"));
                    break;
                }
                if layers.len() == limits::ENGINE_LAYERS {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        format!("names more than {} layers", limits::ENGINE_LAYERS),
                    ));
                }
                let start = scan.position();
                let (entries, closed) = scan.skip_entries()?;
                let end = scan.position() - u64::from(closed);
                if !closed {
                    diagnostics.note(|| format!("the file ends inside layer `{name}`, after {entries} measurements"));
                }
                layers.push(LayerSeries { name, bytes: start..end, entries, turn: 0, of: 1 });
                if !closed {
                    break;
                }
            }
            Some(b'}') => break,
            None => {
                diagnostics.note(|| "the file ends before its closing brace".into());
                break;
            }
            Some(other) => {
                let at = scan.position() - 1;
                diagnostics.note(|| format!("byte {at}: `{}` where a layer's name should stand", other.escape_ascii()));
                break;
            }
        }
    }
    Ok(layers)
}

struct Scan<'a, S: ?Sized> {
    source: &'a S,
    buffer: Vec<u8>,
    base: u64,
    at: usize,
    filled: usize,
}

impl<S: ReadAt + ?Sized> Scan<'_, S> {
    fn position(&self) -> u64 {
        self.base + self.at as u64
    }

    fn refill(&mut self) -> io::Result<bool> {
        self.base += self.filled as u64;
        self.at = 0;
        self.filled = read_at_retrying(self.source, self.base, &mut self.buffer)?;
        Ok(self.filled > 0)
    }

    fn byte(&mut self) -> io::Result<Option<u8>> {
        if self.at == self.filled && !self.refill()? {
            return Ok(None);
        }
        let byte = self.buffer[self.at];
        self.at += 1;
        Ok(Some(byte))
    }

    fn next_token(&mut self) -> io::Result<Option<u8>> {
        loop {
            match self.byte()? {
                Some(b' ' | b'\n' | b'\r' | b'\t') => {}
                other => return Ok(other),
            }
        }
    }

    /// The rest of a string whose opening quote is behind; `None` when the file ends in it or it is not a string.
    fn string(&mut self) -> io::Result<Option<String>> {
        let mut raw = vec![b'"'];
        loop {
            match self.byte()? {
                None => return Ok(None),
                Some(b'\\') => {
                    raw.push(b'\\');
                    match self.byte()? {
                        None => return Ok(None),
                        Some(byte) => raw.push(byte),
                    }
                }
                Some(b'"') => {
                    raw.push(b'"');
                    return Ok(json::string(&raw));
                }
                Some(byte) => raw.push(byte),
            }
            if raw.len() > NAME_BYTES {
                return Err(io::Error::new(io::ErrorKind::InvalidData, "has a layer name without an end"));
            }
        }
    }

    /// Goes behind the bracket that closes the array: the second of two with nothing but blanks between, or one that
    /// comes before any entry. Returns the number of entries and whether the array was closed.
    ///
    /// Stamps hold no brackets, so they need not be looked into: this is what makes the pass run at memory speed.
    fn skip_entries(&mut self) -> io::Result<(u64, bool)> {
        let mut entries = 0;
        if !self.enter_list()? {
            return Ok((0, self.at > 0 && self.buffer[self.at - 1] == b']'));
        }
        loop {
            let Some(offset) = memchr::memchr(b']', &self.buffer[self.at..self.filled]) else {
                self.at = self.filled;
                if !self.refill()? {
                    return Ok((entries, false));
                }
                continue;
            };
            self.at += offset + 1;
            entries += 1;
            match self.next_token()? {
                Some(b']') => return Ok((entries, true)),
                Some(_) => {}
                None => return Ok((entries, false)),
            }
        }
    }

    /// Moves behind the first `[`; false when the array ends first (then behind its `]`) or the file does.
    fn enter_list(&mut self) -> io::Result<bool> {
        loop {
            match self.byte()? {
                Some(b'[') => return Ok(true),
                Some(b']') => return Ok(false),
                Some(_) => {}
                None => {
                    self.at = 0;
                    return Ok(false);
                }
            }
        }
    }
}

/// Splits lists that hold several layers of one name: TensorRT reports by name, so a writer that keys by name puts the
/// measurements of both into one list, alternating. Such a list is a whole multiple as long as the others.
/// Returns how many layers were found that way.
pub fn split_shared_names(layers: &mut Vec<LayerSeries>) -> usize {
    let mut lengths: Vec<u64> = layers.iter().map(|l| l.entries).filter(|&n| n > 0).collect();
    lengths.sort_unstable();
    let Some(&usual) = lengths.get(lengths.len() / 2) else { return 0 };
    let before = layers.len();
    *layers = layers
        .drain(..)
        .flat_map(|layer| {
            let times = layer.entries as f64 / usual as f64;
            let of = if times >= 1.9 && (times - times.round()).abs() < 0.05 { times.round() as usize } else { 1 };
            (0..of).map(move |turn| LayerSeries { turn, of, entries: layer.entries / of as u64, ..layer.clone() })
        })
        .take(limits::ENGINE_LAYERS)
        .collect();
    layers.len() - before
}
