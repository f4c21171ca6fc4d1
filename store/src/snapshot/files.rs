//! A snapshot's files as one sorted map: made into folders' lists, read back, compared and merged.

use super::index::Catalogue;
use super::name::{DEPTH, check_link, check_name, clash};
use super::objects::Objects;
use super::tree::{Item, Node, decode_tree, encode_tree};
use crate::{Digest, Error, Key};
use std::collections::BTreeMap;

/// Every file and link of a snapshot by its path, segments joined by `/`. Folders have no entry of their own.
pub type Files = BTreeMap<String, Node>;

/// A list of more entries is cut into parts.
const LIST_ENTRIES: usize = 1024;

/// Most files and folders in a snapshot.
const ENTRIES: usize = 5_000_000;

/// The hash of the root's list, and every list with its hash.
///
/// # Errors
/// The path and what is wrong with it: a bad name, a name that clashes with another, a link that leads out.
pub fn tree_of(files: &Files) -> Result<(Digest, BTreeMap<Digest, Vec<u8>>), String> {
    let entries: Vec<(&str, &Node)> = files.iter().map(|(path, node)| (path.as_str(), node)).collect();
    let mut lists = BTreeMap::new();
    let root = folder(&entries, 0, 0, &mut lists)?;
    Ok((root, lists))
}

fn folder(
    entries: &[(&str, &Node)],
    cut: usize,
    depth: usize,
    lists: &mut BTreeMap<Digest, Vec<u8>>,
) -> Result<Digest, String> {
    let shown = |name: &str| format!("`{}`", shared::failure::printable(name));
    let here = entries.first().map_or("", |(path, _)| &path[..cut]);
    if depth > DEPTH {
        return Err(format!("{} lies more than {DEPTH} folders deep", shown(here)));
    }
    let mut items: Vec<(&str, Item)> = Vec::new();
    let mut rest = entries;
    while let Some((path, node)) = rest.first() {
        let below = &path[cut..];
        let (name, item) = match below.split_once('/') {
            None => {
                rest = &rest[1..];
                (below, Item::Node((*node).clone()))
            }
            Some((name, _)) => {
                // Paths below one folder stand together, since they begin alike.
                let start = cut + name.len() + 1;
                let count = rest.partition_point(|(other, _)| other.starts_with(&path[..start]));
                let (inside, others) = rest.split_at(count.max(1));
                rest = others;
                (name, Item::Folder(folder(inside, start, depth + 1, lists)?))
            }
        };
        check_name(name).map_err(|why| format!("{} {why}", shown(path)))?;
        if let Item::Node(Node::Link { target }) = &item {
            check_link(target, depth)
                .map_err(|why| format!("{} is a link whose target {} {why}", shown(path), shown(target)))?;
        }
        items.push((name, item));
    }
    // By name a folder's place is another than by path, where a slash follows.
    items.sort_unstable_by_key(|(name, _)| *name);
    put_list(here, items, lists)
}

/// Puts a folder's list, whose items are sorted by name, among the lists; its hash.
///
/// # Errors
/// Names that clash, with the folder `here` in front.
pub(super) fn put_list(
    here: &str,
    mut items: Vec<(&str, Item)>,
    lists: &mut BTreeMap<Digest, Vec<u8>>,
) -> Result<Digest, String> {
    let twice = items.windows(2).find(|pair| pair[0].0 == pair[1].0).map(|pair| pair[0].0);
    if let Some(name) = twice.or_else(|| clash(items.iter().map(|(name, _)| *name))) {
        let name = shared::failure::printable(&format!("{here}{name}"));
        return Err(format!("`{name}` is another name's equal but for case or Unicode spelling"));
    }
    let mut store = |items: &[(&str, Item)]| {
        let list = encode_tree(items);
        let digest = Digest::of(&list);
        lists.insert(digest, list);
        digest
    };
    if items.len() > LIST_ENTRIES {
        items = items
            .chunk_by(|(name, _), _| !ends_part(name))
            .map(|part| (part.last().map_or("", |(name, _)| *name), Item::Part(store(part))))
            .collect();
    }
    Ok(store(&items))
}

/// Whether a part ends after this name: one name in 512, whatever stands around it (FNV-1a).
fn ends_part(name: &str) -> bool {
    let hash = name
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3));
    hash >> 55 == 0
}

