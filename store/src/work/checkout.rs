//! A snapshot's files, brought into the folder.

use super::commit::size;
use super::copy::WorkingCopy;
use super::stamp::Stamp;
use super::stat::{self, Cache, Known, Stats};
use super::state::FOLDER;
use crate::object::blob_key;
use crate::snapshot::{CHUNK, Catalogue, Files, Node, Toc, diff};
use crate::{Digest, Error, Key, Progress, Store};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use shared::failure::{Failure, Kind};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::ops::Range;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What was done to the folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// Files and links written.
    pub files: usize,
    /// Their size, bytes.
    pub bytes: u64,
    /// Files and links removed.
    pub removed: usize,
    /// Files with changes of their own that were replaced or removed, because that was asked for.
    pub overwritten: Vec<String>,
}

/// So many paths are named in a refusal.
const NAMED: usize = 20;

/// What has to be done.
#[derive(Default)]
struct Plan {
    write: Vec<(String, Node)>,
    remove: Vec<String>,
    overwritten: Vec<String>,
}

impl WorkingCopy {
    /// Makes the folder what a snapshot says and stays on it. A branch's name goes to that branch; any other name leaves the
    /// folder on that snapshot until a branch is checked out.
    ///
    /// # Errors
    /// [`Kind::AnswerIsNo`] when files with changes of their own would be lost and `force` is not set; what the store says.
    pub async fn checkout(&mut self, name: &str, force: bool, jobs: usize) -> Result<Written, Failure> {
        self.fetch().await?;
        let target = self.resolve(name).await?;
        let catalogue = self.catalogue().await?;
        let written = self.move_to(&catalogue, Some(target), force, jobs).await?;
        if self.branches().contains_key(name) {
            self.state.branch = name.to_owned();
            self.state.local.entry(name.to_owned()).or_insert(target);
            self.state.detached = None;
        } else if name == "HEAD" || self.state.local.get(&self.state.branch) == Some(&target) {
            // It is what it was.
        } else {
            self.state.detached = Some(target);
        }
        self.save()?;
        Ok(written)
    }

    /// Brings the folder from the snapshot it stands on to another. With `force` to exactly that one.
    pub(super) async fn move_to(
        &mut self,
        catalogue: &Catalogue,
        target: Option<Digest>,
        force: bool,
        jobs: usize,
    ) -> Result<Written, Failure> {
        let base = self.inside(&self.files_or_none(catalogue, self.state.head()).await?);
        let tree = match target {
            Some(target) if self.config.remote_dir.is_empty() => Some(self.objects.snapshot(target).await?.tree),
            _ => None,
        };
        let target = self.inside(&self.files_or_none(catalogue, target).await?);
        if !force && base == target {
            return Ok(Written::default());
        }
        let (mut working, mut stats) = self.working()?;
        let plan = plan(&base, &target, &working, force).map_err(|conflicts| refusal(&self.root, &conflicts))?;
        for path in &plan.remove {
            self.remove(path, stats.get(path), force)?;
            stats.remove(path);
        }
        let mut written = Written { removed: plan.remove.len(), overwritten: plan.overwritten, ..Written::default() };
        let outcome = self.write(catalogue, &plan.write, &mut stats, jobs).await;
        // What has arrived is kept, so that the next attempt goes on from there.
        self.flush(&plan.write)?;
        let now = stat::clock(&self.root)?;
        plan.remove.iter().for_each(|path| drop(working.remove(path)));
        working.extend(plan.write.iter().filter(|(path, node)| arrived(node, stats.get(path))).cloned());
        let tree = tree.filter(|_| outcome.is_ok() && working == target);
        stat::write(&self.root, &Cache::read(&self.root), &working, &stats, now, tree)?;
        outcome?;
        written.files = plan.write.len();
        written.bytes = plan.write.iter().map(|(_, node)| size(node)).sum();
        let _ = fs::remove_dir_all(self.root.join(FOLDER).join("staging"));
        Ok(written)
    }

