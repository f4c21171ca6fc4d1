//! The folder, opened.

use super::packer::read_toc;
use super::state::{self, Config, FOLDER, FORMAT, State};
use crate::location::resolved;
use crate::snapshot::{Catalogue, Files, Node, Objects, Snapshot, check_name, read_files};
use crate::{Digest, Progress, Store};
use shared::failure::{Failure, Kind};
use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A folder under version. While it is open no other process works on it.
///
/// ```
/// use store::Store;
/// use store::work::{CommitOptions, Pushed, WorkingCopy};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), shared::failure::Failure> {
/// let folder = tempfile::tempdir().expect("a folder");
/// std::fs::write(folder.path().join("dense.csv"), "model,runtime\n").expect("a table");
/// let mut copy = WorkingCopy::init(folder.path(), "memory:", Store::memory(), "", "main")?;
/// let options = CommitOptions { message: "first tables".into(), ..CommitOptions::default() };
/// let snapshot = copy.commit(&options).await?.expect("the table is new");
/// assert!(matches!(copy.push(4).await?, Pushed::Done { .. }));
/// assert_eq!(copy.status().await?.head, Some(snapshot));
/// assert!(copy.commit(&options).await?.is_none(), "nothing has changed");
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct WorkingCopy {
    pub(super) root: PathBuf,
    pub(super) config: Config,
    pub(super) state: State,
    pub(super) objects: Objects,
    pub(super) progress: Arc<Progress>,
    _lock: File,
}

impl WorkingCopy {
    /// Puts a folder under version, with a store to push to. Nothing is read or sent yet: [`Store::make`] makes the store.
    ///
    /// # Errors
    /// As [`WorkingCopy::check_init`]; file system errors.
    pub fn init(root: &Path, remote: &str, store: Store, remote_dir: &str, branch: &str) -> Result<Self, Failure> {
        Self::check_init(root, &store, remote_dir, branch)?;
        let remote = match store.local_folder() {
            Some(folder) => folder.display().to_string(),
            None => remote.to_owned(),
        };
        let edge = root.join(FOLDER);
        fs::create_dir_all(&edge).map_err(|e| Failure::io(&edge, "create", &e))?;
        state::write(root, "state.json", &State::new(branch))?;
        let remote_dir = steps(remote_dir).collect::<Vec<_>>().join("/");
        let config = Config { format: FORMAT, remote, remote_dir, store_seen: store.is_known() };
        state::write(root, "config.json", &config)?;
        Self::open_over(root, store)
    }

    /// Whether a folder can be put under version so; nothing is written.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it is under version already, when the store lies in it or it in the store, or when `remote_dir` or
    /// `branch` is no name.
    pub fn check_init(root: &Path, store: &Store, remote_dir: &str, branch: &str) -> Result<(), Failure> {
        for part in steps(remote_dir) {
            check_name(part)
                .map_err(|why| Failure::usage(format!("the remote folder `{remote_dir}` has a part that {why}")))?;
        }
        state::named("the branch", branch)?;
        if root.join(FOLDER).join("config.json").exists() {
            return Err(Failure::usage("is under version already").at(root).help("`data status` says how it stands"));
        }
        let root = resolved(root).map_err(|e| Failure::io(root, "find", &e))?;
        if store.local_folder().is_some_and(|folder| folder.starts_with(&root) || root.starts_with(folder)) {
            return Err(
                Failure::usage("a store cannot lie in the folder that it keeps, nor the other way round").at(root)
            );
        }
        Ok(())
    }

    /// Opens a folder under version and the store that it names.
    ///
    /// # Errors
    /// [`Kind::Usage`] when it is not under version or in use; [`Kind::Data`] when what it remembers cannot be understood.
    pub fn open(root: &Path) -> Result<Self, Failure> {
        let config = Self::config_of(root)?;
        Self::open_over(root, Store::open(&config.remote)?)
    }

    /// What a folder under version was set up with.
    ///
    /// # Errors
    /// As [`WorkingCopy::open`].
    pub fn config_of(root: &Path) -> Result<Config, Failure> {
        if !root.join(FOLDER).join("config.json").exists() {
            return Err(Failure::usage("is not under version").at(root).help("`data init URL` puts it under version"));
        }
        let config: Config = state::read(root, "config.json")?;
        if config.format != FORMAT {
            return Err(Failure::data(format!("was set up by a program with format {}", config.format)).at(root));
        }
        Ok(config)
    }

