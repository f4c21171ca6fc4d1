//! What lies in the folder.

use super::FOLDER;
use crate::snapshot::{check_link, check_name, fold};
use shared::failure::Failure;
use std::collections::HashSet;
use std::fs::{self, Metadata};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

/// Unfinished files of ours begin with it.
const UNFINISHED: &str = ".partial-";

/// What tells a file that has changed from one that has not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    pub(super) size: u64,
    pub(super) modified_ns: i64,
    /// When content or mode last changed. Nobody can set it back.
    pub(super) changed_ns: i64,
    pub(super) inode: u64,
    pub(super) executable: bool,
}

impl Stamp {
    pub(super) fn of(metadata: &Metadata) -> Self {
        let ns = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            size: metadata.len(),
            modified_ns: ns(metadata.mtime(), metadata.mtime_nsec()),
            changed_ns: ns(metadata.ctime(), metadata.ctime_nsec()),
            inode: metadata.ino(),
            executable: metadata.permissions().mode() & 0o100 != 0,
        }
    }
}

/// Something found.
#[derive(Debug, Clone)]
pub(super) enum Found {
    File(Stamp),
    Link(String),
}

/// Files and links below a folder, sorted by path; `.edge` and unfinished files are passed over, as is what `skip` names.
pub(super) fn scan(root: &Path, skip: &[String]) -> Result<Vec<(String, Found)>, Failure> {
    let queue = Mutex::new((vec![(root.to_owned(), String::new(), 0)], 0_usize));
    let (wake, results, failed) = (Condvar::new(), Mutex::new(Vec::new()), Mutex::new(None));
    let worker = || {
        let mut mine = Vec::new();
        loop {
            let task = {
                let mut guard = lock(&queue);
                loop {
                    if let Some(task) = guard.0.pop() {
                        guard.1 += 1;
                        break Some(task);
                    }
                    if guard.1 == 0 {
                        break None;
                    }
                    guard = wake.wait(guard).unwrap_or_else(std::sync::PoisonError::into_inner);
                }
            };
            let Some((folder, prefix, depth)) = task else { break };
            let outcome =
                if lock(&failed).is_some() { Ok(vec![]) } else { list(&folder, &prefix, depth, skip, &mut mine) };
            let mut guard = lock(&queue);
            guard.1 -= 1;
            match outcome {
                Ok(folders) => guard.0.extend(folders),
                Err(failure) => drop(lock(&failed).get_or_insert(failure)),
            }
            wake.notify_all();
        }
        lock(&results).append(&mut mine);
    };
    std::thread::scope(|scope| {
        for _ in 1..threads() {
            scope.spawn(worker);
        }
        worker();
    });
    if let Some(failure) = lock(&failed).take() {
        return Err(failure);
    }
    let mut found = std::mem::take(&mut *lock(&results));
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Threads that read files.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(8)
}

type Folder = (PathBuf, String, usize);

fn list(
    folder: &Path,
    prefix: &str,
    depth: usize,
    skip: &[String],
    found: &mut Vec<(String, Found)>,
) -> Result<Vec<Folder>, Failure> {
    let (mut folders, mut folded) = (Vec::new(), HashSet::new());
    for entry in fs::read_dir(folder).map_err(|e| Failure::io(folder, "read", &e))? {
        let entry = entry.map_err(|e| Failure::io(folder, "read", &e))?;
        let path = || entry.path();
        let name = entry.file_name();
        let refuse = |why: &str| {
            Failure::data(format!("cannot be put under version: its name {why}")).at(path()).help("rename it")
        };
        let name = name.to_str().ok_or_else(|| refuse("is no Unicode"))?;
        if (prefix.is_empty() && fold(name) == FOLDER) || name.starts_with(UNFINISHED) {
            continue;
        }
        let below = format!("{prefix}{name}");
        if skip.contains(&below) {
            continue;
        }
        check_name(name).map_err(refuse)?;
        if !folded.insert(fold(name)) {
            return Err(refuse(
                "differs from another one only by case or Unicode spelling, which other systems cannot keep apart",
            ));
        }
        let metadata = match entry.metadata() {
            Ok(metadata) => metadata,
            // Removed since the folder was listed.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
            Err(e) => return Err(Failure::io(&path(), "read", &e)),
        };
        if metadata.is_dir() {
            folders.push((path(), format!("{below}/"), depth + 1));
        } else if metadata.is_file() {
            found.push((below, Found::File(Stamp::of(&metadata))));
        } else if metadata.is_symlink() {
            let target = fs::read_link(path()).map_err(|e| Failure::io(&path(), "read", &e))?;
            let target = target.to_str().ok_or_else(|| refuse("leads to a name that is no Unicode"))?.to_owned();
            check_link(&target, depth).map_err(|why| {
                Failure::data(format!("is a link whose target `{target}` {why}"))
                    .at(path())
                    .help("put the file itself there, or remove the link")
            })?;
            found.push((below, Found::Link(target)));
        } else {
            return Err(Failure::data("is neither a file nor a folder nor a link").at(path()).help("remove it"));
        }
    }
    Ok(folders)
}
