//! Where the store's branches are.

use super::copy::WorkingCopy;
use super::state::RemoteHead;
use crate::snapshot::{Moved, heads, ledger};
use crate::{Digest, Error};
use shared::failure::Failure;
use std::collections::BTreeMap;

impl WorkingCopy {
    /// Looks where every branch of the store is.
    ///
    /// # Errors
    /// As [`WorkingCopy::find_store`].
    pub async fn fetch(&mut self) -> Result<(), Failure> {
        let heads = self.find_store().await?;
        let mut changed = false;
        for (branch, number) in heads {
            let seen = self.state.remote.get(&branch).map_or(0, |head| head.number);
            if seen == number {
                continue;
            }
            let ledger = ledger(self.store(), &branch)?;
            // All that has been added since: their snapshots are wanted next, many at a time instead of one by one.
            let entries = ledger.read::<Moved>(seen + 1).await?;
            let snapshots: Vec<Digest> = entries.iter().flat_map(|entry| entry.value.snapshots.clone()).collect();
            self.objects.snapshots(&snapshots).await?;
            if let Some(entry) = entries.last()
                && let Some(head) = entry.value.head()
            {
                let indexes = entry.value.indexes.clone();
                self.state.remote.insert(branch, RemoteHead { number: entry.number, head, indexes });
                changed = true;
            }
        }
        if changed {
            self.save()?;
        }
        Ok(())
    }

    /// Sees that the store is there and has what this folder has seen in it, and gives the number of the last entry of each of its
    /// branches.
    ///
    /// # Errors
    /// [`Error::Absent`] where no store is; [`Error::Lost`] for a store whose branches lack entries that were seen, as after
    /// another disk was mounted in its place; what the backend says.
    pub async fn find_store(&self) -> Result<BTreeMap<String, u64>, Error> {
        // What is remembered of a tag has a blank in its name.
        let seen = || self.state.remote.iter().filter(|(branch, _)| !branch.starts_with("tag "));
        let heads = match heads(self.store()).await {
            Err(Error::Absent { store, reason }) if seen().next().is_some() => {
                let reason = format!("{reason}, though this folder has fetched from it or pushed to it");
                return Err(Error::Absent { store, reason });
            }
            heads => heads?,
        };
        let lost = |reason: String| Error::Lost { store: self.store().name().into(), reason };
        for (branch, head) in seen() {
            let number = heads.get(branch).copied().unwrap_or(0);
            if number < head.number {
                let reason = format!("branch `{branch}` has {number} entries; this folder has seen {}", head.number);
                return Err(lost(reason));
            }
        }
        // One entry stands for the rest: each snapshot names the one before it.
        let branch = &self.state.branch;
        if let Some(head) = self.state.remote.get(branch).filter(|head| heads.get(branch) == Some(&head.number)) {
            let stands: Option<Moved> = ledger(self.store(), branch)?.get(head.number).await?;
            if stands.and_then(|moved| moved.head()) != Some(head.head) {
                let reason = format!("entry {} of branch `{branch}` is not what this folder has seen", head.number);
                return Err(lost(reason));
            }
        }
        Ok(heads)
    }
}
