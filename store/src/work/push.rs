//! From here to the store.

use super::copy::WorkingCopy;
use super::state::{FOLDER, RemoteHead};
use crate::object::blob_key;
use crate::snapshot::{
    Catalogue, GRACE_LEAST, Kind as PackKind, Moved, Toc, added, decode_index, encode_index, ledger, parse_pack,
};
use crate::{Append, Digest, Key};
use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};
use shared::failure::{Failure, Kind};
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// What was sent longer ago is sent again, and a push that has taken longer does not move the branch: `gc` must never have been
/// able to remove any of it.
const SENT_FOR: Duration = Duration::from_secs(GRACE_LEAST.as_secs() / 2);

/// What became of a push.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pushed {
    /// The store has all that is here.
    UpToDate,
    /// The branch of the store is now where it is here.
    Done {
        /// The snapshots that were added to it, oldest first.
        snapshots: Vec<Digest>,
        /// The number of the entry in the branch's ledger.
        number: u64,
    },
    /// The branch of the store has gone on meanwhile: pull first. Nothing was overwritten.
    Behind,
}

/// A line of `staged/sent`: a pack that the store has acknowledged while no branch names it yet.
#[derive(Serialize, Deserialize)]
struct Sent {
    pack: Digest,
    unix_s: u64,
}

fn unix_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

impl WorkingCopy {
    /// Sends the branch's snapshots to the store and moves its branch there, last of all. The same call goes on where one was cut
    /// off.
    ///
    /// # Errors
    /// What the store or the file system says; then the store's branch is where it was, unless only the answer was lost.
    pub async fn push(&mut self, jobs: usize) -> Result<Pushed, Failure> {
        let started = Instant::now();
        if !self.config.store_seen && self.state.remote.is_empty() {
            self.store().mark().await?;
        }
        self.fetch().await?;
        let branch = self.state.branch.clone();
        let Some(head) = self.state.local.get(&branch).copied() else {
            return Err(
                Failure::usage(format!("nothing was committed on `{branch}`")).help("`data commit -m WHY` first")
            );
        };
        let remote = self.state.remote.get(&branch).cloned();
        if remote.as_ref().is_some_and(|remote| remote.head == head) {
            self.forget_staged(&Catalogue::default(), &[])?;
            return Ok(Pushed::UpToDate);
        }
        let Some(snapshots) = self.ahead(head, remote.as_ref()).await? else { return Ok(Pushed::Behind) };
        let catalogue = self.catalogue().await?;
        let needed = self.needed(&catalogue, remote.as_ref(), &snapshots).await?;
        let (indexes, base) = self.base_indexes(remote.as_ref(), &needed).await?;
        let new: Vec<&Toc> =
            catalogue.packs().filter(|(id, _)| needed.contains(id) && !base.contains(id)).map(|(_, toc)| toc).collect();
        self.send_packs(&new, jobs).await?;
        let (indexes, index) = self.new_index(indexes, &new).await?;
        let folder = Key::new("indexes")?;
        if let Some(index) = index {
            let digest = self.store().put_blob(&folder, index.clone().into()).await?;
            self.objects.keep("indexes", &digest, &index);
        }
        let folder = Key::new("snapshots")?;
        for digest in &snapshots {
            let path = self.objects.staged("snapshots", digest);
            if path.exists() {
                let content = shared::fs::read_capped(&path, 64 << 20)?;
                if Digest::of(&content) != *digest {
                    return Err(Failure::data("does not hash to its name").at(&path));
                }
                self.store().put_blob(&folder, content.into()).await?;
            }
        }
        if started.elapsed() > SENT_FOR {
            return Err(Failure::new(Kind::Io, "the push has taken so long that what it sent first may be gone")
                .help("run the same command again: what is still there is not sent twice"));
        }
        let moved = Moved { snapshots, indexes };
        let after = remote.map_or(0, |remote| remote.number);
        match ledger(self.store(), &branch)?.append(after, &moved).await? {
            Append::Lost => Ok(Pushed::Behind),
            Append::Done(number) => {
                let Moved { snapshots, indexes } = moved;
                self.state.remote.insert(branch, RemoteHead { number, head, indexes });
                self.forget_staged(&catalogue, &snapshots)?;
                self.progress.finish();
                Ok(Pushed::Done { snapshots, number })
            }
        }
    }