    /// As [`WorkingCopy::open`], with this store whatever the folder names.
    ///
    /// # Errors
    /// As [`WorkingCopy::open`].
    pub fn open_over(root: &Path, store: Store) -> Result<Self, Failure> {
        let config = Self::config_of(root)?;
        let edge = root.join(FOLDER);
        let path = edge.join("lock");
        let lock = File::options().create(true).truncate(false).write(true).open(&path);
        let lock = lock.map_err(|e| Failure::io(&path, "open", &e))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(Failure::usage("is in use by another process").at(root).help("wait for it to end"));
            }
            Err(TryLockError::Error(e)) => return Err(Failure::io(&path, "lock", &e)),
        }
        let state: State = state::read(root, "state.json")?;
        let copy = Self {
            root: root.to_owned(),
            config,
            objects: Objects::new(store, &edge),
            progress: Arc::default(),
            state,
            _lock: lock,
        };
        copy.sweep();
        Ok(copy)
    }

    /// Throws away what a commit that was cut off has left.
    fn sweep(&self) {
        let packs = self.root.join(FOLDER).join("staged/packs");
        for entry in fs::read_dir(packs).into_iter().flatten().flatten() {
            let named = entry.file_name().to_str().and_then(|name| name.parse().ok());
            if !named.is_some_and(|id: Digest| self.state.staged.contains(&id)) {
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// The folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// The store.
    #[must_use]
    pub fn store(&self) -> &Store {
        self.objects.store()
    }

    /// Objects, read through this folder's cache.
    #[must_use]
    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    /// What the folder was set up with.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// What the folder remembers.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// How far the call under way has come.
    #[must_use]
    pub fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    pub(super) fn save(&self) -> Result<(), Failure> {
        state::write(&self.root, "state.json", &self.state)
    }

    /// Everything that can be found: in the indexes that branches named when they were last seen, and in what waits here.
    pub(super) async fn catalogue(&self) -> Result<Catalogue, Failure> {
        let mut catalogue = Catalogue::default();
        let mut seen = std::collections::BTreeSet::new();
        for head in self.state.remote.values() {
            for index in &head.indexes {
                if seen.insert(*index) {
                    self.objects.index(*index).await?.into_iter().for_each(|toc| catalogue.add(toc));
                }
            }
        }
        for pack in &self.state.staged {
            catalogue.add(read_toc(&self.objects.staged("packs", pack))?);
        }
        Ok(catalogue)
    }

    /// A snapshot and its files.
    pub(super) async fn files_at(&self, catalogue: &Catalogue, at: Digest) -> Result<(Snapshot, Files), Failure> {
        let snapshot = self.objects.snapshot(at).await?;
        let files = read_files(&self.objects, catalogue, snapshot.tree).await?;
        Ok((snapshot, files))
    }

    pub(super) async fn files_or_none(&self, catalogue: &Catalogue, at: Option<Digest>) -> Result<Files, Failure> {
        match at {
            Some(at) => Ok(self.files_at(catalogue, at).await?.1),
            None => Ok(Files::new()),
        }
    }

    /// The path in a snapshot of a path in this folder.
    pub(super) fn outer(&self, path: &str) -> String {
        if self.config.remote_dir.is_empty() { path.to_owned() } else { format!("{}/{path}", self.config.remote_dir) }
    }

    /// The path in this folder of a path in a snapshot, if it lies in it.
    pub(super) fn inner<'a>(&self, path: &'a str) -> Option<&'a str> {
        if self.config.remote_dir.is_empty() {
            return Some(path);
        }
        path.strip_prefix(&self.config.remote_dir)?.strip_prefix('/')
    }

    /// The files of a snapshot that this folder stands for, by their paths here.
    pub(super) fn inside(&self, files: &Files) -> Files {
        if self.config.remote_dir.is_empty() {
            return files.clone();
        }
        files.iter().filter_map(|(path, node)| Some((self.inner(path)?.to_owned(), node.clone()))).collect()
    }

    /// Sees that files which were written are on the disk before anything says that they are: few of them one by one, many by
    /// flushing the file system.
    pub(super) fn flush(&self, written: &[(String, Node)]) -> Result<(), Failure> {
        const FEW: usize = 64;
        let sync = |path: &Path| match File::open(path) {
            // A file that did not arrive, or a link to one.
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(Failure::io(path, "open", &e)),
            Ok(file) => file.sync_all().map_err(|e| Failure::io(path, "flush", &e)),
        };
        #[cfg(target_os = "linux")]
        if written.len() > FEW {
            let folder = File::open(&self.root).map_err(|e| Failure::io(&self.root, "open", &e))?;
            return rustix::fs::syncfs(&folder).map_err(|e| Failure::io(&self.root, "flush", &e.into()));
        }
        for (path, _) in written.iter().filter(|(_, node)| matches!(node, Node::File { .. })) {
            let path = self.root.join(path);
            sync(&path)?;
            path.parent().map_or(Ok(()), sync)?;
        }
        Ok(())
    }
}

/// The steps of a path in the store: `.`, `//` and a `/` at either end are none.
fn steps(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|step| !matches!(*step, "" | "."))
}

/// The failure for a branch that exists neither here nor in the store.
pub(super) fn no_branch(branch: &str) -> Failure {
    Failure::new(Kind::Usage, format!("there is no branch `{branch}`")).help("`data branch` lists them")
}
