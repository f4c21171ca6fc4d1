//! A tree made from another by what differs, and what one tree holds that another does not: only the folders on the way to a
//! difference are looked at.

use super::files::put_list;
use super::index::Catalogue;
use super::name::{DEPTH, check_link, check_name};
use super::objects::Objects;
use super::tree::{Item, Node, decode_tree};
use crate::{Digest, Error, Key};
use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::pin::Pin;

/// What becomes of paths: a file or link, or nothing.
pub type Delta = BTreeMap<String, Option<Node>>;

/// A tree that was made from another.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Patched {
    /// The hash of the root's list, none while no folder was changed.
    pub root: Option<Digest>,
    /// The lists that were made, by their hashes.
    pub lists: BTreeMap<Digest, Vec<u8>>,
    /// Files and links that came, less those that went.
    pub files: i64,
    /// Their size likewise, bytes.
    pub bytes: i64,
}

impl Patched {
    fn count(&mut self, node: &Node, sign: i64) {
        self.files += sign;
        if let Node::File { size, .. } = node {
            self.bytes += sign * i64::try_from(*size).unwrap_or(i64::MAX);
        }
    }
}

/// Makes the tree that [`tree_of`](super::tree_of) makes of `root`'s files with `delta` applied.
///
/// # Errors
/// As [`Objects::lists`]; [`Error::Content`] with the path and what is wrong with it, as for [`tree_of`](super::tree_of).
pub async fn patch(objects: &Objects, catalogue: &Catalogue, root: Digest, delta: &Delta) -> Result<Patched, Error> {
    let mut patched = Patched::default();
    let delta: Vec<(&str, Option<&Node>)> = delta.iter().map(|(path, node)| (path.as_str(), node.as_ref())).collect();
    let place = Place { objects, catalogue, root };
    let digest = match place.folder(Some(root), "", &delta, 0, &mut patched).await? {
        Some(digest) => digest,
        None => put_list("", vec![], &mut patched.lists).map_err(|why| place.refuse(why))?,
    };
    patched.root = Some(digest);
    Ok(patched)
}

/// Where the lists are.
#[derive(Clone, Copy)]
struct Place<'a> {
    objects: &'a Objects,
    catalogue: &'a Catalogue,
    root: Digest,
}

/// What a delta says of one name of a folder.
#[derive(Default)]
struct Named<'a> {
    /// Of the name itself.
    here: Option<Option<&'a Node>>,
    /// Of what lies below it.
    below: Vec<(&'a str, Option<&'a Node>)>,
}

impl<'a> Place<'a> {
    fn refuse(&self, reason: String) -> Error {
        match Key::new(format!("lists/{}", self.root)) {
            Ok(key) => Error::Content { store: self.objects.store().name().into(), key, reason },
            Err(e) => e.into(),
        }
    }

    /// The list of a folder with a delta applied, whose paths begin with `prefix`; none for a folder that holds nothing.
    fn folder<'f>(
        &'f self,
        list: Option<Digest>,
        prefix: &'f str,
        delta: &'f [(&'f str, Option<&'f Node>)],
        depth: usize,
        patched: &'f mut Patched,
    ) -> Pin<Box<dyn Future<Output = Result<Option<Digest>, Error>> + Send + 'f>> {
        Box::pin(async move {
            let shown = shared::failure::printable;
            if depth > DEPTH {
                return Err(self.refuse(format!("`{}` lies more than {DEPTH} folders deep", shown(prefix))));
            }
            let mut items = match list {
                Some(list) => items(self.objects, self.catalogue, list, depth).await?,
                None => BTreeMap::new(),
            };
            let mut names: BTreeMap<&str, Named<'_>> = BTreeMap::new();
            for (path, node) in delta {
                match path[prefix.len()..].split_once('/') {
                    None => names.entry(&path[prefix.len()..]).or_default().here = Some(*node),
                    Some((name, _)) => names.entry(name).or_default().below.push((path, *node)),
                }
            }
            for (name, Named { here, below }) in names {
                let path = format!("{prefix}{name}");
                check_name(name).map_err(|why| self.refuse(format!("`{}` {why}", shown(&path))))?;
                let before = items.remove(name);
                let mut inside = match before {
                    Some(Item::Folder(list)) => Some(list),
                    _ => None,
                };
                if !below.is_empty() {
                    inside = self.folder(inside, &format!("{path}/"), &below, depth + 1, patched).await?;
                }
                let old = match before {
                    Some(Item::Node(node)) => Some(node),
                    _ => None,
                };
                let node = match here {
                    None => old,
                    Some(new) => {
                        old.iter().for_each(|node| patched.count(node, -1));
                        new.iter().for_each(|node| patched.count(node, 1));
                        new.cloned()
                    }
                };
                if let Some(Node::Link { target }) = &node {
                    check_link(target, depth).map_err(|why| {
                        self.refuse(format!("`{}` is a link whose target `{}` {why}", shown(&path), shown(target)))
                    })?;
                }
                match (node, inside) {
                    (Some(_), Some(_)) => {
                        return Err(self.refuse(format!("`{}` is a file and a folder at once", shown(&path))));
                    }
                    (Some(node), None) => drop(items.insert(name.to_owned(), Item::Node(node))),
                    (None, Some(list)) => drop(items.insert(name.to_owned(), Item::Folder(list))),
                    (None, None) => {}
                }
            }
            if items.is_empty() {
                return Ok(None);
            }
            let items: Vec<(&str, Item)> = items.iter().map(|(name, item)| (name.as_str(), item.clone())).collect();
            put_list(prefix, items, &mut patched.lists).map(Some).map_err(|why| self.refuse(why))
        })
    }
}

