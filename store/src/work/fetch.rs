//! Where the store's branches are.

use super::copy::WorkingCopy;
use super::state::RemoteHead;
use crate::Digest;
use crate::snapshot::{Moved, heads, ledger};
use shared::failure::Failure;

impl WorkingCopy {
    /// Looks where every branch of the store is.
    ///
    /// # Errors
    /// What the store says.
    pub async fn fetch(&mut self) -> Result<(), Failure> {
        let heads = heads(self.store()).await?;
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
}
