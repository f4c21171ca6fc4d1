//! Packs: many blobs in one object.
//!
//! A pack is its blobs one after the other, the table of contents, the table's length (4 bytes, little-endian) and eight
//! bytes that say what it is. The table holds hash and length of every blob; its own hash is the pack's name.

use super::tree::{CHUNK, Reader};
use crate::Digest;
use std::ops::Range;

/// Most bytes of blobs in a pack; a larger blob gets a pack of its own.
pub const PACK_BYTES: u64 = CHUNK;

/// Most blobs in a pack.
pub(crate) const PACK_BLOBS: usize = 1 << 16;

/// A pack's table of contents is at most so long, bytes.
pub(crate) const TOC_BYTES: usize = 13 + 36 * PACK_BLOBS;

const TOC_MAGIC: &[u8; 8] = b"EPTOC1\n\n";
const TAIL_MAGIC: &[u8; 8] = b"EPPACK1\n";

/// What the blobs of a pack are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Contents of files.
    Data,
    /// Folders' lists: kept apart, so that history can be looked at without the data.
    Lists,
}

/// A pack's table of contents.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toc {
    /// What the blobs are.
    pub kind: Kind,
    /// Hash and length in bytes of each blob, in the order in which they lie.
    pub blobs: Vec<(Digest, u32)>,
}

impl Toc {
    /// The table as it is stored.
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        let mut out = TOC_MAGIC.to_vec();
        out.push(match self.kind {
            Kind::Data => 0,
            Kind::Lists => 1,
        });
        out.extend((self.blobs.len() as u32).to_le_bytes());
        for (digest, length) in &self.blobs {
            out.extend(digest.as_bytes());
            out.extend(length.to_le_bytes());
        }
        out
    }

    /// Reads a table from whatever bytes.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Self, String> {
        let mut reader = Reader { bytes };
        if reader.take(8)? != TOC_MAGIC {
            return Err("is no table of contents".into());
        }
        let kind = match reader.take(1)?[0] {
            0 => Kind::Data,
            1 => Kind::Lists,
            _ => return Err("is a table of a kind that this version does not know".into()),
        };
        let count = u32::from_le_bytes(reader.array()?) as usize;
        if count > PACK_BLOBS || reader.bytes.len() != count * 36 {
            return Err("is a table of another length than it says".into());
        }
        let mut blobs = Vec::with_capacity(count);
        for _ in 0..count {
            blobs.push((reader.digest()?, u32::from_le_bytes(reader.array()?)));
        }
        Ok(Self { kind, blobs })
    }

    /// What the pack is called.
    #[must_use]
    pub fn id(&self) -> Digest {
        Digest::of(&self.encode())
    }

    /// Bytes of all blobs.
    #[must_use]
    pub fn data_bytes(&self) -> u64 {
        self.blobs.iter().map(|(_, length)| u64::from(*length)).sum()
    }

    /// Bytes of the pack as it is stored.
    #[must_use]
    pub fn pack_bytes(&self) -> u64 {
        self.data_bytes() + 13 + 36 * self.blobs.len() as u64 + 12
    }

    /// Where each blob lies in the pack.
    pub fn places(&self) -> impl Iterator<Item = (Digest, Range<u64>)> {
        let mut start = 0;
        self.blobs.iter().map(move |(digest, length)| {
            let range = start..start + u64::from(*length);
            start = range.end;
            (*digest, range)
        })
    }
}

/// What follows the blobs.
#[must_use]
pub(crate) fn tail(toc: &[u8]) -> Vec<u8> {
    [toc, &(toc.len() as u32).to_le_bytes(), TAIL_MAGIC].concat()
}

/// Makes a pack.
#[must_use]
pub fn build_pack(kind: Kind, blobs: &[&[u8]]) -> (Toc, Vec<u8>) {
    let toc = Toc { kind, blobs: blobs.iter().map(|blob| (Digest::of(blob), blob.len() as u32)).collect() };
    let mut bytes = blobs.concat();
    bytes.extend(tail(&toc.encode()));
    (toc, bytes)
}

/// Reads the table of contents of a pack from whatever bytes. The blobs' hashes are not looked at.
///
/// # Errors
/// What is wrong with it.
pub fn parse_pack(bytes: &[u8]) -> Result<Toc, String> {
    let length_at = bytes.len().checked_sub(12).ok_or("is too short for a pack")?;
    let mut reader = Reader { bytes: &bytes[length_at..] };
    let length = u32::from_le_bytes(reader.array()?) as usize;
    if reader.bytes != TAIL_MAGIC {
        return Err("is no pack, or was cut off".into());
    }
    if length > TOC_BYTES {
        return Err("says that its table is longer than a table can be".into());
    }
    let toc_at = length_at.checked_sub(length).ok_or("is shorter than its table")?;
    let toc = Toc::decode(&bytes[toc_at..length_at])?;
    if toc.data_bytes() == toc_at as u64 { Ok(toc) } else { Err("has another length than its table says".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_pack_holds_what_was_put_in() {
        let (toc, bytes) = build_pack(Kind::Data, &[b"one", b"", b"three"]);
        assert_eq!(parse_pack(&bytes), Ok(toc.clone()));
        assert_eq!(toc.pack_bytes(), bytes.len() as u64);
        let parts: Vec<&[u8]> =
            toc.places().map(|(_, range)| &bytes[range.start as usize..range.end as usize]).collect();
        assert_eq!(parts, [b"one".as_slice(), b"", b"three"]);
    }

    #[test]
    fn every_flipped_bit_is_seen_by_the_table_or_by_a_blob() {
        let (toc, bytes) = build_pack(Kind::Lists, &[b"one", b"two"]);
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            let whole = parse_pack(&damaged).is_ok_and(|found| {
                found.id() == toc.id()
                    && found
                        .places()
                        .all(|(digest, range)| Digest::of(&damaged[range.start as usize..range.end as usize]) == digest)
            });
            assert!(!whole, "bit {bit}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200), cut in 0..200_usize) {
            let _ = parse_pack(&bytes);
            let _ = Toc::decode(&bytes);
            let (_, pack) = build_pack(Kind::Data, &[&bytes]);
            let cut = cut.min(pack.len() - 1);
            prop_assert!(parse_pack(&pack[..cut]).is_err());
        }
    }
}
