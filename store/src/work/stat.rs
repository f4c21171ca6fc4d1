//! Hashes of files by size and times, so that what has not changed is not read again.
//!
//! A file may be written twice within one tick of the file system's clock: a stamp is believed only when it was older than the
//! tick in which it was taken, by that same clock.
//!
//! Where the folder was last recorded whole, its snapshot's tree is named too, and every entry says whether it still is what that
//! tree holds: the next snapshot is then made from the differences alone. An entry is found by its folder, so that folders can be
//! compared side by side and those without changes are copied as they stand.

use super::stamp::Stamp;
use super::state::FOLDER;
use crate::Digest;
use crate::snapshot::{Files, Node};
use shared::failure::Failure;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::fs;
use std::ops::Range;
use std::path::Path;

const MAGIC: &[u8; 8] = b"EPSTAT2\n";

/// File systems with nanoseconds tick with the kernel: 10 ms at most; five times that.
const TICK_NS: i64 = 50_000_000;
/// Those without tick every one or two seconds.
const COARSE_TICK_NS: i64 = 2_000_000_000;

/// A file's stamp and hashes when it was last read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) stamp: Stamp,
    pub(super) pieces: Vec<Digest>,
}

/// Files by path.
pub(super) type Stats = HashMap<String, Known>;

/// Whether a stamp taken now could hide a later change. `now_ns` is [`clock`]'s.
pub(super) fn settled(stamp: &Stamp, now_ns: i64) -> bool {
    let newest = stamp.modified_ns.max(stamp.changed_ns);
    let tick = if stamp.changed_ns % 1_000_000_000 == 0 { COARSE_TICK_NS } else { TICK_NS };
    newest < now_ns.saturating_sub(tick)
}

/// The time by the folder's file system, which need not be this machine's.
pub(super) fn clock(root: &Path) -> Result<i64, Failure> {
    let path = root.join(FOLDER).join("clock");
    fs::write(&path, b"x").map_err(|e| Failure::io(&path, "write", &e))?;
    let metadata = fs::metadata(&path).map_err(|e| Failure::io(&path, "read", &e))?;
    Ok(Stamp::of(&metadata).changed_ns)
}

const EXECUTABLE: u8 = 1;
/// The stamp may be believed.
const SETTLED: u8 = 2;
/// It is not known to be what the tree holds.
const DIRTY: u8 = 4;
const LINK: u8 = 8;
/// It is no longer there, but the tree may hold it.
const GONE: u8 = 16;

/// What is remembered of a name in a folder.
#[derive(Debug, Clone, Copy)]
pub(super) struct Entry<'a> {
    pub(super) name: &'a str,
    flags: u8,
    stamp: Stamp,
    /// A file's hashes one after the other, a link's target.
    content: &'a [u8],
}

impl<'a> Entry<'a> {
    /// Whether it is what the tree holds.
    pub(super) fn clean(&self) -> bool {
        self.flags & DIRTY == 0
    }

    pub(super) fn gone(&self) -> bool {
        self.flags & GONE != 0
    }

    /// Whether a file with this stamp is the one that was read.
    pub(super) fn is_file(&self, stamp: &Stamp) -> bool {
        self.flags & SETTLED != 0 && self.stamp == *stamp
    }

    pub(super) fn is_link(&self, target: &str) -> bool {
        self.flags & LINK != 0 && self.content == target.as_bytes()
    }

    fn pieces(&self) -> Vec<Digest> {
        self.content.as_chunks().0.iter().map(|bytes| Digest::from_bytes(*bytes)).collect()
    }

    /// The hashes of a file whose stamp may be believed.
    pub(super) fn known(&self) -> Option<Known> {
        (self.flags & SETTLED != 0).then(|| Known { stamp: self.stamp, pieces: self.pieces() })
    }