/// A folder's items by name, parts joined.
///
/// # Errors
/// As [`Objects::lists`]; [`Error::Content`] for lists that this program would not have written.
pub(super) async fn items(
    objects: &Objects,
    catalogue: &Catalogue,
    list: Digest,
    depth: usize,
) -> Result<BTreeMap<String, Item>, Error> {
    let place = Place { objects, catalogue, root: list };
    let (mut items, mut seen, mut level) = (BTreeMap::new(), HashSet::new(), vec![list]);
    while !level.is_empty() {
        let lists = objects.lists(catalogue, &level).await?;
        let mut next = Vec::new();
        for digest in level {
            let list = lists.get(&digest).map_or(&[][..], |list| list);
            for (name, item) in decode_tree(list, depth).map_err(|why| place.refuse(why))? {
                match item {
                    Item::Part(part) if seen.insert(part) => next.push(part),
                    Item::Part(_) => return Err(place.refuse("names a part twice".into())),
                    item => drop(items.insert(name, item)),
                }
            }
        }
        level = next;
    }
    Ok(items)
}

/// Lists and pieces of files that the tree `new` has and `old` has not, where `old` is given; beside them some that both have, when
/// they lie in different places. Lists that both have are not read.
///
/// # Errors
/// As [`Objects::lists`]; [`Error::Content`] for lists that this program would not have written.
pub async fn added(
    objects: &Objects,
    catalogue: &Catalogue,
    old: Option<Digest>,
    new: Digest,
) -> Result<HashSet<Digest>, Error> {
    let place = Place { objects, catalogue, root: new };
    let (mut had, mut have) = (HashSet::new(), HashSet::from([new]));
    let mut level: [BTreeMap<Digest, usize>; 2] = [old.iter().map(|list| (*list, 0)).collect(), [(new, 0)].into()];
    had.extend(old);
    while !level[1].is_empty() {
        let shared: HashSet<Digest> = level[0].keys().filter(|list| level[1].contains_key(*list)).copied().collect();
        let mut next = [BTreeMap::new(), BTreeMap::new()];
        for (side, (lists, seen)) in level.iter_mut().zip([&mut had, &mut have]).enumerate() {
            lists.retain(|list, _| !shared.contains(list));
            let wanted: Vec<Digest> = lists.keys().copied().collect();
            let read = objects.lists(catalogue, &wanted).await?;
            for (digest, depth) in lists.iter() {
                let list = read.get(digest).map_or(&[][..], |list| list);
                if *depth > DEPTH {
                    return Err(place.refuse(format!("has folders over {DEPTH} deep")));
                }
                for (_, item) in decode_tree(list, *depth).map_err(|why| place.refuse(why))? {
                    let (list, depth) = match item {
                        Item::Folder(list) => (list, depth + 1),
                        Item::Part(list) => (list, *depth),
                        Item::Node(Node::File { pieces, .. }) => {
                            seen.extend(pieces);
                            continue;
                        }
                        Item::Node(Node::Link { .. }) => continue,
                    };
                    // A list met before was read then.
                    if seen.insert(list) {
                        next[side].insert(list, depth);
                    }
                }
            }
        }
        level = next;
    }
    have.retain(|digest| !had.contains(digest));
    Ok(have)
}

#[cfg(test)]
mod tests {
    use super::super::files::{Files, tree_of};
    use super::super::pack::{Kind, build_pack};
    use super::*;
    use crate::Store;
    use proptest::prelude::*;

    fn file(content: &str) -> Node {
        Node::File { size: content.len() as u64, executable: false, pieces: vec![Digest::of(content.as_bytes())] }
    }

