//! Which pack holds which blob.

use super::pack::{TOC_BYTES, Toc};
use super::tree::Reader;
use crate::Digest;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::ops::Range;

const MAGIC: &[u8; 8] = b"EPINDX1\n";

/// Writes an index: the tables of contents of packs.
#[must_use]
pub fn encode_index(tocs: &[&Toc]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for toc in tocs {
        let toc = toc.encode();
        out.extend((toc.len() as u32).to_le_bytes());
        out.extend(toc);
    }
    out
}

/// Reads an index from whatever bytes.
///
/// # Errors
/// What is wrong with it.
pub fn decode_index(bytes: &[u8]) -> Result<Vec<Toc>, String> {
    let mut reader = Reader { bytes };
    if reader.take(8)? != MAGIC {
        return Err("is no index".into());
    }
    let mut tocs = Vec::new();
    while !reader.bytes.is_empty() {
        let length = u32::from_le_bytes(reader.array()?) as usize;
        if length > TOC_BYTES {
            return Err("says that a table is longer than a table can be".into());
        }
        tocs.push(Toc::decode(reader.take(length)?)?);
    }
    Ok(tocs)
}

/// Where a blob lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The pack.
    pub pack: Digest,
    /// The bytes of the pack.
    pub range: Range<u64>,
}

/// Blobs that can be found, and where. The first place given for a blob is kept.
#[derive(Debug, Default)]
pub struct Catalogue {
    packs: Vec<(Digest, Toc)>,
    known: HashMap<Digest, u32, BuildHasherDefault<FirstBytes>>,
    places: HashMap<Digest, (u32, u32, u64), BuildHasherDefault<FirstBytes>>,
}

impl Catalogue {
    /// Adds the blobs of a pack.
    pub fn add(&mut self, toc: Toc) {
        let id = toc.id();
        let number = self.packs.len() as u32;
        if self.known.contains_key(&id) {
            return;
        }
        self.known.insert(id, number);
        self.places.reserve(toc.blobs.len());
        for (digest, range) in toc.places() {
            self.places.entry(digest).or_insert((number, (range.end - range.start) as u32, range.start));
        }
        self.packs.push((id, toc));
    }

    /// Whether a blob can be found.
    #[must_use]
    pub fn has(&self, blob: &Digest) -> bool {
        self.places.contains_key(blob)
    }

    /// Where a blob lies.
    #[must_use]
    pub fn place(&self, blob: &Digest) -> Option<Place> {
        let (number, length, start) = self.places.get(blob)?;
        let pack = self.packs[*number as usize].0;
        Some(Place { pack, range: *start..*start + u64::from(*length) })
    }

    /// The packs, in the order in which they were added.
    pub fn packs(&self) -> impl Iterator<Item = &(Digest, Toc)> {
        self.packs.iter()
    }

    /// The table of contents of a pack that holds this blob.
    #[must_use]
    pub fn pack_of(&self, blob: &Digest) -> Option<&(Digest, Toc)> {
        self.places.get(blob).map(|(number, ..)| &self.packs[*number as usize])
    }

    /// The table of contents of a pack.
    #[must_use]
    pub fn packs_by_id(&self, pack: &Digest) -> Option<&Toc> {
        self.known.get(pack).map(|number| &self.packs[*number as usize].1)
    }
}

/// A hash is as good a number as one can make of it: its first eight bytes will do.
#[derive(Default)]
struct FirstBytes(u64);

impl Hasher for FirstBytes {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        if let Some(first) = bytes.first_chunk() {
            self.0 = u64::from_le_bytes(*first);
        }
    }

    /// The length that precedes an array says nothing.
    fn write_usize(&mut self, _: usize) {}
}

#[cfg(test)]
mod tests {
    use super::super::pack::{Kind, build_pack};
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_blob_is_found_where_it_was_first_put() {
        let (one, _) = build_pack(Kind::Data, &[b"a", b"bb"]);
        let (two, _) = build_pack(Kind::Data, &[b"bb", b"ccc"]);
        let index = encode_index(&[&one, &two]);
        let mut catalogue = Catalogue::default();
        for toc in decode_index(&index).expect("our own") {
            catalogue.add(toc);
        }
        assert_eq!(catalogue.place(&Digest::of(b"bb")), Some(Place { pack: one.id(), range: 1..3 }));
        assert_eq!(catalogue.place(&Digest::of(b"ccc")), Some(Place { pack: two.id(), range: 2..5 }));
        assert_eq!(catalogue.place(&Digest::of(b"d")), None);
        assert_eq!(catalogue.packs().count(), 2);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode_index(&bytes);
            let _ = decode_index(&[MAGIC.as_slice(), &bytes].concat());
        }
    }
}
