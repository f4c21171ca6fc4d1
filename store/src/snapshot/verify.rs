//! Every byte of a store, looked at.

use super::branch::{branches, tags};
use super::files::put_list;
use super::index::Catalogue;
use super::name::DEPTH;
use super::objects::{INDEX_BYTES, Objects};
use super::pack::{PACK_BYTES, TOC_BYTES, parse_pack};
use super::patch::items;
use super::record::{SNAPSHOT_BYTES, Snapshot};
use super::tree::decode_tree;
use super::{Files, Item, Node, decode_index, read_files};
use crate::object::blob_key;
use crate::{Digest, Error, Key, Progress, Store};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::path::Path;
use std::sync::atomic::Ordering;

/// Something that is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Damage {
    /// The object.
    pub object: String,
    /// What is wrong with it.
    pub reason: String,
    /// The files that cannot be had because of it, as `path (snapshot)`; at most 20 are named.
    pub files: Vec<String>,
    /// How many files that are.
    pub affected_files: usize,
}

/// Most files named for one damaged object.
const NAMED: usize = 20;

/// What a check of a store has seen.
#[derive(Debug, Clone, PartialEq, Eq, Default, serde::Serialize)]
pub struct Verified {
    /// Objects read.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Branches.
    pub branches: u64,
    /// Snapshots on branches and tags.
    pub snapshots: u64,
    /// Packs that no branch and no tag leads to: pushes that were cut off or are under way.
    pub unreachable_packs: u64,
    /// What is damaged; empty for a store in good order.
    pub damage: Vec<Damage>,
    /// Objects that nothing leads to and that are not whole: uploads that were cut off. A push that needs one writes it again.
    pub torn: Vec<String>,
}

/// Reads and hashes every object of a store, and follows every snapshot to every file. `folder` keeps nothing of the store's
/// content: a check reads everything again.
///
/// # Errors
/// What the backend says where it cannot be read at all. Damage is no error but the answer.
pub async fn verify(store: &Store, jobs: usize, progress: &Progress) -> Result<Verified, Error> {
    let mut report = Verified::default();
    let mut bad_blobs: BTreeMap<Digest, usize> = BTreeMap::new();
    let (mut roots, mut indexes) = (BTreeSet::new(), BTreeSet::new());
    let mut damage = Vec::new();
    let blame =
        |object: &str, reason: String| Damage { object: object.into(), reason, files: vec![], affected_files: 0 };
    let ends = match (branches(store).await, tags(store).await) {
        (Ok(branches), Ok(tags)) => {
            report.branches = branches.len() as u64;
            let moved = branches.into_values().flatten();
            moved
                .map(|moved| (moved.snapshots, moved.indexes))
                .chain(tags.into_values().map(|tag| (vec![tag.snapshot], tag.indexes)))
                .collect()
        }
        (Err(e), _) | (_, Err(e)) => {
            unless_backend(&e)?;
            damage.push(blame("branches and tags", e.to_string()));
            Vec::new()
        }
    };
    for (snapshots, of) in ends {
        roots.extend(snapshots);
        indexes.extend(of);
    }
    // Everything that is there, by its hash.
    let mut catalogue = Catalogue::default();
    let (mut torn, mut snapshots) = (Vec::new(), Vec::new());
    for (kind, limit) in [("snapshots", SNAPSHOT_BYTES), ("indexes", INDEX_BYTES)] {
        let there: BTreeSet<Digest> = listed(store, kind, &mut damage, progress).await?.into_keys().collect();
        let wanted = if kind == "indexes" { &indexes } else { &roots };
        let folder = Key::new(kind)?;
        let reads: Vec<_> = there
            .union(wanted)
            .map(|digest| {
                let (digest, folder) = (*digest, &folder);
                async move { (digest, store.get_blob(folder, digest, limit).await) }
            })
            .collect();
        let mut reads = stream::iter(reads).buffered(jobs.max(1));
        while let Some((digest, read)) = reads.next().await {
            match read {
                Ok(content) => {
                    report.objects += 1;
                    report.bytes += content.len() as u64;
                    progress.done(content.len() as u64);
                    let read = if kind == "indexes" {
                        decode_index(&content).map(|tocs| {
                            if indexes.contains(&digest) {
                                tocs.into_iter().for_each(|toc| catalogue.add(toc));
                            }
                        })
                    } else {
                        Snapshot::decode(&content).map(|snapshot| {
                            roots_of(&snapshot, &there, &mut damage);
                            if roots.contains(&digest) {
                                snapshots.push((digest, snapshot));
                            }
                        })
                    };
                    if let Err(reason) = read {
                        damage.push(blame(&format!("{kind}/{digest}"), reason));
                    }
                }
                Err(e) if !wanted.contains(&digest) => {
                    unless_backend(&e)?;
                    torn.push(format!("{kind}/{digest}"));
                }
                Err(e) => {
                    unless_backend(&e)?;
                    damage.push(blame(&format!("{kind}/{digest}"), e.to_string()));
                }
            }
        }
    }
    let there = listed(store, "packs", &mut damage, progress).await?;
    let reachable: HashSet<Digest> = catalogue.packs().map(|(id, _)| *id).collect();
    report.unreachable_packs = there.keys().filter(|id| !reachable.contains(id)).count() as u64;
    let all: BTreeSet<Digest> = there.keys().chain(&reachable).copied().collect();
    let checks: Vec<_> = all.into_iter().map(|id| check_pack(store, &catalogue, id)).collect();
    let mut checks = stream::iter(checks).buffer_unordered(jobs.max(1));
    while let Some(check) = checks.next().await {
        let check = check?;
        report.objects += 1;
        report.bytes += check.bytes;
        progress.done(check.bytes);
        if let Some(reason) = check.reason {
            if !check.reachable {
                torn.push(check.object);
                continue;
            }
            for blob in check.blobs {
                bad_blobs.insert(blob, damage.len());
            }
            damage.push(blame(&check.object, reason));
        }
    }
    report.snapshots = roots.len() as u64;
    follow(store, &catalogue, &snapshots, &bad_blobs, &mut damage).await?;
    progress.finish();
    report.damage = damage;
    report.torn = torn;
    Ok(report)
}

