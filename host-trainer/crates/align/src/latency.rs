//! `trt_layer_latency.json`: `{"layer": [[ms, "YYYYMMDD-HH:MM:SS.ffffff"], …], …}`.
//!
//! The file holds one array a layer, while the work goes cycle by cycle. So it is read twice: once to find where each
//! layer's array lies, then with one cursor a layer, all moving together. Memory is a small buffer a layer, whatever the
//! size of the file. A file that ends anywhere gives whatever whole entries it holds.

use super::power::Oddities;
use super::stamp::StampParser;
use std::fs::File;
use std::io;
use std::ops::Range;

/// Bytes one cursor reads at a time.
const CURSOR_BYTES: usize = 64 << 10;
/// An entry longer than this is none.
const ENTRY_BYTES: usize = 1 << 10;
/// Bytes the index pass reads at a time.
const INDEX_BYTES: usize = 1 << 20;
/// Most layers that a file may name.
const LAYERS: usize = shared::limits::ENGINE_LAYERS;
/// Longest layer name, in bytes of JSON text.
const NAME_BYTES: usize = 1 << 16;

/// Bytes that can be read at a place, by several readers at once.
pub trait ReadAt: Sync {
    /// Reads up to `buffer.len()` bytes at `offset`; 0 at the end.
    ///
    /// # Errors
    /// Whatever the source says.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize>;
}

impl ReadAt for File {
    #[cfg(unix)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::unix::fs::FileExt::read_at(self, buffer, offset)
    }

    #[cfg(windows)]
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        std::os::windows::fs::FileExt::seek_read(self, buffer, offset)
    }
}