    /// The snapshots here that the store's branch lacks, oldest first; `None` where it has some that are not here.
    async fn ahead(&self, head: Digest, remote: Option<&RemoteHead>) -> Result<Option<Vec<Digest>>, Failure> {
        let (mut ahead, mut next) = (vec![], Some(head));
        let depth = match remote {
            Some(remote) => self.objects.snapshot(remote.head).await?.generation,
            None => 0,
        };
        while let Some(digest) = next {
            if remote.is_some_and(|remote| remote.head == digest) {
                break;
            }
            // A new branch begins where another of the store's goes on.
            if remote.is_none() && !ahead.is_empty() && !self.objects.staged("snapshots", &digest).exists() {
                break;
            }
            let snapshot = self.objects.snapshot(digest).await?;
            if snapshot.generation < depth {
                return Ok(None);
            }
            ahead.push(digest);
            next = snapshot.parent;
        }
        if remote.is_some() && next.is_none() {
            return Ok(None);
        }
        ahead.reverse();
        Ok(Some(ahead))
    }

    /// The packs that hold everything in these snapshots but what the store's branch holds already: that each blob is in one is
    /// what makes them whole.
    async fn needed(
        &self,
        catalogue: &Catalogue,
        remote: Option<&RemoteHead>,
        snapshots: &[Digest],
    ) -> Result<BTreeSet<Digest>, Failure> {
        let (mut needed, mut before) = (BTreeSet::new(), None);
        if let Some(remote) = remote {
            before = Some(self.objects.snapshot(remote.head).await?.tree);
        }
        for digest in snapshots {
            let snapshot = self.objects.snapshot(*digest).await?;
            for blob in added(&self.objects, catalogue, before, snapshot.tree).await? {
                let (pack, _) = catalogue.pack_of(&blob).ok_or_else(|| {
                    Failure::data(format!(
                        "snapshot {digest} (\"{}\") refers to a blob that is nowhere",
                        snapshot.title()
                    ))
                    .at(&self.root)
                })?;
                needed.insert(*pack);
            }
            before = Some(snapshot.tree);
        }
        Ok(needed)
    }

    /// The indexes to build on, and the packs in them: those of the branch, or for a new branch those of the branch that has most
    /// in common with it.
    async fn base_indexes(
        &self,
        remote: Option<&RemoteHead>,
        needed: &BTreeSet<Digest>,
    ) -> Result<(Vec<Digest>, HashSet<Digest>), Failure> {
        let candidates: Vec<&RemoteHead> = remote.map_or_else(|| self.state.remote.values().collect(), |one| vec![one]);
        let (mut best, mut most) = ((vec![], HashSet::new()), None);
        for head in candidates {
            let mut packs = HashSet::new();
            for index in &head.indexes {
                packs.extend(self.objects.index(*index).await?.iter().map(Toc::id));
            }
            let common = needed.iter().filter(|pack| packs.contains(pack)).count();
            if remote.is_some() || (common > 0 && most.is_none_or(|most| common > most)) {
                (best, most) = ((head.indexes.clone(), packs), Some(common));
            }
        }
        Ok(best)
    }

    /// The list of indexes with the new packs in it. Indexes that are not much larger than what is added are written again
    /// together with it, so that there are never more than some twenty.
    async fn new_index(
        &self,
        mut indexes: Vec<Digest>,
        new: &[&Toc],
    ) -> Result<(Vec<Digest>, Option<Vec<u8>>), Failure> {
        if new.is_empty() {
            return Ok((indexes, None));
        }
        let mut encoded = encode_index(new);
        while let Some(last) = indexes.last() {
            let tocs = self.objects.index(*last).await?;
            let before = encode_index(&tocs.iter().collect::<Vec<_>>());
            if before.len() > 2 * encoded.len() {
                break;
            }
            let mine = decode_index(&encoded).map_err(Failure::data)?;
            encoded = encode_index(&tocs.iter().chain(&mine).collect::<Vec<_>>());
            indexes.pop();
        }
        indexes.push(Digest::of(&encoded));
        Ok((indexes, Some(encoded)))
    }

