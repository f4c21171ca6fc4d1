//! Snapshots by name, and what they follow.

use super::copy::WorkingCopy;
use super::state::{self, RemoteHead};
use crate::Digest;
use crate::snapshot::{Difference, Snapshot, Tag, create_tag, diff, tag, tags};
use shared::failure::Failure;
use std::collections::{BTreeMap, BTreeSet};

impl WorkingCopy {
    /// A snapshot and all that it follows, newest first, at most `most`.
    ///
    /// # Errors
    /// What the store says.
    pub async fn log(&self, from: Digest, most: usize) -> Result<Vec<(Digest, Snapshot)>, Failure> {
        let (mut log, mut next) = (Vec::new(), Some(from));
        while let Some(digest) = next.filter(|_| log.len() < most) {
            let snapshot = self.objects.snapshot(digest).await?;
            next = snapshot.parent;
            log.push((digest, snapshot));
        }
        Ok(log)
    }

    /// Whether `older` is `newer` or one that it follows.
    pub(super) async fn follows(&self, newer: Digest, older: Digest) -> Result<bool, Failure> {
        let depth = self.objects.snapshot(older).await?.generation;
        let mut next = Some(newer);
        while let Some(digest) = next {
            if digest == older {
                return Ok(true);
            }
            let snapshot = self.objects.snapshot(digest).await?;
            next = snapshot.parent.filter(|_| snapshot.generation > depth);
        }
        Ok(false)
    }

    /// The snapshot that a name stands for: `HEAD`, a branch, a tag, the first four or more digits of a hash; each with
    /// `~n` for the n-th before it.
    ///
    /// # Errors
    /// When there is none, or several.
    pub async fn resolve(&mut self, name: &str) -> Result<Digest, Failure> {
        let (base, back) = match name.split_once('~') {
            None => (name, 0),
            Some((base, "")) => (base, 1),
            Some((base, count)) => {
                let count: usize =
                    count.parse().map_err(|_| Failure::usage(format!("`{name}`: after `~` stands a number")))?;
                (base, count)
            }
        };
        let mut found = self.resolve_base(base).await?;
        for _ in 0..back {
            found = self.objects.snapshot(found).await?.parent.ok_or_else(|| {
                Failure::usage(format!("`{name}` lies before the first snapshot")).help("`data log` lists them")
            })?;
        }
        Ok(found)
    }

    async fn resolve_base(&mut self, name: &str) -> Result<Digest, Failure> {
        if name == "HEAD" {
            return self.state.head().ok_or_else(|| Failure::usage("nothing was committed or pulled here yet"));
        }
        if let Some(digest) = self.state.local.get(name) {
            return Ok(*digest);
        }
        if let Some(head) = self.state.remote.get(name) {
            return Ok(head.head);
        }
        let unknown = || {
            Failure::usage(format!("`{name}` is no branch, no tag and no snapshot"))
                .help("`data log`, `data branch` and `data tag` list them")
        };
        let digits = name.len() >= 4
            && name.len() <= 64
            && name.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        if digits {
            let mut matching = BTreeSet::new();
            let ends = self.state.local.values().copied().chain(self.state.remote.values().map(|head| head.head));
            let mut seen = BTreeSet::new();
            for end in ends {
                let mut next = Some(end);
                while let Some(digest) = next.filter(|digest| seen.insert(*digest)) {
                    if digest.to_string().starts_with(name) {
                        matching.insert(digest);
                    }
                    next = self.objects.snapshot(digest).await?.parent;
                }
            }
            match matching.len() {
                0 => {}
                1 => return matching.pop_first().ok_or_else(unknown),
                n => return Err(Failure::usage(format!("`{name}` begins {n} snapshots")).help("give more digits")),
            }
        }
        if crate::snapshot::check_ref(name).is_err() {
            return Err(unknown());
        }
        let tag = tag(self.store(), name).await?.ok_or_else(unknown)?;
        self.know_tag(name, &tag)?;
        Ok(tag.snapshot)
    }

    /// A tag may stand for what no branch that was seen here leads to: its indexes are remembered like a branch's. No branch
    /// can have such a name.
    fn know_tag(&mut self, name: &str, tag: &Tag) -> Result<(), Failure> {
        let known = self.state.remote.values().any(|head| tag.indexes.iter().all(|index| head.indexes.contains(index)));
        if !known {
            let head = RemoteHead { number: 1, head: tag.snapshot, indexes: tag.indexes.clone() };
            self.state.remote.insert(format!("tag {name}"), head);
            self.save()?;
        }
        Ok(())
    }