/// Reads the files below a root's list.
///
/// # Errors
/// As [`Objects::lists`]; [`Error::Content`] for lists that this program would not have written.
pub async fn read_files(objects: &Objects, catalogue: &Catalogue, root: Digest) -> Result<Files, Error> {
    let refuse = |digest: Digest, reason: String| match Key::new(format!("lists/{digest}")) {
        Ok(key) => Error::Content { store: objects.store().name().into(), key, reason },
        Err(e) => e.into(),
    };
    let mut files = Files::new();
    let (mut level, mut seen, mut parts) = (vec![(String::new(), 0, root)], 0, false);
    while !level.is_empty() {
        let mut wanted: Vec<Digest> = level.iter().map(|(_, _, digest)| *digest).collect();
        wanted.sort_unstable();
        wanted.dedup();
        let lists = objects.lists(catalogue, &wanted).await?;
        let mut next = Vec::new();
        for (prefix, depth, digest) in level {
            let list = lists.get(&digest).map_or(&[][..], |list| list);
            let entries = decode_tree(list, depth).map_err(|reason| refuse(digest, reason))?;
            seen += entries.len();
            if seen > ENTRIES || depth > DEPTH {
                return Err(refuse(root, format!("has more than {ENTRIES} entries, or folders over {DEPTH} deep")));
            }
            for (name, item) in entries {
                match item {
                    Item::Node(node) => drop(files.insert(format!("{prefix}{name}"), node)),
                    Item::Folder(below) => next.push((format!("{prefix}{name}/"), depth + 1, below)),
                    Item::Part(part) => {
                        parts = true;
                        next.push((prefix.clone(), depth, part));
                    }
                }
            }
        }
        level = next;
    }
    // Within one list names were compared. Of parts that were joined, that no name clashes with one of another part or stands
    // twice shows when the lists are made again and come out the same.
    match parts.then(|| tree_of(&files)) {
        None => Ok(files),
        Some(Ok((again, _))) if again == root => Ok(files),
        Some(Ok(_)) => Err(refuse(root, "is not what its files make".into())),
        Some(Err(reason)) => Err(refuse(root, reason)),
    }
}

/// How a path differs between two snapshots.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// It is only in the second.
    Added,
    /// It is only in the first.
    Removed,
    /// It is in both and differs.
    Modified,
}

/// A path that differs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The path.
    pub path: String,
    /// How.
    pub change: Change,
    /// Its size in the first, bytes.
    pub before_bytes: Option<u64>,
    /// Its size in the second, bytes.
    pub after_bytes: Option<u64>,
}

fn size(node: &Node) -> u64 {
    match node {
        Node::File { size, .. } => *size,
        Node::Link { .. } => 0,
    }
}

/// What differs between two snapshots, by path.
///
/// ```
/// use store::Digest;
/// use store::snapshot::{Change, Files, Node, diff};
///
/// let file = |content: &[u8]| Node::File {
///     size: content.len() as u64,
///     executable: false,
///     pieces: vec![Digest::of(content)],
/// };
/// let before = Files::from([("a.csv".to_owned(), file(b"1"))]);
/// let after = Files::from([("a.csv".to_owned(), file(b"2")), ("b.csv".to_owned(), file(b"3"))]);
/// let changes: Vec<Change> = diff(&before, &after).iter().map(|difference| difference.change).collect();
/// assert_eq!(changes, [Change::Modified, Change::Added]);
/// ```
#[must_use]
pub fn diff(before: &Files, after: &Files) -> Vec<Difference> {
    let gone = before.keys().filter(|path| !after.contains_key(*path));
    let mut paths: Vec<&String> =
        after.iter().filter(|(path, node)| before.get(*path) != Some(node)).map(|(path, _)| path).collect();
    paths.extend(gone);
    paths.sort_unstable();
    paths
        .into_iter()
        .map(|path| {
            let (old, new) = (before.get(path), after.get(path));
            let change = match (old, new) {
                (None, _) => Change::Added,
                (_, None) => Change::Removed,
                _ => Change::Modified,
            };
            Difference { path: path.clone(), change, before_bytes: old.map(size), after_bytes: new.map(size) }
        })
        .collect()
}

/// A path that both sides changed, each in its way.
pub type Conflict = String;

/// Three-way merge: what either side changed since `base`.
///
/// # Errors
/// The paths that both changed differently. With `theirs_win` there are none but those that cannot stand side by side.
pub fn merge(base: &Files, ours: &Files, theirs: &Files, theirs_win: bool) -> Result<Files, Vec<Conflict>> {
    let (mut merged, mut conflicts) = (theirs.clone(), Vec::new());
    for difference in diff(base, ours) {
        let path = &difference.path;
        let (old, new, other) = (base.get(path), ours.get(path), theirs.get(path));
        if other == new {
            continue;
        }
        if other != old {
            if !theirs_win {
                conflicts.push(path.clone());
            }
            continue;
        }
        match new {
            Some(node) => drop(merged.insert(path.clone(), node.clone())),
            None => drop(merged.remove(path)),
        }
    }
    if !conflicts.is_empty() {
        return Err(conflicts);
    }
    match tree_of(&merged) {
        Ok(_) => Ok(merged),
        Err(why) => Err(vec![why]),
    }
}

#[cfg(test)]
mod tests {
    use super::super::pack::{Kind, build_pack};
    use super::*;
    use crate::Store;
    use proptest::prelude::*;

    fn file(content: &str) -> Node {
        let pieces = if content.is_empty() { vec![] } else { vec![Digest::of(content.as_bytes())] };
        Node::File { size: content.len() as u64, executable: false, pieces }
    }