    async fn send_packs(&self, packs: &[&Toc], jobs: usize) -> Result<(), Failure> {
        let journal = self.root.join(FOLDER).join("staged/sent");
        let sent = read_sent(&journal);
        let fresh = unix_s().saturating_sub(SENT_FOR.as_secs());
        self.progress.total(packs.iter().map(|toc| toc.pack_bytes()).sum());
        let mut unsent = Vec::new();
        for toc in packs {
            let id = toc.id();
            let path = self.objects.staged("packs", &id);
            if path.exists() && sent.get(&id).is_none_or(|at| *at < fresh) {
                unsent.push((id, path, toc.pack_bytes(), toc.kind));
            } else {
                // Another branch has it, or this push sent it before it was cut off.
                self.progress.done(toc.pack_bytes());
            }
        }
        let mut lines = None;
        if !unsent.is_empty() {
            let opened = fs::File::options().create(true).append(true).open(&journal);
            lines = Some(opened.map_err(|e| Failure::io(&journal, "open", &e))?);
        }
        let store = self.store();
        let mut sending = stream::iter(unsent)
            .map(|(id, path, size, kind)| async move {
                let key = blob_key(&Key::new("packs")?, id)?;
                let file = path.clone();
                let read = tokio::task::spawn_blocking(move || read_whole_pack(&file, id, size)).await;
                let content = read.map_err(|e| Failure::from_error(Kind::Data, e))??.into();
                match kind {
                    // The file goes away once the branch has moved.
                    PackKind::Data => store.put_file(&key, &path, content).await?,
                    // The file is kept, where it is written again if somebody damages it.
                    PackKind::Lists => store.put(&key, content).await?,
                }
                Ok::<_, Failure>((id, size))
            })
            .buffer_unordered(jobs.max(1));
        while let Some((pack, size)) = sending.try_next().await? {
            self.progress.done(size);
            if let Some(lines) = &mut lines {
                let line = serde_json::to_string(&Sent { pack, unix_s: unix_s() })
                    .map_err(|e| Failure::from_error(Kind::Data, e))?;
                // What is not noted is sent once more.
                let _ = writeln!(lines, "{line}");
            }
        }
        Ok(())
    }

    /// Throws away what the store has now: packs and snapshots that nothing here waits to push.
    fn forget_staged(&mut self, catalogue: &Catalogue, pushed: &[Digest]) -> Result<(), Failure> {
        let ahead = self.state.local.iter().any(|(branch, local)| {
            branch != &self.state.branch
                && self.state.remote.get(branch).is_none_or(|remote| remote.head != *local)
                && !pushed.contains(local)
                && self.objects.staged("snapshots", local).exists()
        });
        if ahead {
            // Another branch waits: its packs may be these.
            return self.save();
        }
        let staged = std::mem::take(&mut self.state.staged);
        self.save()?;
        for id in &staged {
            let path = self.objects.staged("packs", id);
            let lists = catalogue.packs_by_id(id).is_some_and(|toc| toc.kind == PackKind::Lists);
            let cached = self.root.join(FOLDER).join("cache/packs");
            if !(lists && fs::create_dir_all(&cached).is_ok() && fs::rename(&path, cached.join(id.to_string())).is_ok())
            {
                let _ = fs::remove_file(&path);
            }
        }
        let edge = self.root.join(FOLDER);
        let (from, to) = (edge.join("staged/snapshots"), edge.join("cache/snapshots"));
        let _ = fs::create_dir_all(&to);
        for entry in fs::read_dir(&from).into_iter().flatten().flatten() {
            let _ = fs::rename(entry.path(), to.join(entry.file_name()));
        }
        let _ = fs::remove_file(edge.join("staged/sent"));
        Ok(())
    }
}

/// What was sent and when; a torn last line is one pack sent twice.
fn read_sent(journal: &Path) -> BTreeMap<Digest, u64> {
    let text = fs::read_to_string(journal).unwrap_or_default();
    text.lines()
        .filter_map(|line| serde_json::from_str::<Sent>(line).ok())
        .map(|sent| (sent.pack, sent.unix_s))
        .collect()
}

/// A pack from this machine's disk, with every blob in it checked before it goes anywhere.
fn read_whole_pack(path: &Path, id: Digest, size: u64) -> Result<Vec<u8>, Failure> {
    let content = shared::fs::read_capped(path, size)?;
    let whole = parse_pack(&content).is_ok_and(|toc| {
        toc.id() == id
            && toc.places().all(|(blob, range)| Digest::of(&content[range.start as usize..range.end as usize]) == blob)
    });
    if whole {
        Ok(content)
    } else {
        Err(Failure::data("is damaged: this disk gave back something else than was written")
            .at(path)
            .help("commit once more in a new working folder; nothing damaged was sent"))
    }
}
