//! How the folder stands.

use super::copy::WorkingCopy;
use crate::Digest;
use crate::snapshot::{Difference, diff};
use shared::failure::Failure;

/// How the folder stands, by what was last seen of the store.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Status {
    /// The branch.
    pub branch: String,
    /// The snapshot that the folder stands on.
    pub head: Option<Digest>,
    /// Whether that is an older one than the branch's.
    pub detached: bool,
    /// Snapshots here that the store's branch lacks.
    pub ahead: usize,
    /// Whether the store's branch was seen to have snapshots that are not here.
    pub behind: bool,
    /// What differs from the snapshot.
    pub changes: Vec<Difference>,
}

impl WorkingCopy {
    /// How the folder stands. The store is not asked; [`WorkingCopy::fetch`] does.
    ///
    /// # Errors
    /// Names that cannot be put under version, file system errors.
    pub async fn status(&self) -> Result<Status, Failure> {
        let catalogue = self.catalogue().await?;
        let before = self.inside(&self.files_or_none(&catalogue, self.state.head()).await?);
        let (working, _) = self.working()?;
        let remote = self.state.remote.get(&self.state.branch).map(|remote| remote.head);
        let (mut ahead, mut next) = (0, self.state.local.get(&self.state.branch).copied());
        while let Some(digest) = next.filter(|digest| Some(*digest) != remote) {
            // Below a new branch lies what other branches have pushed.
            if remote.is_none() && !self.objects().staged("snapshots", &digest).exists() {
                next = None;
                break;
            }
            ahead += 1;
            next = self.objects().snapshot(digest).await?.parent;
        }
        let behind = remote.is_some() && next != remote;
        Ok(Status {
            branch: self.state.branch.clone(),
            head: self.state.head(),
            detached: self.state.detached.is_some(),
            ahead: if behind { self.ahead_of_fork(remote).await? } else { ahead },
            behind,
            changes: diff(&before, &working),
        })
    }

    async fn ahead_of_fork(&self, remote: Option<Digest>) -> Result<usize, Failure> {
        let (mut ahead, mut next) = (0, self.state.local.get(&self.state.branch).copied());
        while let Some(digest) = next {
            if let Some(remote) = remote
                && self.follows(remote, digest).await?
            {
                break;
            }
            ahead += 1;
            next = self.objects().snapshot(digest).await?.parent;
        }
        Ok(ahead)
    }
}