    /// Objects that hold the lists of some trees.
    fn kept(trees: &[&BTreeMap<Digest, Vec<u8>>]) -> (tempfile::TempDir, Objects, Catalogue) {
        let folder = tempfile::tempdir().expect("temporary folder");
        let objects = Objects::new(Store::memory(), folder.path());
        let mut catalogue = Catalogue::default();
        for lists in trees {
            let blobs: Vec<&[u8]> = lists.values().map(Vec::as_slice).collect();
            let (toc, pack) = build_pack(Kind::Lists, &blobs);
            objects.keep("packs", &toc.id(), &pack);
            catalogue.add(toc);
        }
        (folder, objects, catalogue)
    }

    fn blobs(files: &Files, lists: &BTreeMap<Digest, Vec<u8>>) -> HashSet<Digest> {
        let pieces = files.values().filter_map(|node| match node {
            Node::File { pieces, .. } => Some(pieces.clone()),
            Node::Link { .. } => None,
        });
        pieces.flatten().chain(lists.keys().copied()).collect()
    }

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime").block_on(work)
    }

    /// Patches one set of files to another, and holds the result against the tree made of the other.
    fn check(one: &Files, other: &Files) {
        let (Ok((root, lists)), Ok((wanted, all))) = (tree_of(one), tree_of(other)) else { return };
        let mut delta = Delta::new();
        for path in one.keys().chain(other.keys()) {
            if one.get(path) != other.get(path) {
                delta.insert(path.clone(), other.get(path).cloned());
            }
        }
        let (_folder, objects, catalogue) = kept(&[&lists]);
        let patched = run(patch(&objects, &catalogue, root, &delta)).expect("patched");
        assert_eq!(patched.root, Some(wanted));
        assert_eq!(patched.files, other.len() as i64 - one.len() as i64);
        let bytes = |files: &Files| -> i64 {
            let size = |node: &Node| if let Node::File { size, .. } = node { *size as i64 } else { 0 };
            files.values().map(size).sum()
        };
        assert_eq!(patched.bytes, bytes(other) - bytes(one));
        assert!(
            all.keys().all(|list| lists.contains_key(list) || patched.lists.contains_key(list)),
            "a list is missing"
        );
        let (_folder, objects, catalogue) = kept(&[&lists, &all]);
        let (before, after) = (blobs(one, &lists), blobs(other, &all));
        let found = run(added(&objects, &catalogue, Some(root), wanted)).expect("walked");
        assert!(after.difference(&before).all(|blob| found.contains(blob)), "something new was not found");
        assert!(found.is_subset(&after), "something was found that is not there");
        assert_eq!(run(added(&objects, &catalogue, None, wanted)).expect("walked"), after);
    }

    #[test]
    fn a_change_in_a_large_folder_is_the_tree_of_all_files() {
        let one: Files = (0..3000).map(|n| (format!("runs/sample-{n}.csv"), file(&n.to_string()))).collect();
        let mut other = one.clone();
        other.insert("runs/sample-777.csv".into(), file("new"));
        other.remove("runs/sample-1.csv");
        check(&one, &other);
        let few: Files = one.iter().take(3).map(|(path, node)| (path.clone(), node.clone())).collect();
        check(&one, &few);
        check(&few, &one);
        check(&one, &Files::new());
    }

    #[test]
    fn a_file_may_become_a_folder_and_bad_paths_are_refused() {
        let files = |pairs: &[(&str, &str)]| -> Files {
            pairs.iter().map(|(path, content)| ((*path).to_owned(), file(content))).collect()
        };
        check(&files(&[("a", "1"), ("a-", "2")]), &files(&[("a/b", "1"), ("a/c/d", "3"), ("a-", "2")]));
        check(&files(&[("a/b", "1"), ("a/c/d", "3")]), &files(&[("a", "1")]));
        let (root, lists) = tree_of(&files(&[("a/b", "1")])).expect("good names");
        let (_folder, objects, catalogue) = kept(&[&lists]);
        let outside = Node::Link { target: "../../x".into() };
        for (path, node) in [
            ("A/c", file("")),
            ("a/B", file("")),
            ("a/../c", file("")),
            ("a", file("")),
            ("a/b/c", file("")),
            ("a/l", outside),
        ] {
            let delta = Delta::from([(path.to_owned(), Some(node))]);
            assert!(run(patch(&objects, &catalogue, root, &delta)).is_err(), "{path}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(60))]
        #[test]
        fn a_patched_tree_is_the_tree_of_all_files(
            one in proptest::collection::btree_map("[a-c]{1,2}(/[a-c.]{1,2}x){0,3}", 0..4_u8, 0..30),
            other in proptest::collection::btree_map("[a-c]{1,2}(/[a-c.]{1,2}x){0,3}", 0..4_u8, 0..30),
        ) {
            let make = |map: &BTreeMap<String, u8>| -> Files {
                map.iter().map(|(path, n)| (path.clone(), file(&n.to_string()))).collect()
            };
            check(&make(&one), &make(&other));
        }
    }
}