    fn remove(&self, path: &str, known: Option<&Known>, force: bool) -> Result<(), Failure> {
        let target = self.root.join(path);
        real_parents(&self.root, path).map_err(|e| Failure::io(&target, "reach", &e))?;
        unchanged(&target, known.map(|known| &known.stamp), force)?;
        match fs::remove_file(&target) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(Failure::io(&target, "remove", &e)),
            _ => {}
        }
        // Folders that have become empty go too; the first that has not ends it.
        let mut above = target.parent();
        while let Some(folder) = above.filter(|folder| *folder != self.root) {
            if fs::remove_dir(folder).is_err() {
                break;
            }
            above = folder.parent();
        }
        Ok(())
    }

    async fn write(
        &self,
        catalogue: &Catalogue,
        write: &[(String, Node)],
        stats: &mut Stats,
        jobs: usize,
    ) -> Result<(), Failure> {
        let staging = self.root.join(FOLDER).join("staging");
        fs::create_dir_all(&staging).map_err(|e| Failure::io(&staging, "create", &e))?;
        self.progress.total(write.iter().map(|(_, node)| size(node)).sum());
        let before = write.iter().filter_map(|(path, _)| Some((path.clone(), stats.get(path)?.stamp))).collect();
        let writer = Arc::new(Writer::new(self.root.clone(), staging, write, before));
        // What needs nothing from the store.
        for (number, (_, node)) in write.iter().enumerate() {
            if size(node) == 0 {
                writer.place_small(number, &[])?;
            }
        }
        let (mut wanted, mut skipped): (BTreeMap<Digest, Wanted>, u64) = (BTreeMap::new(), 0);
        for (number, (path, node)) in write.iter().enumerate() {
            let Node::File { pieces, size, .. } = node else { continue };
            let have = writer.resumed(number)?;
            for (piece, digest) in pieces.iter().enumerate() {
                if have.contains(&piece) {
                    skipped += CHUNK.min(size - piece as u64 * CHUNK);
                    continue;
                }
                let place = catalogue.place(digest).zip(catalogue.pack_of(digest));
                let (place, (id, toc)) = place.ok_or_else(|| {
                    Failure::data("lies in no pack that an index names")
                        .at(self.root.join(path))
                        .help("`data verify` shows what is damaged")
                })?;
                let wanted = wanted.entry(*id).or_insert_with(|| Wanted { toc, blobs: BTreeMap::new() });
                let blob =
                    wanted.blobs.entry(place.range.start).or_insert_with(|| (*digest, place.range.clone(), vec![]));
                blob.2.push((number, piece));
            }
            if !pieces.is_empty() && have.len() == pieces.len() {
                writer.place_large(number)?;
            }
        }
        self.progress.done(skipped);
        let fetches: Vec<_> = wanted
            .into_iter()
            .map(|(id, wanted)| fetch(self.store(), id, wanted, Arc::clone(&writer), Arc::clone(&self.progress)))
            .collect();
        let mut fetches = stream::iter(fetches).buffer_unordered(jobs.max(1));
        let (mut damaged, mut failed) = (Vec::new(), None);
        while let Some(result) = fetches.next().await {
            match result {
                Ok(bad) => damaged.extend(bad),
                // The others under way are let finish: what arrives need not be fetched again.
                Err(failure) => drop(failed.get_or_insert(failure)),
            }
            if failed.is_some() {
                break;
            }
        }
        drop(fetches);
        stats.extend(writer.placed());
        if let Some(failure) = failed {
            return Err(failure);
        }
        if damaged.is_empty() { Ok(()) } else { Err(damage(&damaged)) }
    }
}

/// Whether what is known of a path is this file.
fn arrived(node: &Node, known: Option<&Known>) -> bool {
    match node {
        Node::File { pieces, .. } => known.is_some_and(|known| known.pieces == *pieces),
        Node::Link { .. } => true,
    }
}