    /// What differs between two snapshots.
    ///
    /// # Errors
    /// What the store says.
    pub async fn diff(&self, before: Option<Digest>, after: Digest) -> Result<Vec<Difference>, Failure> {
        let catalogue = self.catalogue().await?;
        let old = self.files_or_none(&catalogue, before).await?;
        let (_, new) = self.files_at(&catalogue, after).await?;
        Ok(diff(&old, &new))
    }

    /// Creates a branch at a snapshot and goes to it; the folder's files stay as they are.
    ///
    /// # Errors
    /// [`Kind::Usage`](shared::failure::Kind::Usage) when there is such a branch, or it is no name.
    pub async fn create_branch(&mut self, name: &str) -> Result<(), Failure> {
        state::named("the branch", name)?;
        if self.state.local.contains_key(name) || self.state.remote.contains_key(name) {
            return Err(
                Failure::usage(format!("there is a branch `{name}` already")).help("`data checkout` goes to it")
            );
        }
        if let Some(head) = self.state.head() {
            self.state.local.insert(name.into(), head);
        }
        self.state.detached = None;
        self.state.branch = name.into();
        self.save()
    }

    /// Every branch: where it is here, where it was last seen in the store.
    #[must_use]
    pub fn branches(&self) -> BTreeMap<String, (Option<Digest>, Option<Digest>)> {
        let mut all: BTreeMap<String, (Option<Digest>, Option<Digest>)> = BTreeMap::new();
        for (name, digest) in &self.state.local {
            all.entry(name.clone()).or_default().0 = Some(*digest);
        }
        for (name, head) in self.state.remote.iter().filter(|(name, _)| !name.starts_with("tag ")) {
            all.entry(name.clone()).or_default().1 = Some(head.head);
        }
        all.entry(self.state.branch.clone()).or_default();
        all
    }

    /// Tags of the store.
    ///
    /// # Errors
    /// What the store says.
    pub async fn tags(&self) -> Result<BTreeMap<String, Digest>, Failure> {
        Ok(tags(self.store()).await?.into_iter().map(|(name, tag)| (name, tag.snapshot)).collect())
    }

    /// Creates a tag in the store for a snapshot that was pushed. It stands from then on and never moves.
    ///
    /// # Errors
    /// [`Kind::AnswerIsNo`](shared::failure::Kind::AnswerIsNo) when the name stands for another snapshot;
    /// [`Kind::Usage`](shared::failure::Kind::Usage) when the snapshot was not pushed.
    pub async fn create_tag(&mut self, name: &str, at: Digest) -> Result<(), Failure> {
        state::named("the tag", name)?;
        if self.branches().contains_key(name) {
            return Err(Failure::usage(format!("`{name}` is a branch")).help("choose another name"));
        }
        self.fetch().await?;
        for head in self.state.remote.values() {
            if self.follows(head.head, at).await? {
                let tag = Tag { snapshot: at, indexes: head.indexes.clone() };
                let stands = create_tag(self.store(), name, &tag).await?;
                return if stands {
                    Ok(())
                } else {
                    Err(Failure::new(
                        shared::failure::Kind::AnswerIsNo,
                        format!("the tag `{name}` stands for another snapshot"),
                    )
                    .help("tags never move: choose another name"))
                };
            }
        }
        Err(Failure::usage(format!("snapshot {at} is not in the store yet")).help("`data push` first"))
    }

    /// Goes to a branch in a folder that stands on nothing yet.
    ///
    /// # Errors
    /// [`Kind::Usage`](shared::failure::Kind::Usage) when the folder is on another branch with snapshots, or it is no name.
    pub fn start_on(&mut self, branch: &str) -> Result<(), Failure> {
        state::named("the branch", branch)?;
        if self.state.branch == branch && self.state.detached.is_none() {
            return Ok(());
        }
        if self.state.head().is_some() {
            return Err(Failure::usage(format!("the folder is on branch `{}`", self.state.branch))
                .at(&self.root)
                .help(format!("`data checkout {branch}` goes there, `data branch {branch}` begins it here")));
        }
        self.state.branch = branch.to_owned();
        self.save()
    }
}
