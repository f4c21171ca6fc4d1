//! An append-only log of checksummed frames, readable up to its last whole frame whatever happened to the writer.
//!
//! The file begins with [`MAGIC`]. A frame is, little-endian: the marker [`MARKER`], the payload's length (`u32`), the
//! frame's number from 0 (`u32`), the CRC-32 of length, number and payload (`u32`), and the payload. The number shows how
//! many frames are gone where damage lies between two whole frames; the marker is where a reader finds its feet again.

use crate::limits;
use std::io::{self, Read, Write};

/// First bytes of every frame log: name and format version.
pub const MAGIC: [u8; 8] = *b"EPVLOG1\n";
/// First bytes of every frame.
pub const MARKER: [u8; 4] = [0xF5, b'E', b'P', b'F'];
const HEADER: usize = 16;

/// Encodes one frame.
///
/// # Panics
/// If the payload is larger than [`limits::FRAME_BYTES`]: a fault of the program, not of its input.
#[must_use]
pub fn encode_frame(number: u32, payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= limits::FRAME_BYTES, "a frame holds at most {} bytes", limits::FRAME_BYTES);
    let length = payload.len() as u32;
    let mut frame = Vec::with_capacity(HEADER + payload.len());
    frame.extend_from_slice(&MARKER);
    frame.extend_from_slice(&length.to_le_bytes());
    frame.extend_from_slice(&number.to_le_bytes());
    frame.extend_from_slice(&checksum(length, number, payload).to_le_bytes());
    frame.extend_from_slice(payload);
    frame
}

fn checksum(length: u32, number: u32, payload: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&length.to_le_bytes());
    hasher.update(&number.to_le_bytes());
    hasher.update(payload);
    hasher.finalize()
}

/// Appends frames to a sink.
#[derive(Debug)]
pub struct FrameWriter<W> {
    sink: W,
    next: u32,
}

impl<W: Write> FrameWriter<W> {
    /// Starts a log: writes [`MAGIC`].
    ///
    /// # Errors
    /// Whatever the sink says.
    pub fn start(mut sink: W) -> io::Result<Self> {
        sink.write_all(&MAGIC)?;
        Ok(Self { sink, next: 0 })
    }

    /// Goes on with a log that ends whole after so many frames; the sink stands at its end.
    pub fn resume(sink: W, frames: u32) -> Self {
        Self { sink, next: frames }
    }

    /// Appends one frame with a single write.
    ///
    /// # Errors
    /// Whatever the sink says. The log then may end in a torn frame, which readers skip.
    pub fn append(&mut self, payload: &[u8]) -> io::Result<()> {
        self.sink.write_all(&encode_frame(self.next, payload))?;
        self.next = self.next.wrapping_add(1);
        Ok(())
    }

    /// Frames written so far.
    #[must_use]
    pub fn frames(&self) -> u32 {
        self.next
    }

    /// The sink, to flush or synchronise it.
    pub fn sink(&mut self) -> &mut W {
        &mut self.sink
    }
}

/// What a reader met beside whole frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Damage {
    /// Whole frames read.
    pub frames: u64,
    /// Frames known to be missing, from the gaps in their numbers.
    pub missing: u64,
    /// Bytes skipped between whole frames.
    pub skipped_bytes: u64,
    /// Bytes after the last whole frame: a write that a power cut or `kill -9` tore.
    pub torn_bytes: u64,
    /// Whether the file did not begin as a frame log does.
    pub no_magic: bool,
}

impl Damage {
    /// Whether every frame that was ever begun was read.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        self.missing == 0 && self.skipped_bytes == 0 && self.torn_bytes == 0 && !self.no_magic
    }
}

/// Reads frames in order, over damage. Memory: two frames at most.
#[derive(Debug)]
pub struct FrameReader<R> {
    source: R,
    buffer: Vec<u8>,
    at: usize,
    ended: bool,
    started: bool,
    expected: u32,
    skipping: u64,
    damage: Damage,
}

impl<R: Read> FrameReader<R> {
    /// Reads from the start of a log.
    pub fn new(source: R) -> Self {
        Self {
            source,
            buffer: Vec::new(),
            at: 0,
            ended: false,
            started: false,
            expected: 0,
            skipping: 0,
            damage: Damage::default(),
        }
    }

    /// What was met so far; complete once [`FrameReader::next_frame`] returned `None`.
    #[must_use]
    pub fn damage(&self) -> Damage {
        self.damage
    }

    /// The next whole frame's payload, or `None` at the end.
    ///
    /// # Errors
    /// Only what the source says; damage is passed over and counted.
    pub fn next_frame(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.started {
            self.started = true;
            if self.fill(MAGIC.len())? && self.buffer[..MAGIC.len()] == MAGIC {
                self.at = MAGIC.len();
            } else {
                self.damage.no_magic = true;
            }
        }
        loop {
            if let Some(payload) = self.frame_here()? {
                self.damage.skipped_bytes += std::mem::take(&mut self.skipping);
                self.damage.frames += 1;
                return Ok(Some(payload));
            }
            if !self.fill(1)? {
                self.damage.torn_bytes += std::mem::take(&mut self.skipping);
                return Ok(None);
            }
            // No frame begins here: go to the next byte that may begin one.
            let rest = &self.buffer[self.at + 1..];
            let step = 1 + rest.iter().position(|&b| b == MARKER[0]).unwrap_or(rest.len());
            self.at += step;
            self.skipping += step as u64;
        }
    }