/// Damage is an answer; a store that cannot be reached is an error.
fn unless_backend(error: &Error) -> Result<(), Error> {
    match error {
        Error::Backend { store, doing, key, source } => {
            Err(Error::Content { store: store.clone(), key: key.clone(), reason: format!("cannot {doing}: {source}") })
        }
        Error::Absent { store, reason } => Err(Error::Absent { store: store.clone(), reason: reason.clone() }),
        _ => Ok(()),
    }
}

/// A snapshot whose parent is missing breaks the history.
fn roots_of(snapshot: &Snapshot, there: &BTreeSet<Digest>, damage: &mut Vec<Damage>) {
    if let Some(parent) = snapshot.parent.filter(|parent| !there.contains(parent)) {
        damage.push(Damage {
            object: format!("snapshots/{parent}"),
            reason: format!("is missing, and `{}` follows it", snapshot.title()),
            files: vec![],
            affected_files: 0,
        });
    }
}

/// The objects of a kind by their names' hashes, with sizes. An object of another name is damage.
async fn listed(
    store: &Store,
    kind: &str,
    damage: &mut Vec<Damage>,
    progress: &Progress,
) -> Result<BTreeMap<Digest, u64>, Error> {
    let folder = Key::new(kind)?;
    let mut all = BTreeMap::new();
    for object in store.list_all(&folder, None).await? {
        match object.key.name().parse::<Digest>() {
            Ok(digest) if blob_key(&folder, digest)? == object.key => {
                progress.total_bytes.fetch_add(object.size, Ordering::Relaxed);
                all.insert(digest, object.size);
            }
            _ => damage.push(Damage {
                object: object.key.to_string(),
                reason: "has a name that no object of its kind has".into(),
                files: vec![],
                affected_files: 0,
            }),
        }
    }
    Ok(all)
}

struct PackCheck {
    object: String,
    bytes: u64,
    reachable: bool,
    reason: Option<String>,
    /// What cannot be had from it.
    blobs: Vec<Digest>,
}

