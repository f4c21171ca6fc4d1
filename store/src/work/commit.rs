//! The folder, recorded.

use super::copy::WorkingCopy;
use super::hashing::hash;
use super::packer::Packer;
use super::scan::{changes, scan};
use super::stat::{self, Cache};
use super::state::FOLDER;
use crate::Digest;
use crate::snapshot::{Catalogue, Delta, FORMAT, Files, Kind as PackKind, Node, Run, Snapshot, patch, tree_of};
use shared::failure::{Failure, Kind};
use shared::run_folder::Manifest;
use std::collections::BTreeMap;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

/// How a commit is made.
#[derive(Debug, Clone, Default)]
pub struct CommitOptions {
    /// Why.
    pub message: String,
    /// Who.
    pub author: String,
    /// The program, with its version.
    pub program: String,
    /// Keeps in the snapshot what no longer lies in the folder: boards remove old runs to have space.
    pub keep_missing: bool,
    /// Entries of the folder that are left as they are in the snapshot before: runs that still go on.
    pub skip: Vec<String>,
}

impl WorkingCopy {
    /// Records the folder as it is, here; `push` sends it. None where nothing has changed.
    ///
    /// What is new is copied into packs, so that the snapshot stays whole whatever happens to the folder afterwards.
    ///
    /// # Errors
    /// Names that cannot be put under version, files that change meanwhile, file system errors.
    pub async fn commit(&mut self, options: &CommitOptions) -> Result<Option<Digest>, Failure> {
        if self.state.detached.is_some() {
            return Err(Failure::usage("the folder holds an older snapshot, on which nothing can be built")
                .at(&self.root)
                .help("`data checkout BRANCH` first, or `data branch NAME` for a new branch from here"));
        }
        let parent = self.state.head();
        let catalogue = self.catalogue().await?;
        let before = match parent {
            Some(parent) => Some(self.objects.snapshot(parent).await?),
            None => None,
        };
        let folder = self.root.join(FOLDER).join("staged/packs");
        let mut data = Packer::new(folder.clone(), PackKind::Data);
        let cache = Cache::read(&self.root);
        let whole = self.config.remote_dir.is_empty() && !options.keep_missing && options.skip.is_empty();
        let same = before.as_ref().filter(|before| whole && cache.tree == Some(before.tree));
        let made = match same {
            Some(before) => self.made_of_changes(&catalogue, &cache, before, &mut data).await?,
            None => {
                self.made_of_all(&catalogue, &cache, before.as_ref().zip(parent), whole, options, &mut data).await?
            }
        };
        if before.as_ref().is_some_and(|before| before.tree == made.tree) {
            return Ok(None);
        }
        let mut tocs = data.finish()?;
        let mut packer = Packer::new(folder, PackKind::Lists);
        for (digest, list) in made.lists.iter().filter(|(digest, _)| !catalogue.has(digest)) {
            packer.add(*digest, list)?;
        }
        tocs.extend(packer.finish()?);
        let snapshot = Snapshot {
            format: FORMAT,
            tree: made.tree,
            parent,
            generation: before.as_ref().map_or(0, |before| before.generation) + 1,
            author: options.author.clone(),
            time_unix_ms: SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64),
            message: options.message.clone(),
            program: options.program.clone(),
            files: made.files,
            bytes: made.bytes,
            runs: made.runs,
        };
        let digest = self.stage(&snapshot)?;
        self.state.staged.extend(tocs.iter().map(crate::snapshot::Toc::id));
        self.state.local.insert(self.state.branch.clone(), digest);
        self.save()?;
        Ok(Some(digest))
    }

    /// Looks at every file's stamp and makes every list.
    async fn made_of_all(
        &self,
        catalogue: &Catalogue,
        cache: &Cache,
        before: Option<(&Snapshot, Digest)>,
        whole: bool,
        options: &CommitOptions,
        data: &mut Packer,
    ) -> Result<Made, Failure> {
        let now = stat::clock(&self.root)?;
        let found = scan(&self.root, &options.skip)?;
        let (working, stats) = hash(&self.root, &found, &cache.stats(), Some((data, catalogue)), &self.progress)?;
        let around = match whole {
            true => None,
            false => {
                let before = self.files_or_none(catalogue, before.map(|(_, digest)| digest)).await?;
                Some(self.around(before, working.clone(), options))
            }
        };
        let files = around.as_ref().unwrap_or(&working);
        let (tree, lists) = tree_of(files).map_err(|why| Failure::data(why).at(&self.root))?;
        stat::write(&self.root, cache, &working, &stats, now, whole.then_some(tree))?;
        Ok(Made {
            tree,
            lists,
            files: files.len() as u64,
            bytes: files.values().map(size).sum(),
            runs: self.runs(files, before.map_or(&[], |(before, _)| &before.runs)),
        })
    }

    /// Looks at every file's stamp, and makes the lists of those folders only in which something is not what the tree of the
    /// snapshot before holds.
    async fn made_of_changes(
        &self,
        catalogue: &Catalogue,
        cache: &Cache,
        before: &Snapshot,
        data: &mut Packer,
    ) -> Result<Made, Failure> {
        let now = stat::clock(&self.root)?;
        let changes = changes(&self.root, cache)?;
        let (files, stats) = hash(&self.root, &changes.found, &changes.known, Some((data, catalogue)), &self.progress)?;
        let gone = changes.gone.iter().map(|path| (path.clone(), None));
        let delta: Delta = gone.chain(files.iter().map(|(path, node)| (path.clone(), Some(node.clone())))).collect();
        let patched = patch(&self.objects, catalogue, before.tree, &delta).await.map_err(|e| match e {
            // A name that no snapshot can hold: the folder's fault.
            crate::Error::Content { reason, .. } => Failure::data(reason).at(&self.root),
            e => e.into(),
        })?;
        let tree = patched.root.unwrap_or(before.tree);
        if !delta.is_empty() {
            stat::update(&self.root, cache, &files, &stats, &changes.gone, now, tree)?;
        }
        let mut runs: BTreeMap<String, Run> =
            before.runs.iter().map(|run| (format!("{}/manifest.json", run.folder), run.clone())).collect();
        delta.keys().for_each(|path| drop(runs.remove(path)));
        for run in self.runs(&files, &before.runs) {
            runs.insert(format!("{}/manifest.json", run.folder), run);
        }
        Ok(Made {
            tree,
            lists: patched.lists,
            files: before.files.saturating_add_signed(patched.files),
            bytes: before.bytes.saturating_add_signed(patched.bytes),
            runs: runs.into_values().collect(),
        })
    }

    /// Writes a snapshot where it waits to be pushed.
    pub(super) fn stage(&self, snapshot: &Snapshot) -> Result<Digest, Failure> {
        let (digest, content) = snapshot.encode().map_err(|e| Failure::from_error(Kind::Data, e))?;
        shared::fs::write_atomic(&self.objects.staged("snapshots", &digest), &content)?;
        Ok(digest)
    }

    /// The snapshot's files: those of this folder, and those of the one before that it does not speak for.
    fn around(&self, mut before: Files, working: Files, options: &CommitOptions) -> Files {
        before.retain(|path, _| match self.inner(path) {
            None => true,
            Some(inner) => options.keep_missing || options.skip.iter().any(|skip| Path::new(inner).starts_with(skip)),
        });
        if options.keep_missing {
            // A file that has become a folder, or a folder that has become a file, has not just gone missing.
            let replaced: Vec<String> = before
                .keys()
                .filter(|path| {
                    let Some(inner) = self.inner(path) else { return false };
                    let folder = format!("{inner}/");
                    working.range(folder.clone()..).next().is_some_and(|(path, _)| path.starts_with(&folder))
                        || Path::new(inner)
                            .ancestors()
                            .skip(1)
                            .any(|above| above.to_str().is_some_and(|above| working.contains_key(above)))
                })
                .cloned()
                .collect();
            replaced.iter().for_each(|path| drop(before.remove(path)));
        }
        before.extend(working.into_iter().map(|(path, node)| (self.outer(&path), node)));
        before
    }

    /// The run folders among the files, by their manifests.
    fn runs(&self, files: &Files, before: &[Run]) -> Vec<Run> {
        let mut runs = Vec::new();
        for (path, node) in files {
            let Some(folder) = path.strip_suffix("/manifest.json") else { continue };
            let Node::File { pieces, .. } = node else { continue };
            let [manifest] = pieces[..] else { continue };
            if let Some(run) = before.iter().find(|run| run.folder == folder && run.manifest == manifest) {
                runs.push(run.clone());
                continue;
            }
            let Some(read) = self.inner(path).and_then(|inner| Manifest::read(&self.root.join(inner)).ok()) else {
                continue;
            };
            let status = serde_json::to_value(read.status).ok().and_then(|value| value.as_str().map(str::to_owned));
            runs.push(Run {
                folder: folder.to_owned(),
                manifest,
                model: read.model,
                status: status.unwrap_or_default(),
                board: read.board.model,
                source: read.power.source,
                program: read.program,
            });
        }
        runs
    }

    /// What the folder holds now, compared by size and times where they say enough.
    pub(super) fn working(&self) -> Result<(Files, stat::Stats), Failure> {
        let now = stat::clock(&self.root)?;
        let cache = Cache::read(&self.root);
        let known = cache.stats();
        let found = scan(&self.root, &[])?;
        let (files, stats) = hash(&self.root, &found, &known, None, &self.progress)?;
        if stats != known {
            stat::write(&self.root, &cache, &files, &stats, now, None)?;
        }
        Ok((files, stats))
    }
}

/// What a commit is made of.
struct Made {
    tree: Digest,
    /// Lists, of which some may be in a pack already.
    lists: BTreeMap<Digest, Vec<u8>>,
    files: u64,
    bytes: u64,
    runs: Vec<Run>,
}

pub(super) fn size(node: &Node) -> u64 {
    match node {
        Node::File { size, .. } => *size,
        Node::Link { .. } => 0,
    }
}
