//! Files written piece by piece for a checkout.

use super::commit::size;
use super::stamp::Stamp;
use super::stat::Known;
use crate::Digest;
use crate::snapshot::{CHUNK, Node};
use shared::failure::Failure;
use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// Writes files piece by piece in a staging folder, and moves each to its place when it is whole.
pub(super) struct Writer {
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
    pub(super) fn new(
        root: PathBuf,
        staging: PathBuf,
        files: &[(String, Node)],
        before: HashMap<String, Stamp>,
    ) -> Self {
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

    pub(super) fn path(&self, file: usize) -> String {
        self.files[file].0.clone()
    }

    pub(super) fn placed(&self) -> Vec<(String, Known)> {
        std::mem::take(&mut lock(&self.placed))
    }

    /// Where a large file is put together: the same place for the same content, so that a second attempt finds it.
    fn large(&self, file: usize) -> PathBuf {
        let (path, node) = &self.files[file];
        let name = Digest::of(format!("{path}\n{node:?}").as_bytes());
        self.staging.join(name.to_string())
    }

    /// The pieces of a large file that an earlier attempt has left, by their hashes.
    pub(super) fn resumed(&self, file: usize) -> Result<HashSet<usize>, Failure> {
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
    pub(super) fn piece(&self, file: usize, piece: usize, content: &[u8]) -> Result<(), Failure> {
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

    pub(super) fn place_large(&self, file: usize) -> Result<(), Failure> {
        let path = self.large(file);
        let size = size(&self.files[file].1);
        // A longer file of an earlier version of this program would keep its end.
        let cut = File::options().write(true).open(&path).and_then(|opened| opened.set_len(size));
        cut.map_err(|e| Failure::io(&path, "write", &e))?;
        self.place(file, &path)
    }

    pub(super) fn place_small(&self, file: usize, content: &[u8]) -> Result<(), Failure> {
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
pub(super) fn unchanged(path: &Path, seen: Option<&Stamp>, force: bool) -> Result<(), Failure> {
    let now = fs::symlink_metadata(path).ok().filter(fs::Metadata::is_file).map(|metadata| Stamp::of(&metadata));
    match (seen, now) {
        (Some(seen), Some(now)) if *seen != now && !force => Err(Failure::data("has changed since the command began")
            .at(path)
            .help("nothing of it was lost; run the same command again")),
        _ => Ok(()),
    }
}

/// Makes the folders above a path, and sees that each is a folder and no link that leads elsewhere.
pub(super) fn real_parents(root: &Path, path: &str) -> io::Result<()> {
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