impl ReadAt for [u8] {
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.get(at..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// Where a layer's entries lie in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Series {
    /// The layer's name.
    pub name: String,
    /// Bytes of the array, without its brackets.
    pub bytes: Range<u64>,
    /// Entries in it, whole ones and others.
    pub entries: u64,
    /// Of `of` layers that share the name and the array, the one whose entries stand at `turn`, `turn + of`, ….
    pub turn: usize,
    /// See `turn`; 1 for a name that is used once.
    pub of: usize,
}

/// Finds the layers of a file, in file order. What breaks off is noted and kept as far as it goes.
///
/// # Errors
/// Whatever the source says, or [`io::ErrorKind::InvalidData`] when the file is no JSON object at all or names too many layers.
pub fn index(source: &(impl ReadAt + ?Sized), oddities: &mut Oddities) -> io::Result<Vec<Series>> {
    let mut scan = Scan { source, buffer: vec![0; INDEX_BYTES], base: 0, at: 0, filled: 0 };
    let mut layers = Vec::new();
    if scan.next_token()? != Some(b'{') {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "is no JSON object of layers"));
    }
    loop {
        match scan.next_token()? {
            Some(b',') => {}
            Some(b'"') => {
                let Some(name) = scan.string()? else {
                    oddities.note(|| "the file ends inside a layer's name".into());
                    break;
                };
                if scan.next_token()? != Some(b':') || scan.next_token()? != Some(b'[') {
                    oddities.note(|| format!("layer `{name}` has no list of measurements"));
                    break;
                }
                if layers.len() == LAYERS {
                    return Err(io::Error::new(io::ErrorKind::InvalidData, format!("names more than {LAYERS} layers")));
                }
                let start = scan.position();
                let (entries, closed) = scan.skip_entries()?;
                let end = scan.position() - u64::from(closed);
                if !closed {
                    oddities.note(|| format!("the file ends inside layer `{name}`, after {entries} measurements"));
                }
                layers.push(Series { name, bytes: start..end, entries, turn: 0, of: 1 });
                if !closed {
                    break;
                }
            }
            Some(b'}') => break,
            None => {
                oddities.note(|| "the file ends before its closing brace".into());
                break;
            }
            Some(other) => {
                let at = scan.position() - 1;
                oddities.note(|| format!("byte {at}: `{}` where a layer's name should stand", other.escape_ascii()));
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

    /// The rest of a string whose opening quote is behind; `None` when the file ends in it or it is no string.
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
                    return Ok(serde_json::from_slice(&raw).ok());
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

fn read_at_retrying(source: &(impl ReadAt + ?Sized), offset: u64, buffer: &mut [u8]) -> io::Result<usize> {
    loop {
        match source.read_at(offset, buffer) {
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            other => return other,
        }
    }
}

/// Splits arrays that hold several layers of one name: TensorRT reports by name, so a writer that keys by name puts the
/// measurements of both into one list, alternating. Such a list is a whole multiple as long as the others.
/// Returns how many layers were found that way.
pub fn split_shared_names(layers: &mut Vec<Series>) -> usize {
    let mut lengths: Vec<u64> = layers.iter().map(|l| l.entries).filter(|&n| n > 0).collect();
    lengths.sort_unstable();
    let Some(&usual) = lengths.get(lengths.len() / 2) else { return 0 };
    let before = layers.len();
    *layers = layers
        .drain(..)
        .flat_map(|layer| {
            let times = layer.entries as f64 / usual as f64;
            let of = if times >= 1.9 && (times - times.round()).abs() < 0.05 { times.round() as usize } else { 1 };
            (0..of).map(move |turn| Series { turn, of, entries: layer.entries / of as u64, ..layer.clone() })
        })
        .take(LAYERS)
        .collect();
    layers.len() - before
}

/// The text of a number as the file has it, without memory of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Text {
    bytes: [u8; 31],
    length: u8,
}

impl Text {
    /// Takes a number's text; one that is too long to keep is written anew.
    fn of(text: &[u8], value: f64) -> Self {
        let anew;
        let text = if text.len() <= 31 {
            text
        } else {
            anew = format!("{value:?}");
            &anew.as_bytes()[..anew.len().min(31)]
        };
        let mut bytes = [0; 31];
        bytes[..text.len()].copy_from_slice(text);
        Self { bytes, length: text.len() as u8 }
    }

    /// The text.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

/// One measurement of one layer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Entry {
    /// Duration in milliseconds, not negative and finite.
    pub ms: f64,
    /// The stamp, in microseconds since 1970 of the wall clock.
    pub at_us: i64,
}

/// Reads one layer's entries in order.
#[derive(Debug)]
pub struct Cursor<'a, S: ?Sized> {
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
    pub oddities: Oddities,
}

impl<'a, S: ReadAt + ?Sized> Cursor<'a, S> {
    /// A cursor before the first entry of a layer.
    pub fn new(source: &'a S, series: &'a Series) -> Self {
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
            oddities: Oddities::default(),
        }
    }

    /// The next entry that can be read; `None` at the end.
    ///
    /// # Errors
    /// Whatever the source says.
    pub fn next_entry(&mut self) -> io::Result<Option<Entry>> {
        self.next_with(|stamps, number, stamp| {
            let ms = std::str::from_utf8(number).ok()?.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0)?;
            Some(Entry { ms, at_us: stamps.parse(stamp)? })
        })
    }

    /// As [`next_entry`](Self::next_entry), with the duration's text as the file has it.
    ///
    /// # Errors
    /// Whatever the source says.
    pub fn next_with_text(&mut self) -> io::Result<Option<(Entry, Text)>> {
        self.next_with(|stamps, number, stamp| {
            let ms = std::str::from_utf8(number).ok()?.parse::<f64>().ok().filter(|v| v.is_finite() && *v >= 0.0)?;
            Some((Entry { ms, at_us: stamps.parse(stamp)? }, Text::of(number, ms)))
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
            self.oddities.note(|| format!("layer `{name}`, measurement {}: no [milliseconds, time]", number + 1));
        }
    }

    fn refill(&mut self) -> io::Result<bool> {
        if self.buffer.is_empty() {
            self.buffer = vec![0; CURSOR_BYTES];
        }
        if self.filled - self.at > ENTRY_BYTES {
            self.at = self.filled;
            let name = self.name;
            self.oddities.note(|| format!("layer `{name}` has a measurement of more than {ENTRY_BYTES} bytes"));
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
    use proptest::prelude::*;

    fn read(text: &[u8]) -> (Vec<(String, Vec<Entry>)>, Oddities) {
        let mut oddities = Oddities::default();
        let mut series = index(text, &mut oddities).expect("a JSON object");
        split_shared_names(&mut series);
        let layers = series
            .iter()
            .map(|s| {
                let mut cursor = Cursor::new(text, s);
                let mut entries = Vec::new();
                while let Some(entry) = cursor.next_entry().expect("memory") {
                    entries.push(entry);
                }
                oddities.merge(&cursor.oddities);
                (s.name.clone(), entries)
            })
            .collect();
        (layers, oddities)
    }

    const TEXT: &str = r#"{
        "conv [a] \"x\"": [ [0.5, "20241121-00:00:01.50"], [ 0.25 , "20241121-00:00:02.50" ] ],
        "empty": [],
        "pool":[[1e-2,"20241121-00:00:01.75"],[0.0,"20241121-00:00:02.75"]]
    }"#;

    #[test]
    fn layers_and_entries() {
        let (layers, oddities) = read(TEXT.as_bytes());
        assert_eq!(oddities, Oddities::default());
        assert_eq!(layers.iter().map(|l| l.0.as_str()).collect::<Vec<_>>(), ["conv [a] \"x\"", "empty", "pool"]);
        assert_eq!(layers[0].1.iter().map(|e| e.ms).collect::<Vec<_>>(), [0.5, 0.25]);
        assert_eq!(layers[0].1[1].at_us - layers[0].1[0].at_us, 1_000_000);
        assert_eq!(layers[2].1[0].ms, 0.01);
    }

    #[test]
    fn bad_entries_are_counted_and_named() {
        let (layers, oddities) =
            read(br#"{"a":[[1,"20241121-00:00:01"],[null,"x"],[-1,"20241121-00:00:01"],[2],[3,"20241121-00:00:02"]]}"#);
        assert_eq!(layers[0].1.len(), 2);
        assert_eq!(oddities.bad, 3);
        assert!(oddities.named[0].contains("layer `a`, measurement 2"), "{oddities:?}");
    }

    #[test]
    fn a_list_twice_as_long_is_two_layers() {
        let text = br#"{"a":[[1,"20241121-00:00:01"],[2,"20241121-00:00:02"]],
            "b":[[3,"20241121-00:00:01"],[4,"20241121-00:00:01"],[5,"20241121-00:00:02"],[6,"20241121-00:00:02"]],
            "c":[[1,"20241121-00:00:01"],[2,"20241121-00:00:02"]]}"#;
        let (layers, _) = read(text);
        let of: Vec<_> = layers.iter().map(|l| l.1.iter().map(|e| e.ms).collect::<Vec<_>>()).collect();
        assert_eq!(of, [vec![1.0, 2.0], vec![3.0, 5.0], vec![4.0, 6.0], vec![1.0, 2.0]]);
    }

    #[test]
    fn a_number_of_any_length_keeps_its_value() {
        let long = "0.1250000000000000000000000000000000000000";
        for (text, value) in [("0.5", 0.5), (long, 0.125), ("1e-3", 1e-3)] {
            let kept = Text::of(text.as_bytes(), value);
            assert_eq!(std::str::from_utf8(kept.as_bytes()).expect("UTF-8").parse(), Ok(value));
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        assert!(index(b"[1]".as_slice(), &mut Oddities::default()).is_err());
        assert!(index(b"".as_slice(), &mut Oddities::default()).is_err());
    }

    proptest! {
        #[test]
        fn any_prefix_gives_its_whole_entries(cut in 1_usize..300) {
            let text = &TEXT.as_bytes()[..cut.min(TEXT.len())];
            let (layers, _) = read(text);
            let (whole, _) = read(TEXT.as_bytes());
            for (part, full) in layers.iter().zip(&whole) {
                prop_assert_eq!(&part.0, &full.0);
                prop_assert_eq!(part.1.as_slice(), &full.1[..part.1.len()]);
            }
        }

        #[test]
        fn arbitrary_bytes_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300), tail in "[\\[\\],\"0-9a: {}]{0,80}") {
            let mut text = b"{\"a\":[".to_vec();
            text.extend_from_slice(tail.as_bytes());
            text.extend_from_slice(&bytes);
            let _ = read(&text);
        }
    }
}