    pub(super) fn node(&self) -> Option<Node> {
        if self.gone() {
            None
        } else if self.flags & LINK != 0 {
            Some(Node::Link { target: String::from_utf8_lossy(self.content).into_owned() })
        } else {
            let Stamp { size, executable, .. } = self.stamp;
            Some(Node::File { size, executable, pieces: self.pieces() })
        }
    }

    fn take(bytes: &mut &'a [u8]) -> Option<Self> {
        let mut take = |count: usize| {
            let (taken, left) = bytes.split_at_checked(count)?;
            *bytes = left;
            Some(taken)
        };
        let length = u16::from_le_bytes(take(2)?.try_into().ok()?);
        let name = std::str::from_utf8(take(length.into())?).ok()?;
        let flags = take(1)?[0];
        let mut number = || take(8).and_then(|bytes| bytes.try_into().ok()).map(u64::from_le_bytes);
        let (size, modified, changed, inode) = (number()?, number()?, number()?, number()?);
        let length = u32::from_le_bytes(take(4)?.try_into().ok()?);
        let content = take(length as usize)?;
        let executable = flags & EXECUTABLE != 0;
        let stamp = Stamp { size, modified_ns: modified as i64, changed_ns: changed as i64, inode, executable };
        Some(Self { name, flags, stamp, content })
    }

    fn put(&self, out: &mut Vec<u8>) {
        out.extend((self.name.len() as u16).to_le_bytes());
        out.extend(self.name.as_bytes());
        out.push(self.flags);
        let Stamp { size, modified_ns, changed_ns, inode, .. } = self.stamp;
        for number in [size, modified_ns as u64, changed_ns as u64, inode] {
            out.extend(number.to_le_bytes());
        }
        out.extend((self.content.len() as u32).to_le_bytes());
        out.extend(self.content);
    }
}

/// The file, read: entries by folder, a folder by its path with a slash behind it, the root by nothing.
#[derive(Debug, Default)]
pub(super) struct Cache {
    bytes: Vec<u8>,
    /// The tree that clean entries are of.
    pub(super) tree: Option<Digest>,
    folders: HashMap<String, Range<usize>>,
}

impl Cache {
    /// Reads the file; one that is missing, torn or of another version knows nothing.
    pub(super) fn read(root: &Path) -> Self {
        let content = fs::read(root.join(FOLDER).join("stat")).unwrap_or_default();
        Self::parse(content).unwrap_or_default()
    }

    fn parse(bytes: Vec<u8>) -> Option<Self> {
        let end = bytes.len().checked_sub(32)?;
        if Digest::of(&bytes[..end]).as_bytes() != &bytes[end..] || !bytes.starts_with(MAGIC) {
            return None;
        }
        let mut at = MAGIC.len();
        let mut take = |count: usize| {
            let taken = bytes.get(at..at.checked_add(count)?).filter(|_| at + count <= end)?;
            at += count;
            Some((taken, at - count))
        };
        let tree = match take(1)?.0[0] {
            0 => None,
            _ => Some(Digest::from_bytes(take(32)?.0.try_into().ok()?)),
        };
        let mut folders = HashMap::new();
        while let Some((length, _)) = take(2) {
            let (name, _) = take(u16::from_le_bytes(length.try_into().ok()?).into())?;
            let name = std::str::from_utf8(name).ok()?.to_owned();
            let length = u32::from_le_bytes(take(4)?.0.try_into().ok()?) as usize;
            let (_, start) = take(length)?;
            folders.insert(name, start..start + length);
        }
        if at != end {
            return None;
        }
        let cache = Self { tree, folders, bytes };
        Some(cache)
    }

    /// Paths of folders that have entries.
    pub(super) fn folders(&self) -> impl Iterator<Item = &str> {
        self.folders.keys().map(String::as_str)
    }