    fn files(pairs: &[(&str, &str)]) -> Files {
        pairs.iter().map(|(path, content)| ((*path).to_owned(), file(content))).collect()
    }

    fn round_trip(files: &Files) -> Result<Files, String> {
        let folder = tempfile::tempdir().expect("temporary folder");
        let (root, lists) = tree_of(files)?;
        let blobs: Vec<&[u8]> = lists.values().map(Vec::as_slice).collect();
        let (toc, pack) = build_pack(Kind::Lists, &blobs);
        let objects = Objects::new(Store::memory(), folder.path());
        let mut catalogue = Catalogue::default();
        objects.keep("packs", &toc.id(), &pack);
        catalogue.add(toc);
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        Ok(runtime.block_on(read_files(&objects, &catalogue, root)).expect("our own"))
    }

    #[test]
    fn paths_that_sort_between_a_folder_and_its_files_are_kept_apart() {
        let files = files(&[("a.b", "1"), ("a/b", "2"), ("a/b.c", "3"), ("a/d/e", "4"), ("ab", ""), ("a-", "5")]);
        assert_eq!(round_trip(&files).as_ref(), Ok(&files));
        assert_eq!(round_trip(&Files::new()), Ok(Files::new()));
    }

    #[test]
    fn one_change_in_a_large_folder_changes_few_lists() {
        let mut files: Files = (0..20_000).map(|n| (format!("runs/sample-{n}.csv"), file(&n.to_string()))).collect();
        let (_, before) = tree_of(&files).expect("good names");
        assert!(before.len() > 20, "{}", before.len());
        files.insert("runs/sample-777.csv".into(), file("new"));
        let (_, after) = tree_of(&files).expect("good names");
        let new: Vec<_> = after.iter().filter(|(digest, _)| !before.contains_key(*digest)).collect();
        assert_eq!(new.len(), 3);
        assert!(
            new.iter().map(|(_, list)| list.len()).sum::<usize>() < after.values().map(Vec::len).sum::<usize>() / 4
        );
        assert_eq!(round_trip(&files).as_ref(), Ok(&files));
    }

    #[test]
    fn names_that_clash_or_leave_are_refused() {
        for bad in [
            &[("a", ""), ("A", "")][..],
            &[("a", ""), ("a/b", "")],
            &[("a/../b", "")],
            &[("x\u{1b}", "")],
            &[("a//b", "")],
            &[("B/c", ""), ("b/d", "")],
        ] {
            assert!(tree_of(&files(bad)).is_err(), "{bad:?}");
        }
        let link = Files::from([("a/l".to_owned(), Node::Link { target: "../../etc".into() })]);
        assert!(tree_of(&link).expect_err("refused").contains("leads out"));
    }

    #[test]
    fn a_merge_takes_both_sides_and_names_what_both_changed() {
        let base = files(&[("a", "1"), ("b", "1"), ("c", "1")]);
        let ours = files(&[("a", "2"), ("b", "1"), ("d", "1")]);
        let theirs = files(&[("a", "1"), ("b", "2"), ("c", "1"), ("e", "1")]);
        assert_eq!(merge(&base, &ours, &theirs, false), Ok(files(&[("a", "2"), ("b", "2"), ("d", "1"), ("e", "1")])));
        let other = files(&[("a", "3"), ("b", "1"), ("c", "1")]);
        assert_eq!(merge(&base, &ours, &other, false), Err(vec!["a".to_owned()]));
        assert_eq!(merge(&base, &ours, &other, true), Ok(files(&[("a", "3"), ("b", "1"), ("d", "1")])));
        assert!(merge(&base, &files(&[("x", "1")]), &files(&[("X", "1")]), false).is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(40))]
        #[test]
        fn files_are_read_as_they_were_written(paths in proptest::collection::btree_set("[a-d]{1,2}(/[a-d.]{1,3}x){0,3}", 0..60)) {
            let files: Files = paths.iter().map(|path| (path.clone(), file(path))).collect();
            // A name may be a file and a folder at once: refused, not mangled.
            if let Ok(read) = round_trip(&files) {
                prop_assert_eq!(read, files);
            }
        }

        #[test]
        fn a_merge_with_an_unchanged_side_is_the_other(a in proptest::collection::btree_map("[a-e]", "[0-2]", 0..6), b in proptest::collection::btree_map("[a-e]", "[0-2]", 0..6)) {
            let make = |map: &BTreeMap<String, String>| -> Files { map.iter().map(|(p, c)| (p.clone(), file(c))).collect() };
            let (a, b) = (make(&a), make(&b));
            prop_assert_eq!(merge(&a, &a, &b, false), Ok(b.clone()));
            prop_assert_eq!(merge(&a, &b, &a, false), Ok(b.clone()));
            prop_assert_eq!(merge(&a, &b, &b, false), Ok(b));
        }
    }
}