async fn check_pack(store: &Store, catalogue: &Catalogue, id: Digest) -> Result<PackCheck, Error> {
    let key = blob_key(&Key::new("packs")?, id)?;
    let known = catalogue.packs_by_id(&id);
    let limit = known.map_or(PACK_BYTES + TOC_BYTES as u64 + 12, |toc| toc.pack_bytes()).max(1 << 30);
    let check = |bytes: u64, reason: Option<String>, blobs: Vec<Digest>| PackCheck {
        object: key.to_string(),
        bytes,
        reachable: known.is_some(),
        reason,
        blobs,
    };
    let all = || known.map(|toc| toc.blobs.iter().map(|(blob, _)| *blob).collect()).unwrap_or_default();
    let content = match store.get(&key, limit).await {
        Ok(Some(content)) => content,
        Ok(None) => return Ok(check(0, Some("is missing".into()), all())),
        Err(e) => {
            unless_backend(&e)?;
            return Ok(check(0, Some(e.to_string()), all()));
        }
    };
    let size = content.len() as u64;
    let judged = tokio::task::spawn_blocking(move || {
        let toc = parse_pack(&content);
        // The table in the pack may be what is damaged: the index's copy says what the blobs must be.
        let table = toc.as_ref().ok().filter(|toc| toc.id() == id);
        let fault = match (&toc, table) {
            (Err(reason), _) => Some(reason.clone()),
            (Ok(_), None) => Some("has a table of contents that is not the one it is named by".to_owned()),
            _ => None,
        };
        (content, toc.ok(), fault)
    })
    .await;
    let Ok((content, own, fault)) = judged else {
        return Ok(check(size, Some("could not be looked at".into()), all()));
    };
    let Some(toc) = known.cloned().or(own) else { return Ok(check(size, fault, vec![])) };
    let bad = tokio::task::spawn_blocking(move || -> Vec<Digest> {
        toc.places()
            .filter(|(blob, range)| {
                content.get(range.start as usize..range.end as usize).map(Digest::of) != Some(*blob)
            })
            .map(|(blob, _)| blob)
            .collect()
    })
    .await
    .unwrap_or_default();
    let reason = match (fault, bad.len()) {
        (Some(fault), 0) => Some(fault),
        (Some(fault), n) => Some(format!("{fault}; {n} blobs do not hash to their names")),
        (None, 0) => None,
        (None, n) => Some(format!("{n} blobs do not hash to their names")),
    };
    Ok(check(size, reason, bad))
}

/// Follows every snapshot to every file, each list once however many snapshots hold it; what leads to a damaged or missing blob
/// is named at that damage.
async fn follow(
    store: &Store,
    catalogue: &Catalogue,
    snapshots: &[(Digest, Snapshot)],
    bad: &BTreeMap<Digest, usize>,
    damage: &mut Vec<Damage>,
) -> Result<(), Error> {
    let cache = tempfile::tempdir().map_err(|e| Error::Content {
        store: store.name().into(),
        key: Key::new("lists").unwrap_or_else(|_| unreachable!("a constant name")),
        reason: format!("no temporary folder: {e}"),
    })?;
    let objects = Objects::new(store.clone(), Path::new(cache.path()));
    let trees: BTreeSet<Digest> = snapshots.iter().map(|(_, snapshot)| snapshot.tree).collect();
    let unsound = unsound(&objects, catalogue, trees, bad).await?;
    let mut walked: HashSet<Digest> = HashSet::new();
    let mut gone: BTreeMap<Digest, usize> = BTreeMap::new();
    for (root, snapshot) in snapshots {
        if !unsound.contains(&snapshot.tree) || !walked.insert(snapshot.tree) {
            continue;
        }
        let short = &root.to_string()[..12];
        let files: Files = match read_files(&objects, catalogue, snapshot.tree).await {
            Ok(files) => files,
            Err(e) => {
                unless_backend(&e)?;
                damage.push(Damage {
                    object: format!("snapshots/{root}"),
                    reason: format!("its folders cannot be read: {e}"),
                    files: vec![format!("all {} ({short})", snapshot.files)],
                    affected_files: snapshot.files as usize,
                });
                continue;
            }
        };
        for (path, node) in &files {
            let Node::File { pieces, .. } = node else { continue };
            for piece in pieces {
                let at = match (bad.get(piece), catalogue.has(piece)) {
                    (Some(at), _) => *at,
                    (None, true) => continue,
                    (None, false) => *gone.entry(*piece).or_insert_with(|| {
                        damage.push(Damage {
                            object: format!("blob {piece}"),
                            reason: "is in no index".into(),
                            files: vec![],
                            affected_files: 0,
                        });
                        damage.len() - 1
                    }),
                };
                let Some(entry) = damage.get_mut(at) else { continue };
                let name = format!("{path} ({short})");
                if entry.files.last() != Some(&name) {
                    entry.affected_files += 1;
                    if entry.files.len() < NAMED {
                        entry.files.push(name);
                    }
                }
            }
        }
    }
    Ok(())
}