    /// What is remembered of a folder, sorted by name.
    pub(super) fn folder(&self, prefix: &str) -> Vec<Entry<'_>> {
        let mut bytes = self.folders.get(prefix).map_or(&[][..], |range| &self.bytes[range.clone()]);
        let mut entries = Vec::with_capacity(bytes.len() / 80);
        while let Some(entry) = Entry::take(&mut bytes) {
            entries.push(entry);
        }
        entries
    }

    fn entries(&self) -> impl Iterator<Item = (String, Entry<'_>)> {
        self.folders().flat_map(|prefix| {
            self.folder(prefix).into_iter().map(move |entry| (format!("{prefix}{}", entry.name), entry))
        })
    }

    /// Every file whose stamp may be believed.
    pub(super) fn stats(&self) -> Stats {
        self.entries().filter_map(|(path, entry)| Some((path, entry.known()?))).collect()
    }
}

fn split(path: &str) -> (&str, &str) {
    path.rfind('/').map_or(("", path), |at| path.split_at(at + 1))
}

/// An entry that owns nothing but a file's hashes, written.
fn put(out: &mut Vec<u8>, name: &str, node: &Node, stamp: Option<&Stamp>, now_ns: i64, dirty: bool) {
    let dirty = if dirty { DIRTY } else { 0 };
    let nothing = Stamp { size: 0, modified_ns: 0, changed_ns: 0, inode: 0, executable: false };
    match node {
        Node::Link { target } => {
            Entry { name, flags: LINK | dirty, stamp: nothing, content: target.as_bytes() }.put(out);
        }
        Node::File { size, executable, pieces } => {
            let believed = stamp.is_some_and(|stamp| settled(stamp, now_ns));
            let stamp = Stamp { size: *size, executable: *executable, ..*stamp.unwrap_or(&nothing) };
            let flags = dirty | if believed { SETTLED } else { 0 } | if *executable { EXECUTABLE } else { 0 };
            let content: Vec<u8> = pieces.iter().flat_map(Digest::as_bytes).copied().collect();
            Entry { name, flags, stamp, content: &content }.put(out);
        }
    }
}

fn put_gone(out: &mut Vec<u8>, name: &str) {
    let stamp = Stamp { size: 0, modified_ns: 0, changed_ns: 0, inode: 0, executable: false };
    Entry { name, flags: GONE | DIRTY, stamp, content: &[] }.put(out);
}

fn render<'a>(tree: Option<Digest>, folders: impl Iterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut out = MAGIC.to_vec();
    out.push(tree.is_some().into());
    tree.iter().for_each(|tree| out.extend(tree.as_bytes()));
    for (name, entries) in folders.filter(|(_, entries)| !entries.is_empty()) {
        // What is too long to be written is not remembered.
        let (Ok(name_bytes), Ok(length)) = (u16::try_from(name.len()), u32::try_from(entries.len())) else { continue };
        out.extend(name_bytes.to_le_bytes());
        out.extend(name.as_bytes());
        out.extend(length.to_le_bytes());
        out.extend(entries);
    }
    let sum = Digest::of(&out);
    out.extend(sum.as_bytes());
    out
}

fn save(root: &Path, content: &[u8]) -> Result<(), Failure> {
    // One that is torn knows nothing, by its checksum: it need not be on the disk, nor be written in one piece.
    let path = root.join(FOLDER).join("stat");
    fs::write(&path, content).map_err(|e| Failure::io(&path, "write", &e))
}

