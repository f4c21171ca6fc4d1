//! From the store to here.

use super::checkout::Written;
use super::commit::size;
use super::copy::{WorkingCopy, no_branch};
use super::packer::Packer;
use super::plan::refusal;
use super::state::FOLDER;
use crate::Digest;
use crate::snapshot::{Catalogue, Kind as PackKind, Snapshot, Toc, merge, tree_of};
use shared::failure::{Failure, Kind};

/// What became of a pull.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pulled {
    /// The folder has all that the store's branch has.
    UpToDate,
    /// The folder is where the store's branch is.
    Forward(Written),
    /// Snapshots of this folder that the store does not have were put on top of the store's: their number; they wait to be pushed.
    Rebased(usize, Written),
}

impl WorkingCopy {
    /// Brings the folder to where the store's branch is. Snapshots that were committed here and not pushed are put on top, each
    /// with its message, author and time.
    ///
    /// # Errors
    /// [`Kind::AnswerIsNo`] with the paths, when files with changes of their own would be lost or a path was changed both here and
    /// there; with `force` the store's version wins, and what was committed here stays in its snapshot. What the store says.
    pub async fn pull(&mut self, force: bool, jobs: usize) -> Result<Pulled, Failure> {
        self.catch_up(force, jobs, true).await
    }

    /// As [`WorkingCopy::pull`], but leaves the folder's files as they are: for boards, whose folder never holds all that was
    /// pushed. What is committed next with `keep_missing` is added to what is in the store.
    ///
    /// # Errors
    /// As [`WorkingCopy::pull`].
    pub async fn pull_history(&mut self) -> Result<Pulled, Failure> {
        self.catch_up(false, 1, false).await
    }

    async fn catch_up(&mut self, force: bool, jobs: usize, write: bool) -> Result<Pulled, Failure> {
        if self.state.detached.is_some() {
            return Err(Failure::usage("the folder holds an older snapshot")
                .at(&self.root)
                .help("`data checkout BRANCH` first"));
        }
        self.fetch().await?;
        let branch = self.state.branch.clone();
        let Some(remote) = self.state.remote.get(&branch).map(|remote| remote.head) else {
            return if self.state.local.contains_key(&branch) { Ok(Pulled::UpToDate) } else { Err(no_branch(&branch)) };
        };
        let local = self.state.local.get(&branch).copied();
        let catalogue = self.catalogue().await?;
        if let Some(local) = local
            && self.follows(local, remote).await?
        {
            if !force {
                return Ok(Pulled::UpToDate);
            }
            let written = self.move_to(&catalogue, Some(local), true, jobs).await?;
            return Ok(if written == Written::default() { Pulled::UpToDate } else { Pulled::Forward(written) });
        }
        let fork = match local {
            Some(local) => self.fork(local, remote).await?,
            None => None,
        };
        if local == fork {
            let written = match write {
                true => self.move_to(&catalogue, Some(remote), force, jobs).await?,
                false => Written::default(),
            };
            self.state.local.insert(branch, remote);
            self.save()?;
            return Ok(Pulled::Forward(written));
        }
        let (head, count, tocs) = self.rebase(&catalogue, local, fork, remote, force).await?;
        let mut catalogue = catalogue;
        self.state.staged.extend(tocs.iter().map(Toc::id));
        tocs.into_iter().for_each(|toc| catalogue.add(toc));
        let written = match write {
            true => self.move_to(&catalogue, Some(head), force, jobs).await?,
            false => Written::default(),
        };
        self.state.local.insert(branch, head);
        self.save()?;
        Ok(if count == 0 { Pulled::Forward(written) } else { Pulled::Rebased(count, written) })
    }

    /// The newest snapshot that both follow.
    async fn fork(&self, local: Digest, remote: Digest) -> Result<Option<Digest>, Failure> {
        let (mut mine, mut theirs) = (Some(local), Some(remote));
        while let (Some(one), Some(other)) = (mine, theirs) {
            if one == other {
                return Ok(Some(one));
            }
            let (a, b) = (self.objects.snapshot(one).await?, self.objects.snapshot(other).await?);
            if a.generation >= b.generation {
                mine = a.parent;
            }
            if b.generation >= a.generation {
                theirs = b.parent;
            }
        }
        Ok(None)
    }

    /// Puts the snapshots from after `fork` to `local` on top of `onto`.
    async fn rebase(
        &self,
        catalogue: &Catalogue,
        local: Option<Digest>,
        fork: Option<Digest>,
        onto: Digest,
        force: bool,
    ) -> Result<(Digest, usize, Vec<Toc>), Failure> {
        let (mut mine, mut next) = (Vec::new(), local);
        while let Some(digest) = next.filter(|digest| Some(*digest) != fork) {
            let snapshot = self.objects.snapshot(digest).await?;
            next = snapshot.parent;
            mine.push((digest, snapshot));
        }
        let mut base = self.files_or_none(catalogue, fork).await?;
        let (theirs, mut files) = self.files_at(catalogue, onto).await?;
        let (mut head, mut tree, mut runs, mut generation) = (onto, theirs.tree, theirs.runs, theirs.generation);
        let mut packer = Packer::new(self.root.join(FOLDER).join("staged/packs"), PackKind::Lists);
        let (mut packed, mut count) = (std::collections::HashSet::new(), 0);
        for (digest, snapshot) in mine.into_iter().rev() {
            let (_, ours) = self.files_at(catalogue, digest).await?;
            let merged = merge(&base, &ours, &files, force).map_err(|conflicts| {
                let named = refusal(&self.root, &conflicts).message;
                Failure::new(Kind::AnswerIsNo, format!("changed both here and in the store since snapshot {}; {named}", short(fork)))
                    .at(&self.root)
                    .help("--force takes the store's version of these paths; yours stays in your snapshot: `data checkout` can show it")
            })?;
            base = ours;
            let (new, lists) = tree_of(&merged).map_err(|why| Failure::data(why).at(&self.root))?;
            if new == tree {
                continue;
            }
            for (digest, list) in lists {
                if !catalogue.has(&digest) && packed.insert(digest) {
                    packer.add(digest, &list)?;
                }
            }
            runs.retain(|run| merged.contains_key(&format!("{}/manifest.json", run.folder)));
            for run in &snapshot.runs {
                runs.retain(|other| other.folder != run.folder);
                runs.push(run.clone());
            }
            runs.sort_unstable_by(|a, b| a.folder.cmp(&b.folder));
            let bytes = merged.values().map(size).sum();
            generation += 1;
            let snapshot = Snapshot {
                tree: new,
                parent: Some(head),
                generation,
                files: merged.len() as u64,
                bytes,
                runs: runs.clone(),
                ..snapshot
            };
            head = self.stage(&snapshot)?;
            tree = new;
            files = merged;
            count += 1;
        }
        Ok((head, count, packer.finish()?))
    }
}

fn short(digest: Option<Digest>) -> String {
    digest.map_or_else(|| "the beginning".into(), |digest| digest.to_string()[..12].to_owned())
}