/// Of some trees' lists, those that cannot be read, or that lead to a blob which is damaged or in no index.
async fn unsound(
    objects: &Objects,
    catalogue: &Catalogue,
    trees: BTreeSet<Digest>,
    bad: &BTreeMap<Digest, usize>,
) -> Result<HashSet<Digest>, Error> {
    let (mut unsound, mut above) = (HashSet::new(), HashMap::<Digest, Vec<Digest>>::new());
    let (mut seen, mut level, mut depth) = (HashSet::new(), trees, 0);
    while !level.is_empty() && depth <= DEPTH {
        let mut next = BTreeSet::new();
        // Parts of a list lie as deep as the list.
        while !level.is_empty() {
            let wanted: Vec<Digest> =
                std::mem::take(&mut level).into_iter().filter(|list| seen.insert(*list)).collect();
            for (digest, list) in readable(objects, catalogue, &wanted).await? {
                let Some(entries) = list.and_then(|list| decode_tree(&list, depth).ok()) else {
                    unsound.insert(digest);
                    continue;
                };
                let mut parts = false;
                for (_, item) in entries {
                    match item {
                        Item::Node(Node::File { pieces, .. }) => {
                            if pieces.iter().any(|piece| bad.contains_key(piece) || !catalogue.has(piece)) {
                                unsound.insert(digest);
                            }
                        }
                        Item::Node(Node::Link { .. }) => {}
                        Item::Folder(below) => {
                            above.entry(below).or_default().push(digest);
                            next.insert(below);
                        }
                        Item::Part(part) => {
                            parts = true;
                            above.entry(part).or_default().push(digest);
                            level.insert(part);
                        }
                    }
                }
                // Names of different parts may clash: that shows when the list is made again.
                if parts && !joined(objects, catalogue, digest, depth).await {
                    unsound.insert(digest);
                }
            }
        }
        level = next;
        depth += 1;
    }
    unsound.extend(level);
    let mut spreading: Vec<Digest> = unsound.iter().copied().collect();
    while let Some(digest) = spreading.pop() {
        let above = above.get(&digest).into_iter().flatten();
        spreading.extend(above.filter(|list| unsound.insert(**list)).copied().collect::<Vec<_>>());
    }
    Ok(unsound)
}

/// Lists, each where it can be read.
async fn readable(
    objects: &Objects,
    catalogue: &Catalogue,
    wanted: &[Digest],
) -> Result<Vec<(Digest, Option<Bytes>)>, Error> {
    if let Ok(lists) = objects.lists(catalogue, wanted).await {
        return Ok(wanted.iter().map(|digest| (*digest, lists.get(digest).cloned())).collect());
    }
    let mut read = Vec::new();
    for digest in wanted {
        let list = objects.lists(catalogue, &[*digest]).await;
        list.as_ref().err().map_or(Ok(()), unless_backend)?;
        read.push((*digest, list.ok().and_then(|lists| lists.get(digest).cloned())));
    }
    Ok(read)
}

/// Whether a list that was cut into parts is what its entries make.
async fn joined(objects: &Objects, catalogue: &Catalogue, list: Digest, depth: usize) -> bool {
    let Ok(items) = items(objects, catalogue, list, depth).await else { return false };
    let items = items.iter().map(|(name, item)| (name.as_str(), item.clone())).collect();
    put_list("", items, &mut BTreeMap::new()) == Ok(list)
}