/// Writes what the folder holds. With a tree it is what that tree holds; without one, what is written down of the tree that
/// `before` was of stays true.
pub(super) fn write(
    root: &Path,
    before: &Cache,
    files: &Files,
    stats: &Stats,
    now_ns: i64,
    tree: Option<Digest>,
) -> Result<(), Failure> {
    let since = if tree.is_none() && before.tree.is_some() { Some(before) } else { None };
    let mut folders: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut old: HashMap<String, Entry<'_>> = since.map(|before| before.entries().collect()).unwrap_or_default();
    for (path, node) in files {
        let (prefix, name) = split(path);
        let same = old.remove(path).is_some_and(|entry| entry.clean() && entry.node().as_ref() == Some(node));
        let stamp = stats.get(path).map(|known| &known.stamp);
        put(folders.entry(prefix).or_default(), name, node, stamp, now_ns, since.is_some() && !same);
    }
    let gone: BTreeMap<&str, Vec<&str>> = old.keys().fold(BTreeMap::new(), |mut gone, path| {
        let (prefix, name) = split(path);
        gone.entry(prefix).or_insert_with(Vec::new).push(name);
        gone
    });
    for (prefix, names) in gone {
        let out = folders.entry(prefix).or_default();
        names.into_iter().for_each(|name| put_gone(out, name));
        *out = sorted(out);
    }
    let tree = tree.or(before.tree);
    save(root, &render(tree, folders.iter().map(|(name, entries)| (*name, entries.as_slice()))))
}

fn sorted(entries: &[u8]) -> Vec<u8> {
    let (mut rest, mut read) = (entries, Vec::new());
    while let Some(entry) = Entry::take(&mut rest) {
        read.push(entry);
    }
    read.sort_unstable_by_key(|entry| entry.name);
    let mut out = Vec::with_capacity(entries.len());
    read.iter().for_each(|entry| entry.put(&mut out));
    out
}

