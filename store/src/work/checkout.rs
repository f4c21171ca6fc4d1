//! A snapshot's files, brought into the folder.

use super::commit::size;
use super::copy::WorkingCopy;
use super::download::{Wanted, damage, fetch_pack};
use super::plan::{plan, refusal};
use super::stat::{self, Cache, Known, Stats};
use super::state::FOLDER;
use super::writer::{Writer, real_parents, unchanged};
use crate::Digest;
use crate::snapshot::{CHUNK, Catalogue, Node};
use futures_util::{StreamExt, stream};
use shared::failure::Failure;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::{fs, io};

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

impl WorkingCopy {
    /// Makes the folder what a snapshot says and stays on it. A branch's name goes to that branch; any other name leaves the
    /// folder on that snapshot until a branch is checked out.
    ///
    /// # Errors
    /// [`Kind::AnswerIsNo`](shared::failure::Kind::AnswerIsNo) when files with changes of their own would be lost and `force` is not set; what the store says.
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
            .map(|(id, wanted)| fetch_pack(self.store(), id, wanted, Arc::clone(&writer), Arc::clone(&self.progress)))
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
