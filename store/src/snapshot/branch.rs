//! Branches and tags: ledgers of snapshots.

use super::name::check_ref;
use crate::{Append, Digest, Error, Key, KeyError, Ledger, Store};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// An entry of a branch's ledger: the branch moves to the last of these snapshots.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moved {
    /// The snapshots that were added, oldest first; each follows the one before it.
    pub snapshots: Vec<Digest>,
    /// The indexes that find every blob of this snapshot and of all that it follows.
    pub indexes: Vec<Digest>,
}

impl Moved {
    /// Where the branch is after this entry.
    #[must_use]
    pub fn head(&self) -> Option<Digest> {
        self.snapshots.last().copied()
    }
}

/// What a tag says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tag {
    /// The snapshot.
    pub snapshot: Digest,
    /// The indexes that find everything in it.
    pub indexes: Vec<Digest>,
}

/// The ledger of a branch.
///
/// # Errors
/// [`Error::Key`] when no branch may have the name.
pub fn ledger(store: &Store, branch: &str) -> Result<Ledger, Error> {
    named(store, "branches", branch)
}

fn named(store: &Store, folder: &str, name: &str) -> Result<Ledger, Error> {
    check_ref(name).map_err(|reason| KeyError::new(name, reason))?;
    Ok(Ledger::new(store.clone(), Key::new(folder)?.join(name)?))
}

/// Every branch with the number of its last entry, by one listing.
///
/// # Errors
/// [`Error::Absent`] where no store is; what the backend says; [`Error::Content`] for an object that belongs to no branch.
pub async fn heads(store: &Store) -> Result<BTreeMap<String, u64>, Error> {
    let mut heads = BTreeMap::new();
    for (name, number) in numbers(store, "branches").await? {
        let head = heads.entry(name).or_insert(0);
        *head = number.max(*head);
    }
    Ok(heads)
}

/// Every entry of every branch, oldest first.
///
/// # Errors
/// What the backend says; [`Error::Missing`] where an entry is absent between two others.
pub async fn branches(store: &Store) -> Result<BTreeMap<String, Vec<Moved>>, Error> {
    let mut all = BTreeMap::new();
    for name in heads(store).await?.into_keys() {
        let entries = ledger(store, &name)?.read(1).await?;
        all.insert(name, entries.into_iter().map(|entry| entry.value).collect());
    }
    Ok(all)
}

/// Every tag.
///
/// # Errors
/// As [`branches`].
pub async fn tags(store: &Store) -> Result<BTreeMap<String, Tag>, Error> {
    let mut all = BTreeMap::new();
    for (name, number) in numbers(store, "tags").await? {
        if number == 1
            && let Some(tag) = named(store, "tags", &name)?.get(1).await?
        {
            all.insert(name, tag);
        }
    }
    Ok(all)
}

/// A tag by its name.
///
/// # Errors
/// [`Error::Absent`] where no store is; what the backend says.
pub async fn tag(store: &Store, name: &str) -> Result<Option<Tag>, Error> {
    let tag = named(store, "tags", name)?.get(1).await?;
    if tag.is_none() {
        store.require().await?;
    }
    Ok(tag)
}

/// Creates a tag; `false` where one of that name stands for another snapshot. A tag never moves.
///
/// # Errors
/// What the backend says.
pub async fn create_tag(store: &Store, name: &str, tag: &Tag) -> Result<bool, Error> {
    let ledger = named(store, "tags", name)?;
    Ok(match ledger.append(0, tag).await? {
        Append::Done(_) => true,
        Append::Lost => ledger.get::<Tag>(1).await?.is_some_and(|stands| stands.snapshot == tag.snapshot),
    })
}

/// Names and numbers of all entries below a folder of ledgers. That there is none is a fact about a store that is there only.
async fn numbers(store: &Store, folder: &str) -> Result<Vec<(String, u64)>, Error> {
    let keys = store.list(&Key::new(folder)?, None).await?;
    if keys.is_empty() {
        store.require().await?;
    }
    let parse = |key: &Key| {
        let text = key.to_string();
        let (name, number) = text.strip_prefix(folder)?.strip_prefix('/')?.split_once('/')?;
        check_ref(name).ok()?;
        Some((name.to_owned(), number.parse().ok()?))
    };
    keys.into_iter()
        .map(|key| {
            parse(&key).ok_or_else(|| Error::Content {
                store: store.name().into(),
                key: key.clone(),
                reason: "is no entry of a branch or tag".into(),
            })
        })
        .collect()
}
