//! Folders' lists: their binary form, which is the same for the same content.

use super::name::{check_link, check_name, clash};
use crate::Digest;

/// Bytes of a piece. Large files are cut into pieces, each a blob of its own: an interrupted transfer resumes at a piece, and
/// damage is located to a piece.
pub const CHUNK: u64 = 8 << 20;

/// What a list begins with.
const MAGIC: &[u8; 8] = b"EPTREE1\n";

/// What lies under a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Node {
    /// A file.
    File {
        /// Its size, bytes.
        size: u64,
        /// Whether its owner may execute it.
        executable: bool,
        /// The hashes of its pieces of [`CHUNK`] bytes, the last of which is shorter; none of an empty file.
        pieces: Vec<Digest>,
    },
    /// A symbolic link within the snapshot.
    Link {
        /// Where it leads, as written.
        target: String,
    },
}

/// An entry of a folder's list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Item {
    /// A file or link.
    Node(Node),
    /// A folder, by the hash of its list.
    Folder(Digest),
    /// A further part of this list, by its hash: a list of many entries is cut where names' hashes say, so that a change to
    /// one entry changes one part. Its name is the last one in it.
    Part(Digest),
}

const FOLDER: u8 = 0;
const FILE: u8 = 1;
const EXECUTABLE: u8 = 2;
const LINK: u8 = 3;
const PART: u8 = 4;

/// Writes a list whose entries are sorted by name.
#[must_use]
pub fn encode_tree(entries: &[(&str, Item)]) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    for (name, item) in entries {
        let kind = match item {
            Item::Folder(_) => FOLDER,
            Item::Part(_) => PART,
            Item::Node(Node::File { executable: false, .. }) => FILE,
            Item::Node(Node::File { .. }) => EXECUTABLE,
            Item::Node(Node::Link { .. }) => LINK,
        };
        out.push(kind);
        out.extend((name.len() as u16).to_le_bytes());
        out.extend(name.as_bytes());
        match item {
            Item::Folder(digest) | Item::Part(digest) => out.extend(digest.as_bytes()),
            Item::Node(Node::File { size, pieces, .. }) => {
                out.extend(size.to_le_bytes());
                pieces.iter().for_each(|piece| out.extend(piece.as_bytes()));
            }
            Item::Node(Node::Link { target }) => {
                out.extend((target.len() as u16).to_le_bytes());
                out.extend(target.as_bytes());
            }
        }
    }
    out
}

/// Reads a list, `depth` folders deep, from untrusted bytes.
///
/// # Errors
/// What is wrong with it: nothing that [`encode_tree`] would not have written, no name that could leave the folder, and no
/// two names that are one on some file system come through.
pub fn decode_tree(bytes: &[u8], depth: usize) -> Result<Vec<(String, Item)>, String> {
    let mut reader = Reader { bytes };
    if reader.take(8)? != MAGIC {
        return Err("is no folder's list".into());
    }
    let mut entries: Vec<(String, Item)> = Vec::new();
    while !reader.bytes.is_empty() {
        let kind = reader.take(1)?[0];
        let name = reader.text()?;
        check_name(&name).map_err(|why| format!("the name `{}` {why}", shared::failure::printable(&name)))?;
        if entries.last().is_some_and(|(last, _)| *last >= name) {
            return Err(format!("`{name}` is out of order"));
        }
        let item = match kind {
            FOLDER => Item::Folder(reader.digest()?),
            PART => Item::Part(reader.digest()?),
            FILE | EXECUTABLE => {
                let size = u64::from_le_bytes(reader.array()?);
                let count = size.div_ceil(CHUNK);
                if count > (reader.bytes.len() / 32) as u64 {
                    return Err("ends early".into());
                }
                let pieces = (0..count).map(|_| reader.digest()).collect::<Result<_, _>>()?;
                Item::Node(Node::File { size, executable: kind == EXECUTABLE, pieces })
            }
            LINK => {
                let target = reader.text()?;
                check_link(&target, depth)
                    .map_err(|why| format!("`{name}`: `{}` {why}", shared::failure::printable(&target)))?;
                Item::Node(Node::Link { target })
            }
            _ => return Err(format!("`{name}` is of a kind that this version does not know")),
        };
        entries.push((name, item));
    }
    if let Some(name) = clash(entries.iter().map(|(name, _)| name.as_str())) {
        return Err(format!("`{name}` differs from another name only by case or Unicode spelling"));
    }
    Ok(entries)
}

/// Reads numbers, hashes and names off the front of bytes.
pub(crate) struct Reader<'a> {
    pub(crate) bytes: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], String> {
        let (taken, rest) = self.bytes.split_at_checked(count).ok_or("ends early")?;
        self.bytes = rest;
        Ok(taken)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], String> {
        self.take(N)?.try_into().map_err(|_| "ends early".into())
    }

    pub(crate) fn digest(&mut self) -> Result<Digest, String> {
        Ok(Digest::from_bytes(self.array()?))
    }

    pub(crate) fn text(&mut self) -> Result<String, String> {
        let length = u16::from_le_bytes(self.array()?);
        let bytes = self.take(length.into())?;
        std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| "holds a name that is no Unicode".into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn file(size: u64) -> Item {
        let pieces = (0..size.div_ceil(CHUNK)).map(|n| Digest::of(&n.to_le_bytes())).collect();
        Item::Node(Node::File { size, executable: size % 2 == 1, pieces })
    }

    #[test]
    fn hostile_lists_are_refused_with_the_reason() {
        let hostile = |entries: &[(&str, Item)]| decode_tree(&encode_tree(entries), 0).expect_err("refused");
        assert!(hostile(&[("..", file(1))]).contains("climb"));
        assert!(hostile(&[("a/b", file(1))]).contains("slash"));
        assert!(hostile(&[("a\u{7}", file(1))]).contains("control"));
        assert!(hostile(&[("A", file(1)), ("a", file(1))]).contains("case"));
        assert!(hostile(&[("b", file(1)), ("a", file(1))]).contains("order"));
        assert!(hostile(&[("a", Item::Node(Node::Link { target: "../x".into() }))]).contains("out of the folder"));
        let mut lies = encode_tree(&[("a", file(1))]);
        let size = lies.len() - 40;
        lies[size..size + 8].fill(0xff);
        assert_eq!(decode_tree(&lies, 0).expect_err("refused"), "ends early");
    }

    proptest! {
        #[test]
        fn a_list_is_read_as_it_was_written(names in proptest::collection::btree_set("[a-z0-9 ü]{1,12}", 0..40), size in 0..40_000_000_u64) {
            let entries: Vec<(&str, Item)> = names.iter().enumerate().map(|(n, name)| (name.as_str(), match n % 3 {
                0 => file(size + n as u64),
                1 => Item::Folder(Digest::of(name.as_bytes())),
                _ => Item::Node(Node::Link { target: format!("../{n}") }),
            })).collect();
            let read = decode_tree(&encode_tree(&entries), 1).expect("our own");
            prop_assert_eq!(read.iter().map(|(name, item)| (name.as_str(), item.clone())).collect::<Vec<_>>(), entries);
        }

        #[test]
        fn whatever_is_read_is_written_the_same(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let bytes = [MAGIC.as_slice(), &bytes].concat();
            if let Ok(entries) = decode_tree(&bytes, 3) {
                let borrowed: Vec<_> = entries.iter().map(|(name, item)| (name.as_str(), item.clone())).collect();
                prop_assert_eq!(encode_tree(&borrowed), bytes);
            }
        }
    }
}