/// What to do so that nothing is lost; the paths that stand in the way where something would be.
fn plan(base: &Files, target: &Files, working: &Files, force: bool) -> Result<Plan, Vec<String>> {
    let (mut plan, mut conflicts) = (Plan::default(), BTreeSet::new());
    let paths: BTreeSet<String> = if force {
        diff(working, target)
            .into_iter()
            .map(|d| d.path)
            .filter(|path| target.contains_key(path) || base.contains_key(path))
            .collect()
    } else {
        diff(base, target).into_iter().map(|d| d.path).collect()
    };
    for path in paths {
        let (old, new, now) = (base.get(&path), target.get(&path), working.get(&path));
        if now == new {
            continue;
        }
        let own = now.is_some() && now != old;
        if own && !force {
            conflicts.insert(path);
            continue;
        }
        if own {
            plan.overwritten.push(path.clone());
        }
        match new {
            Some(node) => plan.write.push((path, node.clone())),
            None if now.is_some() => plan.remove.push(path),
            None => {}
        }
    }
    // A file where a folder must be, or files below where a file must be, stand in the way unless they go.
    let going: HashSet<&String> = plan.remove.iter().collect();
    let mut in_the_way = BTreeSet::new();
    for (path, _) in &plan.write {
        let above = path.match_indices('/').map(|(at, _)| path[..at].to_owned());
        in_the_way.extend(above.filter(|above| working.contains_key(above) && !going.contains(above)));
        let below = format!("{path}/");
        in_the_way.extend(
            working
                .range(below.clone()..)
                .map(|(path, _)| path)
                .take_while(|path| path.starts_with(&below))
                .filter(|path| !going.contains(path))
                .cloned(),
        );
    }
    if force {
        plan.overwritten.extend(in_the_way.iter().cloned());
        plan.remove.extend(in_the_way);
    } else {
        conflicts.extend(in_the_way);
    }
    if conflicts.is_empty() { Ok(plan) } else { Err(conflicts.into_iter().collect()) }
}

pub(super) fn refusal(root: &Path, conflicts: &[String]) -> Failure {
    let named = conflicts.iter().take(NAMED).map(|path| format!("\n  {path}")).collect::<String>();
    let more = conflicts.len().saturating_sub(NAMED);
    let more = if more > 0 { format!("\n  and {more} more") } else { String::new() };
    Failure::new(Kind::AnswerIsNo, format!("files with changes of their own would be lost:{named}{more}"))
        .at(root)
        .help("commit them or move them away; --force replaces them")
}

fn damage(damaged: &[(Key, Vec<String>)]) -> Failure {
    let named = damaged.iter().take(NAMED).map(|(key, files)| {
        let shown = files.iter().take(NAMED).cloned().collect::<Vec<_>>().join(", ");
        let more = files.len().saturating_sub(NAMED);
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("\n  {key}: {shown}{more}")
    });
    Failure::data(format!("{} objects of the store are damaged; these files were not written:{}", damaged.len(), named.collect::<String>()))
        .help("`data verify` shows everything that is damaged; restore those objects from another copy and run the same command again")
}

/// What is wanted of a pack.
struct Wanted<'a> {
    toc: &'a Toc,
    /// By where they begin.
    blobs: BTreeMap<u64, WantedBlob>,
}

/// A blob, its bytes of the pack, and the files and pieces of them that it is.
type WantedBlob = (Digest, Range<u64>, Vec<(usize, usize)>);

/// Gets what is wanted of a pack and puts it where it belongs. The pack and the files that could not be written, where it is damaged.
async fn fetch(
    store: &Store,
    id: Digest,
    wanted: Wanted<'_>,
    writer: Arc<Writer>,
    progress: Arc<Progress>,
) -> Result<Option<(Key, Vec<String>)>, Failure> {
    let key = blob_key(&Key::new("packs")?, id)?;
    let bytes: u64 = wanted.blobs.values().map(|(_, range, _)| range.end - range.start).sum();
    let all = |writer: &Writer, wanted: &Wanted<'_>| {
        let mut files: Vec<String> =
            wanted.blobs.values().flat_map(|(_, _, uses)| uses).map(|(file, _)| writer.path(*file)).collect();
        files.sort_unstable();
        files.dedup();
        files
    };
    let parts: Vec<Bytes> = if bytes * 2 >= wanted.toc.data_bytes() {
        match store.get(&key, wanted.toc.pack_bytes()).await {
            Ok(Some(content)) if content.len() as u64 == wanted.toc.pack_bytes() => wanted
                .blobs
                .values()
                .map(|(_, range, _)| content.slice(range.start as usize..range.end as usize))
                .collect(),
            Ok(_) | Err(Error::TooLarge { .. }) => {
                let files = all(&writer, &wanted);
                return Ok(Some((key, files)));
            }
            Err(e) => return Err(e.into()),
        }
    } else {
        let ranges: Vec<Range<u64>> = wanted.blobs.values().map(|(_, range, _)| range.clone()).collect();
        match store.get_ranges(&key, &ranges).await {
            Ok(parts) => parts,
            Err(Error::Missing { .. } | Error::Content { .. }) => {
                let files = all(&writer, &wanted);
                return Ok(Some((key, files)));
            }
            Err(e) => return Err(e.into()),
        }
    };
    let blobs: Vec<_> = wanted.blobs.into_values().collect();
    let work = tokio::task::spawn_blocking(move || -> Result<Vec<String>, Failure> {
        let mut bad = BTreeSet::new();
        for ((digest, _, uses), part) in blobs.iter().zip(parts) {
            let whole = Digest::of(&part) == *digest;
            for (file, piece) in uses {
                if whole {
                    writer.piece(*file, *piece, &part)?;
                    progress.done(part.len() as u64);
                } else {
                    bad.insert(writer.path(*file));
                }
            }
        }
        Ok(bad.into_iter().collect())
    });
    let bad = work.await.map_err(|e| Failure::data(e.to_string()))??;
    Ok(if bad.is_empty() { None } else { Some((key, bad)) })
}