    fn frame_here(&mut self) -> io::Result<Option<Vec<u8>>> {
        if !self.fill(HEADER)? {
            return Ok(None);
        }
        let header = &self.buffer[self.at..self.at + HEADER];
        if header[..4] != MARKER {
            return Ok(None);
        }
        let word = |i: usize| u32::from_le_bytes([header[i], header[i + 1], header[i + 2], header[i + 3]]);
        let (length, number, crc) = (word(4), word(8), word(12));
        let size = length as usize;
        if size > limits::FRAME_BYTES || !self.fill(HEADER + size)? {
            return Ok(None);
        }
        let payload = &self.buffer[self.at + HEADER..self.at + HEADER + size];
        if checksum(length, number, payload) != crc {
            return Ok(None);
        }
        let payload = payload.to_vec();
        self.at += HEADER + size;
        self.damage.missing += u64::from(number.saturating_sub(self.expected));
        self.expected = number.wrapping_add(1);
        Ok(Some(payload))
    }

    /// Makes at least `wanted` bytes available at the position; false when the source ends before.
    fn fill(&mut self, wanted: usize) -> io::Result<bool> {
        while self.buffer.len() - self.at < wanted && !self.ended {
            self.buffer.drain(..self.at);
            self.at = 0;
            let old = self.buffer.len();
            // In steps, so that a length field alone cannot make us allocate.
            self.buffer.resize(old + (1 << 16), 0);
            let got = loop {
                match self.source.read(&mut self.buffer[old..]) {
                    Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                    other => break other,
                }
            };
            self.buffer.truncate(old + *got.as_ref().unwrap_or(&0));
            self.ended = got? == 0;
        }
        Ok(self.buffer.len() - self.at >= wanted)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn log(payloads: &[Vec<u8>]) -> Vec<u8> {
        let mut writer = FrameWriter::start(Vec::new()).expect("memory");
        for payload in payloads {
            writer.append(payload).expect("memory");
        }
        std::mem::take(writer.sink())
    }

    fn read(bytes: &[u8]) -> (Vec<Vec<u8>>, Damage) {
        let mut reader = FrameReader::new(bytes);
        let mut frames = Vec::new();
        while let Some(frame) = reader.next_frame().expect("memory") {
            frames.push(frame);
        }
        (frames, reader.damage())
    }

    #[test]
    fn cut_at_every_byte_the_whole_frames_before_the_cut_are_read() {
        // Payloads that hold markers and whole frames themselves must not confuse the reader.
        let payloads =
            vec![b"one".to_vec(), Vec::new(), MARKER.to_vec(), encode_frame(9, b"inner"), vec![0xF5; 40], vec![7; 300]];
        let bytes = log(&payloads);
        let mut ends = vec![MAGIC.len()];
        for payload in &payloads {
            ends.push(ends[ends.len() - 1] + HEADER + payload.len());
        }
        for cut in 0..bytes.len() {
            let (frames, damage) = read(&bytes[..cut]);
            let whole = ends.iter().filter(|&&end| end <= cut).count().saturating_sub(1);
            // A torn frame that carries a whole frame inside gives that one up too: it is one more, never a wrong prefix.
            assert!(frames.len() >= whole && frames[..whole] == payloads[..whole], "cut at {cut}");
            let at_boundary = ends.contains(&cut);
            assert_eq!(damage.is_clean(), at_boundary, "cut at {cut}: {damage:?}");
        }
        assert_eq!(read(&bytes).0, payloads);
        assert!(read(&bytes).1.is_clean());
    }

    #[test]
    fn damage_in_the_middle_costs_only_the_frames_it_touches() {
        let payloads: Vec<Vec<u8>> = (0..10_u8).map(|i| vec![i; 20]).collect();
        let mut bytes = log(&payloads);
        bytes[MAGIC.len() + 3 * 36 + 20] ^= 1;
        let (frames, damage) = read(&bytes);
        assert_eq!(frames.len(), 9);
        assert_eq!((damage.missing, damage.skipped_bytes, damage.torn_bytes), (1, 36, 0));
        assert!(!frames.contains(&payloads[3]));
    }

    #[test]
    fn a_length_from_garbage_allocates_nothing() {
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&MARKER);
        bytes.extend_from_slice(&u32::MAX.to_le_bytes());
        bytes.extend_from_slice(&[0; 8]);
        let (frames, damage) = read(&bytes);
        assert!(frames.is_empty());
        assert_eq!(damage.torn_bytes, 16);
    }

    proptest! {
        #[test]
        fn garbage_is_read_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
            let (frames, damage) = read(&bytes);
            prop_assert!(frames.is_empty());
            prop_assert!(damage.no_magic || bytes.starts_with(&MAGIC));
        }

        #[test]
        fn one_flipped_bit_never_yields_a_wrong_frame(
            payloads in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..50), 1..8),
            at in any::<prop::sample::Index>(), bit in 0_u8..8,
        ) {
            let mut bytes = log(&payloads);
            let position = at.index(bytes.len());
            bytes[position] ^= 1 << bit;
            let (frames, _) = read(&bytes);
            prop_assert!(frames.len() + 1 >= payloads.len());
            prop_assert!(frames.iter().all(|frame| payloads.contains(frame)));
        }
    }
}
