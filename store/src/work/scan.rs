//! What lies in the folder.

use super::stamp::Stamp;
use super::stat::{Cache, Stats};
use super::state::FOLDER;
use crate::snapshot::{check_link, check_name, clash, fold, plain_link};
use shared::failure::Failure;
use shared::fs::UNFINISHED;
use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Condvar, Mutex};

/// Something found.
#[derive(Debug, Clone)]
pub(super) enum Found {
    File(Stamp),
    Link(String),
}

/// Files and links below a folder, sorted by path; `.edge` and unfinished files are passed over, as is what `skip` names.
pub(super) fn scan(root: &Path, skip: &[String]) -> Result<Vec<(String, Found)>, Failure> {
    let parts: Vec<Vec<(String, Found)>> = walk(root, |listed, found: &mut Vec<_>| {
        let prefix = listed.prefix;
        let there = listed.read(skip)?;
        found.extend(there.entries.into_iter().map(|(name, what)| (format!("{prefix}{name}"), what)));
        Ok(there.folders)
    })?;
    let mut found: Vec<_> = parts.into_iter().flatten().collect();
    found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(found)
}

/// How a folder differs from what is remembered of it.
#[derive(Debug, Default)]
pub(super) struct Changes {
    /// What is new, may have changed, or is not known to be what the tree holds; sorted by path.
    pub(super) found: Vec<(String, Found)>,
    /// Of these, what need not be read.
    pub(super) known: Stats,
    /// What is no longer there; sorted.
    pub(super) gone: Vec<String>,
}

/// Compares a folder with what is remembered of it, one folder at a time: what has not changed costs its `stat` and nothing else.
pub(super) fn changes(root: &Path, cache: &Cache) -> Result<Changes, Failure> {
    let parts: Vec<(Changes, HashSet<String>)> = walk(root, |listed, (changes, seen): &mut (Changes, HashSet<_>)| {
        let prefix = listed.prefix;
        let there = listed.read(&[])?;
        let before = cache.folder(prefix);
        seen.insert(prefix.to_owned());
        let mut old = before.iter().peekable();
        for (name, what) in there.entries {
            while let Some(missing) = old.next_if(|entry| entry.name < name.as_str()) {
                changes.gone.push(format!("{prefix}{}", missing.name));
            }
            let entry = old.next_if(|entry| entry.name == name);
            let same = entry.filter(|entry| match &what {
                Found::File(stamp) => entry.is_file(stamp),
                Found::Link(target) => entry.is_link(target),
            });
            if same.is_some_and(|entry| entry.clean()) {
                continue;
            }
            let path = format!("{prefix}{name}");
            if let Some(known) = same.and_then(|entry| entry.known()) {
                changes.known.insert(path.clone(), known);
            }
            changes.found.push((path, what));
        }
        changes.gone.extend(old.map(|missing| format!("{prefix}{}", missing.name)));
        Ok(there.folders)
    })?;
    let (mut all, mut seen) = (Changes::default(), HashSet::new());
    for (part, folders) in parts {
        all.found.extend(part.found);
        all.known.extend(part.known);
        all.gone.extend(part.gone);
        seen.extend(folders);
    }
    for prefix in cache.folders().filter(|prefix| !seen.contains(*prefix)) {
        all.gone.extend(cache.folder(prefix).iter().map(|entry| format!("{prefix}{}", entry.name)));
    }
    all.found.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    all.gone.sort_unstable();
    Ok(all)
}

/// Visits a folder and every folder below it on several threads, in any order. `visit` says which folders lie in one; each thread
/// gathers into a value of its own.
fn walk<T: Default + Send>(
    root: &Path,
    visit: impl Fn(Folder<'_>, &mut T) -> Result<Vec<Below>, Failure> + Sync,
) -> Result<Vec<T>, Failure> {
    let queue = Mutex::new((vec![(root.to_owned(), String::new(), 0)], 0_usize));
    let (wake, results, failed) = (Condvar::new(), Mutex::new(Vec::new()), Mutex::new(None));
    let worker = || {
        let mut mine = T::default();
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
            let outcome = if lock(&failed).is_some() {
                Ok(vec![])
            } else {
                visit(Folder { path: &folder, prefix: &prefix, depth }, &mut mine)
            };
            let mut guard = lock(&queue);
            guard.1 -= 1;
            match outcome {
                Ok(folders) => guard.0.extend(folders),
                Err(failure) => drop(lock(&failed).get_or_insert(failure)),
            }
            wake.notify_all();
        }
        lock(&results).push(mine);
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
    Ok(std::mem::take(&mut *lock(&results)))
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Threads that read files.
pub(super) fn threads() -> usize {
    std::thread::available_parallelism().map_or(2, usize::from).min(8)
}

/// A folder to visit: where it is, the path of what lies in it up to the name, how many folders it lies in.
type Below = (PathBuf, String, usize);

#[derive(Clone, Copy)]
struct Folder<'a> {
    path: &'a Path,
    prefix: &'a str,
    depth: usize,
}

/// What lies in a folder.
struct There {
    /// Files and links, sorted by name.
    entries: Vec<(String, Found)>,
    folders: Vec<Below>,
}

impl Folder<'_> {
    fn read(self, skip: &[String]) -> Result<There, Failure> {
        let Self { path: folder, prefix, depth } = self;
        let mut there = There { entries: Vec::new(), folders: Vec::new() };
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
            if !skip.is_empty() && skip.contains(&format!("{prefix}{name}")) {
                continue;
            }
            check_name(name).map_err(refuse)?;
            let metadata = match entry.metadata() {
                Ok(metadata) => metadata,
                // Removed since the folder was listed.
                Err(e) if e.kind() == std::io::ErrorKind::NotFound => continue,
                Err(e) => return Err(Failure::io(&path(), "read", &e)),
            };
            if metadata.is_dir() {
                there.folders.push((path(), format!("{prefix}{name}/"), depth + 1));
            } else if metadata.is_file() {
                there.entries.push((name.to_owned(), Found::File(Stamp::of(&metadata))));
            } else if metadata.is_symlink() {
                let target = fs::read_link(path()).map_err(|e| Failure::io(&path(), "read", &e))?;
                let target = target.to_str().ok_or_else(|| refuse("leads to a name that is no Unicode"))?;
                let is_folder = |below: &str| folder.join(below).symlink_metadata().is_ok_and(|there| there.is_dir());
                let plain = plain_link(target, is_folder);
                check_link(&plain, depth).map_err(|why| {
                    Failure::data(format!("is a link whose target `{target}` {why}"))
                        .at(path())
                        .help("put the file itself there, or remove the link")
                })?;
                there.entries.push((name.to_owned(), Found::Link(plain)));
            } else {
                return Err(Failure::data("is neither a file nor a folder nor a link").at(path()).help("remove it"));
            }
        }
        there.entries.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        let folders = there.folders.iter().map(|(_, below, _)| below[prefix.len()..].trim_end_matches('/'));
        if let Some(name) = clash(there.entries.iter().map(|(name, _)| name.as_str()).chain(folders)) {
            let why = "cannot be put under version: its name differs from another one only by case or Unicode spelling, \
                       which other systems cannot keep apart";
            return Err(Failure::data(why).at(folder.join(name)).help("rename it"));
        }
        Ok(there)
    }
}