/// Writes files piece by piece, beside their places, and puts each there when it is whole.
struct Writer {
    root: PathBuf,
    staging: PathBuf,
    files: Vec<(String, Node)>,
    /// What the scan saw of those that are there already.
    before: HashMap<String, Stamp>,
    /// Pieces that have not arrived.
    left: Vec<AtomicUsize>,
    /// Folders that are known to be real ones.
    folders: Mutex<HashSet<String>>,
    placed: Mutex<Vec<(String, Known)>>,
    temporary: AtomicU64,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Writer {
    fn new(root: PathBuf, staging: PathBuf, files: &[(String, Node)], before: HashMap<String, Stamp>) -> Self {
        let pieces = |node: &Node| match node {
            Node::File { pieces, .. } => pieces.len(),
            Node::Link { .. } => 0,
        };
        Self {
            root,
            staging,
            left: files.iter().map(|(_, node)| AtomicUsize::new(pieces(node))).collect(),
            files: files.to_vec(),
            before,
            folders: Mutex::default(),
            placed: Mutex::default(),
            temporary: AtomicU64::new(0),
        }
    }

    fn path(&self, file: usize) -> String {
        self.files[file].0.clone()
    }

    fn placed(&self) -> Vec<(String, Known)> {
        std::mem::take(&mut lock(&self.placed))
    }

    /// Where a large file is put together: the same place for the same content, so that a second attempt finds it.
    fn large(&self, file: usize) -> PathBuf {
        let (path, node) = &self.files[file];
        let name = Digest::of(format!("{path}\n{node:?}").as_bytes());
        self.staging.join(name.to_string())
    }

    /// The pieces of a large file that an earlier attempt has left, by their hashes.
    fn resumed(&self, file: usize) -> Result<HashSet<usize>, Failure> {
        let Node::File { size, pieces, .. } = &self.files[file].1 else { return Ok(HashSet::new()) };
        let path = self.large(file);
        if pieces.len() < 2 || !path.exists() {
            return Ok(HashSet::new());
        }
        let read = || -> io::Result<HashSet<usize>> {
            let (mut opened, mut have) = (File::open(&path)?, HashSet::new());
            let mut buffer = vec![0; CHUNK as usize];
            for (number, digest) in pieces.iter().enumerate() {
                let start = number as u64 * CHUNK;
                let part = &mut buffer[..CHUNK.min(size - start) as usize];
                opened.seek(io::SeekFrom::Start(start))?;
                match opened.read_exact(part) {
                    Ok(()) if Digest::of(part) == *digest => drop(have.insert(number)),
                    Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break,
                    other => other?,
                }
            }
            Ok(have)
        };
        let have = read().map_err(|e| Failure::io(&path, "read", &e))?;
        self.left[file].fetch_sub(have.len(), Ordering::AcqRel);
        Ok(have)
    }

    /// A piece has arrived and hashes to its name.
    fn piece(&self, file: usize, piece: usize, content: &[u8]) -> Result<(), Failure> {
        let Node::File { pieces, .. } = &self.files[file].1 else { return Ok(()) };
        if pieces.len() == 1 {
            return self.place_small(file, content);
        }
        let path = self.large(file);
        let write = || {
            File::options()
                .create(true)
                .truncate(false)
                .write(true)
                .open(&path)?
                .write_all_at(content, piece as u64 * CHUNK)
        };
        write().map_err(|e| Failure::io(&path, "write", &e))?;
        if self.left[file].fetch_sub(1, Ordering::AcqRel) == 1 { self.place_large(file) } else { Ok(()) }
    }

    fn place_large(&self, file: usize) -> Result<(), Failure> {
        let path = self.large(file);
        let size = size(&self.files[file].1);
        // A longer file of an earlier version of this program would keep its end.
        let cut = File::options().write(true).open(&path).and_then(|opened| opened.set_len(size));
        cut.map_err(|e| Failure::io(&path, "write", &e))?;
        self.place(file, &path)
    }

    fn place_small(&self, file: usize, content: &[u8]) -> Result<(), Failure> {
        let number = self.temporary.fetch_add(1, Ordering::Relaxed);
        let path = self.staging.join(format!("small-{number}"));
        let write = || match &self.files[file].1 {
            Node::Link { target } => {
                let _ = fs::remove_file(&path);
                std::os::unix::fs::symlink(target, &path)
            }
            Node::File { .. } => File::create(&path)?.write_all(content),
        };
        write().map_err(|e| Failure::io(&path, "write", &e))?;
        self.place(file, &path)
    }

    /// Puts a finished file in its place, unless what is there has changed since it was looked at.
    fn place(&self, file: usize, from: &Path) -> Result<(), Failure> {
        let (path, node) = &self.files[file];
        let to = self.root.join(path);
        if let Some((above, _)) = path.rsplit_once('/')
            && !lock(&self.folders).contains(above)
        {
            real_parents(&self.root, path).map_err(|e| Failure::io(&to, "create the folder of", &e))?;
            lock(&self.folders).insert(above.to_owned());
        }
        if let Node::File { executable, .. } = node {
            let mode = if *executable { 0o755 } else { 0o644 };
            let changed = fs::set_permissions(from, fs::Permissions::from_mode(mode));
            changed.map_err(|e| Failure::io(from, "change the mode of", &e))?;
        }
        match (self.before.get(path), fs::symlink_metadata(&to)) {
            (Some(stamp), _) => unchanged(&to, Some(stamp), false)?,
            (None, Ok(found)) if found.is_file() => {
                return Err(Failure::data("has appeared since the command began")
                    .at(&to)
                    .help("nothing of it was lost; run the same command again"));
            }
            _ => {}
        }
        if to.is_dir() && !to.is_symlink() {
            // Nothing under version lies in it, or it would have been in the way: an empty folder.
            fs::remove_dir(&to).map_err(|e| Failure::io(&to, "replace", &e))?;
        }
        fs::rename(from, &to).map_err(|e| Failure::io(&to, "write", &e))?;
        if let Node::File { pieces, .. } = node {
            let metadata = fs::symlink_metadata(&to).map_err(|e| Failure::io(&to, "read", &e))?;
            let known = Known { stamp: Stamp::of(&metadata), pieces: pieces.clone() };
            lock(&self.placed).push((path.clone(), known));
        }
        Ok(())
    }
}

/// Whether a file is still the one that was looked at.
fn unchanged(path: &Path, seen: Option<&Stamp>, force: bool) -> Result<(), Failure> {
    let now = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| Stamp::of(&metadata));
    match (seen, now) {
        (Some(seen), Some(now)) if *seen != now && !force => Err(Failure::data("has changed since the command began")
            .at(path)
            .help("nothing of it was lost; run the same command again")),
        _ => Ok(()),
    }
}

/// Makes the folders above a path, and sees that each is a folder and no link that leads elsewhere.
fn real_parents(root: &Path, path: &str) -> io::Result<()> {
    let mut folder = root.to_owned();
    let Some((above, _)) = path.rsplit_once('/') else { return Ok(()) };
    for part in above.split('/') {
        folder.push(part);
        match fs::symlink_metadata(&folder) {
            Ok(found) if found.is_dir() => {}
            Ok(_) => return Err(io::Error::other(format!("`{}` is no folder", folder.display()))),
            Err(e) if e.kind() == io::ErrorKind::NotFound => match fs::create_dir(&folder) {
                Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            },
            Err(e) => return Err(e),
        }
    }
    Ok(())
}
