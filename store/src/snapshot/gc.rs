//! Removing what no branch and no tag leads to.

use super::branch::{branches, tags};
use super::objects::Objects;
use crate::object::blob_key;
use crate::{Digest, Error, Key, Listed, Store};
use std::collections::HashSet;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Nothing younger is removed, whatever was asked for: a push may be under way for hours, and what it has sent is found by
/// nobody until its end.
pub const GRACE_LEAST: Duration = Duration::from_secs(24 * 3600);

/// What was removed, or would be.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct Collected {
    /// Objects that branches and tags lead to; none of them is touched.
    pub reachable: u64,
    /// Objects that nothing leads to, but which are too young.
    pub young: u64,
    /// Objects that nothing leads to and that are old enough.
    pub removed: Vec<String>,
    /// Their size, bytes.
    pub removed_bytes: u64,
}

/// Removes objects that no branch and no tag leads to and that were written more than `grace` ago (at least
/// [`GRACE_LEAST`]); with `dry_run` it only says which.
///
/// A branch's whole history is reachable. Pushes build only on what branches lead to or what they sent themselves within half
/// the least grace, so that none can come to depend on what is being removed.
///
/// # Errors
/// What the backend says; [`Error::Missing`], [`Error::Damaged`] or [`Error::Content`] where something that is reachable cannot be
/// read: nothing is removed from a store that is not in order.
pub async fn collect(
    store: &Store,
    grace: Duration,
    dry_run: bool,
    now: SystemTime,
    cache: &Path,
) -> Result<Collected, Error> {
    let grace = grace.max(GRACE_LEAST);
    store.require().await?;
    // What is there is listed first: what a push adds afterwards is not among it.
    let mut there = Vec::new();
    for kind in ["packs", "indexes", "snapshots"] {
        let folder = Key::new(kind)?;
        for listed in store.list_all(&folder, None).await? {
            let digest = listed.key.name().parse::<Digest>().ok();
            // What is no object of ours is none of ours to remove.
            if let Some(digest) = digest.filter(|digest| blob_key(&folder, *digest).is_ok_and(|key| key == listed.key))
            {
                there.push((kind, digest, listed));
            }
        }
    }
    let reachable = reachable(store, cache).await?;
    let mut collected = Collected::default();
    for (kind, digest, Listed { key, size, modified }) in there {
        if reachable.contains(&(kind, digest)) {
            collected.reachable += 1;
        } else if now.duration_since(modified).is_ok_and(|age| age > grace) {
            if !dry_run {
                store.delete(&key).await?;
            }
            collected.removed.push(key.to_string());
            collected.removed_bytes += size;
        } else {
            collected.young += 1;
        }
    }
    litter(store, grace, dry_run, now, &mut collected);
    Ok(collected)
}

async fn reachable(store: &Store, cache: &Path) -> Result<HashSet<(&'static str, Digest)>, Error> {
    let objects = Objects::new(store.clone(), cache);
    let (mut snapshots, mut indexes) = (Vec::new(), Vec::new());
    for moved in branches(store).await?.into_values().flatten() {
        snapshots.extend(moved.snapshots);
        indexes.extend(moved.indexes);
    }
    for tag in tags(store).await?.into_values() {
        snapshots.push(tag.snapshot);
        indexes.extend(tag.indexes);
    }
    let mut reachable = HashSet::new();
    while !snapshots.is_empty() {
        snapshots.retain(|digest| reachable.insert(("snapshots", *digest)));
        let read = objects.snapshots(&snapshots).await?;
        snapshots = read.into_iter().filter_map(|snapshot| snapshot.parent).collect();
    }
    for index in indexes {
        if reachable.insert(("indexes", index)) {
            let tocs = objects.index(index).await?;
            reachable.extend(tocs.iter().map(|toc| ("packs", toc.id())));
        }
    }
    Ok(reachable)
}

/// In a folder of this machine a writer that was killed leaves its unfinished file, `<name>#<n>`, which no listing shows.
fn litter(store: &Store, grace: Duration, dry_run: bool, now: SystemTime, collected: &mut Collected) {
    let Some(folder) = store.local_folder() else { return };
    for kind in ["packs", "indexes", "snapshots", "branches", "tags"] {
        for entry in walkdir::WalkDir::new(folder.join(kind)).into_iter().flatten() {
            let name = entry.file_name().to_string_lossy();
            let unfinished = name
                .rsplit_once('#')
                .is_some_and(|(_, number)| !number.is_empty() && number.bytes().all(|b| b.is_ascii_digit()));
            let Some(metadata) = entry.metadata().ok().filter(|found| unfinished && found.is_file()) else { continue };
            let old = metadata.modified().is_ok_and(|at| now.duration_since(at).is_ok_and(|age| age > grace));
            if !old {
                collected.young += 1;
            } else if dry_run || std::fs::remove_file(entry.path()).is_ok() {
                let shown = entry.path().strip_prefix(folder).unwrap_or(entry.path());
                collected.removed.push(shown.display().to_string());
                collected.removed_bytes += metadata.len();
            }
        }
    }
}