/// Writes what the folder holds where only some paths differ from what `before` says of them: `files` are there now, `gone` are
/// not. All of it is what `tree` holds.
pub(super) fn update(
    root: &Path,
    before: &Cache,
    files: &Files,
    stats: &Stats,
    gone: &[String],
    now_ns: i64,
    tree: Digest,
) -> Result<(), Failure> {
    let mut touched: BTreeMap<&str, (Vec<u8>, HashSet<&str>)> = BTreeMap::new();
    for (path, node) in files {
        let (prefix, name) = split(path);
        let (out, names) = touched.entry(prefix).or_default();
        put(out, name, node, stats.get(path).map(|known| &known.stamp), now_ns, false);
        names.insert(name);
    }
    for path in gone {
        let (prefix, name) = split(path);
        touched.entry(prefix).or_default().1.insert(name);
    }
    for (prefix, (out, names)) in &mut touched {
        for entry in before.folder(prefix) {
            if !names.contains(entry.name) && !entry.gone() {
                entry.put(out);
            }
        }
        *out = sorted(out);
    }
    let kept = before.folders.iter().filter(|(prefix, _)| !touched.contains_key(prefix.as_str()));
    let kept = kept.map(|(prefix, range)| (prefix.as_str(), &before.bytes[range.clone()]));
    let new = touched.iter().map(|(prefix, (out, _))| (*prefix, out.as_slice()));
    save(root, &render(Some(tree), kept.chain(new)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stamp(changed_ns: i64) -> Stamp {
        Stamp { size: 3, modified_ns: changed_ns, changed_ns, inode: 7, executable: true }
    }

    fn file(pieces: &[Digest]) -> Node {
        Node::File { size: 3, executable: true, pieces: pieces.to_vec() }
    }

    #[test]
    fn a_stamp_as_young_as_the_tick_is_not_believed() {
        let now = 1_000_000_000_500_000_000;
        assert!(!settled(&stamp(now), now));
        assert!(!settled(&stamp(now - 20_000_000), now));
        assert!(settled(&stamp(now - 100_000_001), now));
        let coarse = now / 1_000_000_000 * 1_000_000_000;
        assert!(!settled(&stamp(coarse), now + 1_000_000_000));
        assert!(settled(&stamp(coarse), now + 2_500_000_000));
    }

    /// A folder with two files, a link and a young file, written whole.
    fn folder() -> (tempfile::TempDir, Files, Stats, i64) {
        let root = tempfile::tempdir().expect("temporary folder");
        fs::create_dir(root.path().join(FOLDER)).expect("created");
        let now = 1_000_000_000_500_000_000;
        let pieces = [Digest::of(b"a"), Digest::of(b"b")];
        let files = Files::from([
            ("a/b".to_owned(), file(&pieces)),
            ("a/l".to_owned(), Node::Link { target: "b".into() }),
            ("c".to_owned(), file(&[])),
            ("young".to_owned(), file(&pieces[..1])),
        ]);
        let known = |at, pieces: &[Digest]| Known { stamp: stamp(at), pieces: pieces.to_vec() };
        let stats = [("a/b", known(5, &pieces)), ("c", known(6, &[])), ("young", known(now - 1, &pieces[..1]))]
            .map(|(p, k)| (p.to_owned(), k));
        (root, files, Stats::from(stats), now)
    }

    fn names<'a>(entries: &[Entry<'a>]) -> Vec<(&'a str, bool, bool)> {
        entries.iter().map(|entry| (entry.name, entry.clean(), entry.gone())).collect()
    }

    #[test]
    fn what_is_written_is_read_and_what_is_torn_is_nothing() {
        let (root, files, stats, now) = folder();
        let tree = Digest::of(b"tree");
        write(root.path(), &Cache::default(), &files, &stats, now, Some(tree)).expect("written");
        let read = Cache::read(root.path());
        assert_eq!(read.tree, Some(tree));
        let mut believed = stats.clone();
        believed.remove("young");
        assert_eq!(read.stats(), believed);
        let nodes: Files = read.entries().filter_map(|(path, entry)| Some((path, entry.node()?))).collect();
        assert_eq!(nodes, files);
        assert!(!read.folder("")[1].is_file(&stamp(now - 1)), "too young to be believed");
        assert!(read.folder("a/")[0].is_file(&stamp(5)) && read.folder("a/")[1].is_link("b"));
        let bytes = fs::read(root.path().join(FOLDER).join("stat")).expect("read");
        for cut in 0..bytes.len() {
            assert!(Cache::parse(bytes[..cut].to_vec()).is_none(), "cut at {cut}");
        }
    }

    #[test]
    fn what_differs_from_the_tree_is_remembered_until_it_is_recorded() {
        let (root, mut files, mut stats, now) = folder();
        let tree = Digest::of(b"tree");
        write(root.path(), &Cache::default(), &files, &stats, now, Some(tree)).expect("written");
        // Somebody only looks: `c` has gone, `a/b` has changed, `a/new` has come.
        let changed = Known { stamp: stamp(9), pieces: vec![Digest::of(b"z")] };
        files.remove("c");
        for path in ["a/b", "a/new"] {
            files.insert(path.into(), file(&changed.pieces));
            stats.insert(path.into(), changed.clone());
        }
        write(root.path(), &Cache::read(root.path()), &files, &stats, now, None).expect("written");
        let cache = Cache::read(root.path());
        assert_eq!(cache.tree, Some(tree));
        assert_eq!(names(&cache.folder("a/")), [("b", false, false), ("l", true, false), ("new", false, false)]);
        assert_eq!(names(&cache.folder("")), [("c", false, true), ("young", true, false)]);
        // Now it is recorded.
        let recorded: Files =
            files.iter().filter(|(path, _)| path.as_str() != "a/l").map(|(p, n)| (p.clone(), n.clone())).collect();
        let next = Digest::of(b"next");
        update(root.path(), &cache, &recorded, &stats, &["c".into()], now, next).expect("written");
        let cache = Cache::read(root.path());
        assert_eq!(cache.tree, Some(next));
        assert_eq!(names(&cache.folder("a/")), [("b", true, false), ("l", true, false), ("new", true, false)]);
        assert_eq!(names(&cache.folder("")), [("young", true, false)]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            let mut whole = [MAGIC.as_slice(), &bytes].concat();
            let sum = Digest::of(&whole);
            whole.extend(sum.as_bytes());
            if let Some(cache) = Cache::parse(whole) {
                let _ = cache.stats();
            }
        }
    }
}
